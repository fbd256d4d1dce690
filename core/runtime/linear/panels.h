// Splits the panels of a packed weight among the engine's OpenMP team.
#pragma once

#include <omp.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "runtime/linear/preparation.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// Multiply-adds of a row above which a fork and a join are worth it. On Zen 4 they take 1 to 3 µs, by where the host
/// runs the two threads, and as many int8 weights from the second cache 5.
inline constexpr std::int64_t kSplitWork = 500'000;

/// The panels of one thread that nobody has begun, on a cache line of its own. The owner takes them from the front, as
/// they stand in memory, which is how they are fetched ahead, others take the last; half of what is left at once, since
/// taking waits for memory.
class alignas(64) PanelRange {
 public:
  void set(std::int64_t first, std::int64_t last) { range_.store(pack(first, last), std::memory_order_relaxed); }
  struct Panels {
    std::int64_t first = 0;
    std::int64_t last = 0;  ///< behind them; `first` when there are none left
  };
  Panels take_first() {
    return take([](std::int64_t& first, std::int64_t& last) {
      const std::int64_t count = (last - first + 1) / 2;
      first += count;
      return Panels{first - count, first};
    });
  }
  Panels take_last() {
    return take([](std::int64_t& first, std::int64_t& last) {
      const std::int64_t count = (last - first + 1) / 2;
      last -= count;
      return Panels{last, last + count};
    });
  }

 private:
  static std::uint64_t pack(std::int64_t first, std::int64_t last) {
    return static_cast<std::uint64_t>(first) << 32U | static_cast<std::uint64_t>(last);
  }
  template <class Choose>
  Panels take(const Choose& choose) {
    std::uint64_t range = range_.load(std::memory_order_relaxed);
    while (true) {
      auto first = static_cast<std::int64_t>(range >> 32U), last = static_cast<std::int64_t>(range & 0xFFFFFFFFU);
      if (first >= last) return {};
      const Panels panels = choose(first, last);
      if (range_.compare_exchange_weak(range, pack(first, last), std::memory_order_relaxed)) return panels;
    }
  }

  std::atomic<std::uint64_t> range_{0};  ///< both ends in one word, so that they change together
};

/// Where panels stand in memory.
struct PanelMemory {
  const std::byte* data = nullptr;
  std::int64_t panel_bytes = 0;
};

/// What one thread does before any panel is multiplied. The others fetch meanwhile what they begin with, since memory
/// would wait too.
class Beginning {
 public:
  void prepare(const Preparation& preparation) {
    preparation();
    ready_.store(true, std::memory_order_release);
  }
  /// Returns once prepare() has; until then reads panels [first, last).
  void wait(const PanelMemory& memory, std::int64_t first, std::int64_t last) const {
    std::int64_t bytes = (last - first) * memory.panel_bytes;
    if (bytes > kFetchedBytes) bytes = kFetchedBytes;
    const std::byte* const data = memory.data + first * memory.panel_bytes;
    // Reading lets the processor fetch ahead by itself, which prefetching would not.
    for (std::int64_t line = 0; line < bytes; line += kLineBytes) {
      if (line % kBetweenLooks == 0 && ready()) break;
      static_cast<void>(*static_cast<const volatile std::byte*>(data + line));
    }
    for (int spins = 0; !ready(); ++spins) {
      if (spins < kSpins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  static constexpr std::int64_t kLineBytes = 64, kBetweenLooks = 1024;
  static constexpr std::int64_t kFetchedBytes = std::int64_t{256} << 10;  // a part of a core's second cache
  static constexpr int kSpins = 2000;                                     // some 50 to 100 µs
  alignas(64) std::atomic<bool> ready_{false};
};

/// body(PanelSpan) for spans that cover [0, panels), each panel once, on as many threads as the calling thread's
/// team has. Every thread has a part; who has done its own helps the others, since threads that wait for memory are
/// never equally fast. `work` is that of all panels. The body must not throw. `preparation` is called once, by the
/// calling thread, before the body; it must neither throw nor fork.
template <class Body>
void split_panels(std::int64_t panels, [[maybe_unused]] std::int64_t work, const Preparation& preparation,
                  [[maybe_unused]] const PanelMemory& memory, const Body& body) {
#ifndef __SANITIZE_THREAD__  // as in parallel.h
  constexpr std::int64_t kMostThreads = 64;
  if (panels > 1 && work >= kSplitWork && omp_get_max_threads() > 1) {
    std::array<PanelRange, kMostThreads> ranges;
    std::int64_t parts = omp_get_max_threads();
    if (parts > kMostThreads) parts = kMostThreads;
    for (std::int64_t i = 0; i < parts; ++i)
      ranges[static_cast<std::size_t>(i)].set(panels * i / parts, panels * (i + 1) / parts);
    Beginning beginning;
#pragma omp parallel
    {
      const std::int64_t thread = omp_get_thread_num(), own = thread % parts;
      const std::int64_t own_begin = panels * own / parts, own_end = panels * (own + 1) / parts;
      if (preparation && thread == 0) beginning.prepare(preparation);
      if (preparation && thread != 0) beginning.wait(memory, own_begin, own_end);
      for (std::int64_t i = 0; i < parts; ++i) {
        PanelRange& range = ranges[static_cast<std::size_t>((own + i) % parts)];
        const auto take = [&] { return i == 0 ? range.take_first() : range.take_last(); };
        // Of its own panels a thread takes the following ones next, unless the others have them by then.
        for (PanelRange::Panels taken = take(); taken.first < taken.last; taken = take()) {
          const std::int64_t begin = i == 0 ? own_begin : taken.first, end = i == 0 ? own_end : taken.last;
          for (std::int64_t panel = taken.first; panel < taken.last; ++panel)
            body(PanelSpan{panel, panel + 1, begin, end});
        }
      }
    }
    return;
  }
#endif
  preparation();
  body(PanelSpan{0, panels});
}

}  // namespace retort::runtime
