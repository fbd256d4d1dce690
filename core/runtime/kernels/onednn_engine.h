// oneDNN's engine and stream as one decoder uses them, the check of the library's version, and the OpenMP thread count.
// Knows nothing of layers.
#pragma once

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

namespace retort::runtime {

struct OneDnnVersion {
  int major = 0, minor = 0, patch = 0;
};

OneDnnVersion compiled_onednn_version();
OneDnnVersion loaded_onednn_version();

/// Debian's oneDNN 3.6 to 3.12 share one SONAME, so the loader may pick another release than the compiler saw. Throws
/// std::runtime_error for another major version or an older release than `compiled`; a newer one is accepted.
void check_onednn_version(const OneDnnVersion& compiled, const OneDnnVersion& loaded);

/// Sets the calling thread's OpenMP team size and restores it at the end of the scope. Primitives read it both when
/// they are created and when they run.
class ThreadCountScope {
 public:
  explicit ThreadCountScope(std::int64_t threads);
  ~ThreadCountScope();
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int previous_;
};

/// Whether s8 × s8 sums are exact. Without VNNI instructions oneDNN adds pairs of products in 16 bits, which saturate:
/// full-range int8 layers then come out up to 10 % wrong, and nothing says so.
bool multiplies_int8_exactly(dnnl::cpu_isa isa);

/// Whether bf16 products are native: elsewhere oneDNN emulates them, or has none.
bool multiplies_bf16(dnnl::cpu_isa isa);

/// Used by one thread at a time.
class OneDnnEngine {
 public:
  /// Throws std::invalid_argument for less than one thread and std::runtime_error for an unfit oneDNN. More threads
  /// than the process may use processors: the number of processors is taken instead, and `description` says so.
  explicit OneDnnEngine(std::int64_t threads);

  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }
  std::int64_t threads() const { return threads_; }
  unsigned instruction_set() const { return static_cast<unsigned>(isa_); }  ///< dnnl_cpu_isa_t
  bool multiplies_int8_exactly() const { return runtime::multiplies_int8_exactly(isa_); }
  bool multiplies_bf16() const { return runtime::multiplies_bf16(isa_); }
  std::string description() const;  ///< oneDNN's version and the threads, one line

 private:
  std::int64_t requested_threads_;
  std::int64_t threads_;
  dnnl::cpu_isa isa_;
  dnnl::engine engine_;
  dnnl::stream stream_;
};

}  // namespace retort::runtime
