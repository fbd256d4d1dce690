#include "exchange/gguf_export.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "exchange/gguf_config.h"
#include "exchange/gguf_names.h"
#include "exchange/head_order.h"
#include "exchange/rope_factors.h"
#include "model/gguf_writer.h"
#include "model/half_precision.h"
#include "model/model_folder.h"

namespace retort::exchange {
namespace {

using model::GgmlType;

/// llama_ftype of llama.cpp's include/llama.h: what most matrices are.
std::uint32_t file_type(GgmlType type) {
  switch (type) {
    case GgmlType::f16:
      return 1;
    case GgmlType::q4_0:
      return 2;
    case GgmlType::q4_1:
      return 3;
    case GgmlType::q8_0:
      return 7;
    case GgmlType::bf16:
      return 32;
    default:
      return 0;
  }
}

GgmlType type_of(const WeightSource& source, const std::string& name, const std::vector<std::int64_t>& shape,
                 const std::optional<GgmlType>& wanted) {
  if (shape.size() == 1) return GgmlType::f32;
  if (!wanted) {
    const model::DataType own = source.float_type(name);
    return own == model::DataType::f16 ? GgmlType::f16 : own == model::DataType::bf16 ? GgmlType::bf16 : GgmlType::f32;
  }
  const std::string head = source.config().tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  const bool four_bits = *wanted == GgmlType::q4_0 || *wanted == GgmlType::q4_1;
  const GgmlType type = four_bits && name == head ? GgmlType::q8_0 : *wanted;
  return static_cast<std::size_t>(shape.back()) % model::block_elements(type) == 0 ? type : GgmlType::f16;
}

/// Codes of the source as q8_0 or q4_0 blocks, if it has such codes; the layouts are gguf_blocks.h's.
bool put_codes(const WeightSource& source, const std::string& name, std::int64_t row, GgmlType type, std::byte* out) {
  const int bits = type == GgmlType::q8_0 ? 8 : type == GgmlType::q4_0 ? 4 : 0;
  if (bits == 0) return false;
  const auto coded = source.read_codes(name, row);
  if (!coded || coded->bits != bits || coded->group_size % 32 != 0) return false;
  for (std::size_t block = 0; block * 32 < coded->codes.size(); ++block, out += model::block_bytes(type)) {
    const std::int8_t* codes = coded->codes.data() + block * 32;
    const std::uint16_t scale = model::to_f16(coded->scales[block * 32 / static_cast<std::size_t>(coded->group_size)]);
    std::memcpy(out, &scale, sizeof(scale));
    if (bits == 8) std::memcpy(out + 2, codes, 32);
    for (std::size_t i = 0; bits == 4 && i < 16; ++i)
      out[2 + i] = static_cast<std::byte>((codes[i] + 8) | (codes[i + 16] + 8) << 4);
  }
  return true;
}

/// One tensor of the file and where its rows come from.
struct Origin {
  std::string name;  ///< Hugging Face's; empty for rope_factors_tensor
  bool rotated = false;
};

class Export {
 public:
  Export(const WeightSource& source, const GgufExportOptions& options, const ProgressReport& report)
      : source_(source), report_(report) {
    const bool interleaved = interleaves_heads(source.config());
    factors_ = rope_factors(source.config());
    if (!factors_.empty())
      declare(rope_factors_tensor, GgmlType::f32, {static_cast<std::int64_t>(factors_.size())}, {});
    for (const auto& [name, shape] : model::tensor_shapes(source.config()))
      declare(gguf_tensor_name(source.config(), name), type_of(source, name, shape, options.type), shape,
              {name, interleaved && has_rotated_rows(name)});
  }

  const std::vector<model::GgufDeclaration>& tensors() const { return tensors_; }

  void produce(const model::GgufDeclaration& tensor, model::ByteSink& sink) {
    const Origin& origin = origins_.at(tensor.name);
    if (origin.name.empty()) {
      sink.append(factors_.data(), factors_.size() * sizeof(float));
      return;
    }
    const Extent extent = extent_of(tensor.shape);
    for_each_piece(extent, origin.rotated ? source_.config().head_dim : 1, [&](std::int64_t first, std::int64_t rows) {
      encode(tensor, origin, extent.columns, first, rows);
      sink.append(encoded_);
      done_ += static_cast<std::int64_t>(encoded_.size());
      if (report_) report_(done_, total_);
    });
  }

 private:
  void declare(const std::string& name, GgmlType type, const std::vector<std::int64_t>& shape, Origin origin) {
    tensors_.push_back({name, type, shape});
    total_ += static_cast<std::int64_t>(tensors_.back().bytes());
    origins_[name] = std::move(origin);
  }

  /// Rows [first, first + rows) of the file's order, whole heads where they are rotated.
  void encode(const model::GgufDeclaration& tensor, const Origin& origin, std::int64_t columns, std::int64_t first,
              std::int64_t rows) {
    const auto width = static_cast<std::size_t>(columns);
    values_.resize(static_cast<std::size_t>(rows) * width);
    source_.read(origin.name, first, rows, values_);
    if (tensor.shape.size() == 1) {
      encode_vector(origin, rows);
      return;
    }
    const std::size_t row_bytes = model::ggml_bytes(tensor.type, width);
    encoded_.resize(static_cast<std::size_t>(rows) * row_bytes);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t from = origin.rotated ? half_split_row(row, source_.config().head_dim) : row;
      std::byte* out = encoded_.data() + static_cast<std::size_t>(row) * row_bytes;
      if (!put_codes(source_, origin.name, first + from, tensor.type, out))
        model::quantise(tensor.type, std::span(values_).subspan(static_cast<std::size_t>(from) * width, width), out);
    }
  }

  void encode_vector(const Origin& origin, std::int64_t elements) {
    for (float& value : values_) value += gguf_offset(source_.config(), origin.name);
    std::vector<float> ordered = values_;
    for (std::int64_t i = 0; origin.rotated && i < elements; ++i)
      ordered[static_cast<std::size_t>(i)] =
          values_[static_cast<std::size_t>(half_split_row(i, source_.config().head_dim))];
    encoded_.resize(ordered.size() * sizeof(float));
    std::memcpy(encoded_.data(), ordered.data(), encoded_.size());
  }

  const WeightSource& source_;
  const ProgressReport& report_;
  std::vector<float> factors_;
  std::vector<model::GgufDeclaration> tensors_;
  std::map<std::string, Origin> origins_;
  std::int64_t total_ = 0, done_ = 0;
  std::vector<float> values_;
  std::vector<std::byte> encoded_;
};

}  // namespace

void export_gguf(const WeightSource& source, const model::GgufMetadata& more, const std::filesystem::path& path,
                 const GgufExportOptions& options, const ProgressReport& report) {
  if (options.type && !model::can_quantise(*options.type))
    throw std::invalid_argument(std::string("dtype: expected f32, f16, bf16, q8_0, q4_0 or q4_1, found ") +
                                model::name_of(*options.type));
  Export work(source, options, report);
  model::GgufMetadata metadata = more;
  metadata.merge(gguf_from_config(source.config()));
  GgmlType most = GgmlType::f32;  // the first layer's query projection stands for all
  for (const model::GgufDeclaration& tensor : work.tensors())
    if (tensor.name == "blk.0.attn_q.weight") most = tensor.type;
  metadata["general.type"] = std::string("model");
  metadata["general.file_type"] = file_type(most);
  metadata["general.quantization_version"] = std::uint32_t{2};  // GGML_QNT_VERSION of these block layouts
  model::write_gguf(path, metadata, work.tensors(),
                    [&](const model::GgufDeclaration& tensor, model::ByteSink& sink) { work.produce(tensor, sink); });
}

}  // namespace retort::exchange
