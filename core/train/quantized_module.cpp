#include "train/quantized_module.h"

#include <retort/torch.hpp>

namespace retort::train {

using torch::Tensor;

Codes quantized(const host::QuantizerCall& quantizer, const host::SiteView& site, std::size_t module,
                const retort_quantize_scheme& scheme, host::CallMetrics& metrics) {
  const std::int64_t rows = site.modules[module].rows, columns = site.columns;
  const std::int64_t groups = columns / host::group_width(scheme, columns);
  const bool symmetric = scheme.symmetric != 0;
  Codes result{torch::empty({rows, columns}, symmetric ? torch::kInt8 : torch::kUInt8),
               torch::empty({rows, groups}, torch::kFloat32),
               symmetric ? Tensor() : torch::empty({rows, groups}, torch::kInt32)};
  const retort_tensor codes = lend(result.codes), scales = lend(result.scales);
  const retort_tensor zero_points = symmetric ? retort_tensor{} : lend(result.zero_points);
  quantizer.quantize(site, module, scheme,
                     {sizeof(retort_quantize_output), 0, &codes, &scales, symmetric ? nullptr : &zero_points}, metrics);
  return result;
}

}  // namespace retort::train
