// The token loop allocates nothing: every operator new of the process is counted, by the library that asks for it.
// oneDNN makes a small table of arguments inside each dnnl_primitive_execute; that is its own, so it is not counted
// here.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/generate/sampling.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> ours{0}, onednn{0};

void* allocate(std::size_t size, const void* caller) {
  if (counting.exchange(false)) {  // dladdr may allocate
    Dl_info info{};
    const bool of_onednn = dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "libdnnl") != nullptr;
    ++(of_onednn ? onednn : ours);
    counting = true;
  }
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Not inlined: the compiler would see free() of what it takes for the library's operator new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate(size, __builtin_return_address(0));
}
[[gnu::noinline]] void* operator new[](std::size_t size) {
  return allocate(size, __builtin_return_address(0));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace retort::runtime {
namespace {

template <class Action>
int allocations(const Action& action) {
  ours = onednn = 0;
  counting = true;
  action();
  counting = false;
  return ours;
}

TEST(Allocation, TheCounterCounts) {
  EXPECT_EQ(allocations([] {}), 0);
  std::vector<std::vector<int>> keep(1);
  EXPECT_EQ(allocations([&keep] { keep[0].resize(100); }), 1);
}

TEST(Allocation, TheTokenLoopMakesNone) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config("qwen2");
  for (const testing::Storage storage : {testing::Storage::f32, testing::Storage::int8}) {
    testing::write_model(folder.path(), config, testing::random_weights(config, 3), storage);
    const model::ModelFolder model(folder.path());
    for (const KvType type : {KvType::f32, KvType::bf16, KvType::int8}) {
      Decoder decoder(model, {.context = 256, .threads = 2, .kv_cache = type, .sequences = 4});
      Sampler sampler({.logit_bias = {{3, 0.5f}},
                       .repetition_penalty = 1.1,
                       .temperature = 0.8,
                       .top_k = 0,
                       .top_p = 0.95,
                       .min_p = 0.01});
      std::vector<TokenId> seen{1, 2, 3};
      seen.reserve(256);
      for (std::int64_t sequence = 0; sequence < 4; ++sequence) decoder.prompt(seen, sequence);
      seen.push_back(sampler.next(decoder.forward({&seen.back(), 1}), seen));  // the first fills the sampler's buffers
      std::vector<SequenceStep> steps(4);
      const int found = allocations([&] {
        for (int i = 0; i < 100; ++i) {  // over three borders of blocks
          seen.push_back(sampler.next(decoder.forward({&seen.back(), 1}), seen));
          for (std::size_t s = 0; s < 4; ++s) steps[s] = {static_cast<std::int64_t>(s), seen.back()};
          decoder.step(steps);
        }
      });
      EXPECT_EQ(found, 0);
    }
  }
}

}  // namespace
}  // namespace retort::runtime
