// See onednn_engine.h.
#include "runtime/kernels/onednn_engine.h"

#include <omp.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace retort::runtime {
namespace {

std::string text_of(const OneDnnVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

/// oneDNN's values are sets of features: an instruction set contains another if it has all its bits.
bool contains(dnnl::cpu_isa isa, dnnl::cpu_isa part) {
  return (static_cast<unsigned>(isa) & static_cast<unsigned>(part)) == static_cast<unsigned>(part);
}

std::int64_t usable_threads(std::int64_t requested) {
  if (requested < 1) {
    throw std::invalid_argument("threads: expected at least 1, found " + std::to_string(requested));
  }
  return std::min<std::int64_t>(requested, omp_get_num_procs());
}

}  // namespace

OneDnnVersion compiled_onednn_version() {
  return {DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH};
}

OneDnnVersion loaded_onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return {version->major, version->minor, version->patch};
}

void check_onednn_version(const OneDnnVersion& compiled, const OneDnnVersion& loaded) {
  const bool older = std::tie(loaded.minor, loaded.patch) < std::tie(compiled.minor, compiled.patch);
  if (loaded.major == compiled.major && !older) return;
  throw std::runtime_error("oneDNN: compiled against " + text_of(compiled) +
                           ", but the library loaded at run time is " + text_of(loaded) + "; install libdnnl " +
                           text_of(compiled) + " or newer of the same major version, or rebuild");
}

ThreadCountScope::ThreadCountScope(std::int64_t threads) : previous_(omp_get_max_threads()) {
  omp_set_num_threads(static_cast<int>(threads));
}

ThreadCountScope::~ThreadCountScope() {
  omp_set_num_threads(previous_);
}

bool multiplies_int8_exactly(dnnl::cpu_isa isa) {
  return contains(isa, dnnl::cpu_isa::avx2_vnni) || contains(isa, dnnl::cpu_isa::avx512_core_vnni);
}

bool multiplies_bf16(dnnl::cpu_isa isa) {
  return contains(isa, dnnl::cpu_isa::avx512_core_bf16);
}

OneDnnEngine::OneDnnEngine(std::int64_t threads)
    : requested_threads_(threads), threads_(usable_threads(threads)), isa_(dnnl::get_effective_cpu_isa()) {
  check_onednn_version(compiled_onednn_version(), loaded_onednn_version());
  engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
  stream_ = dnnl::stream(engine_);
}

std::string OneDnnEngine::description() const {
  std::string line = "oneDNN " + text_of(loaded_onednn_version()) + " (compiled against " +
                     text_of(compiled_onednn_version()) + "), threads: " + std::to_string(threads_);
  if (threads_ != requested_threads_) {
    line += " (" + std::to_string(requested_threads_) + " requested, the machine has " + std::to_string(threads_) + ")";
  }
  return line;
}

}  // namespace retort::runtime
