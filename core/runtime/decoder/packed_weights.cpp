// See packed_weights.h.
#include "runtime/decoder/packed_weights.h"

#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <stdexcept>

#include "host/base/log.h"
#include "runtime/decoder/decoder.h"
#include "text/packed_tokenizer.h"

namespace retort::runtime {
namespace {

// Of what kernels keep: to be raised whenever the same weights become other bytes under the same layout's name.
constexpr int kPackingVersion = 1;
constexpr char kExtension[] = ".packed";

std::string form() {
  return "weights " + std::to_string(kPackingVersion) + " " + instruction_set_name();
}

bool has_other_packed_weights(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model.") && name.ends_with(kExtension)) return true;
  }
  return false;
}

}  // namespace

std::string instruction_set_name() {
  using dnnl::cpu_isa;
  switch (const cpu_isa isa = dnnl::get_effective_cpu_isa()) {
    case cpu_isa::sse41:
      return "sse41";
    case cpu_isa::avx:
      return "avx";
    case cpu_isa::avx2:
      return "avx2";
    case cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case cpu_isa::avx2_vnni_2:
      return "avx2_vnni_2";
    case cpu_isa::avx512_core:
      return "avx512_core";
    case cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case cpu_isa::avx512_core_fp16:
      return "avx512_core_fp16";
    case cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    case cpu_isa::avx512_core_amx_fp16:
      return "avx512_core_amx_fp16";
    default: {
      std::ostringstream text;
      text << "isa_" << std::hex << static_cast<unsigned>(isa);
      return text.str();
    }
  }
}

std::filesystem::path packed_weights_path(const std::filesystem::path& folder) {
  return folder / ("model." + instruction_set_name() + kExtension);
}

bool is_packed_file(const std::filesystem::path& file) {
  return file.extension() == kExtension;
}

std::shared_ptr<const model::PackedFile> open_packed_weights(const model::ModelFolder& folder) {
  const std::vector<std::string> sources = folder.weight_files();
  if (sources.empty()) return nullptr;
  const std::filesystem::path path = packed_weights_path(folder.path());
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (has_other_packed_weights(folder.path()))
      host::log_info("'" + folder.path().string() + "': packed for other processors than " + instruction_set_name() +
                     "; `retort pack` packs for this one");
    return nullptr;
  }
  try {
    auto file = std::make_shared<const model::PackedFile>(path, form(), sources);
    host::log_debug("'" + path.string() + "': weights are mapped");
    return file;
  } catch (const std::runtime_error& misfit) {
    host::log_warning(std::string("packed weights are not used, `retort pack` makes them anew: ") + misfit.what());
    return nullptr;
  }
}

std::vector<std::string> damaged_packed_files(const model::ModelFolder& folder) {
  std::vector<std::string> damaged;
  const auto check = [&](const std::filesystem::path& path, const std::string& expected,
                         const std::vector<std::string>& sources) {
    if (!std::filesystem::exists(path)) return;
    try {
      const model::PackedFile file(path, expected, sources);
      if (const std::string section = file.damaged_section(); !section.empty())
        damaged.push_back(path.filename().string() + ": section '" + section +
                          "' has other bytes than were written; `retort pack` makes it anew");
    } catch (const std::runtime_error&) {  // one that does not fit is not used, which loading said
    }
  };
  check(packed_weights_path(folder.path()), form(), folder.weight_files());
  check(folder.path() / text::packed_tokenizer_name, text::packed_tokenizer_form, {"tokenizer.json"});
  return damaged;
}

PackedWeights write_packed_weights(const model::ModelFolder& folder, std::int64_t threads) {
  std::vector<model::FileStamp> sources;
  for (const std::string& name : folder.weight_files()) sources.push_back(model::stamp_of(folder.path() / name));
  if (sources.empty())
    throw std::invalid_argument("'" + folder.path().string() + "': expected a folder with weights, found none");
  DecoderOptions options;
  options.threads = threads;
  options.weights = WeightSource::folder;
  const Decoder decoder(folder, options);
  const std::filesystem::path path = packed_weights_path(folder.path());
  model::write_packed_file(path, form(), sources, decoder.packed_sections());
  return {path, static_cast<std::int64_t>(std::filesystem::file_size(path))};
}

}  // namespace retort::runtime
