// A seeded generator whose numbers are the same on every platform (the standard distributions are not).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace retort::home {

/// SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2714064.2660195).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// In [0, bound); bound > 0. The modulo's bias is below 2^-50 for the small bounds used here.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  /// `share` in [0, 1].
  bool happens(double share) { return static_cast<double>(next() >> 11U) * 0x1p-53 < share; }
  template <class T>
  const T& pick(const std::vector<T>& values) {
    return values[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

/// FNV-1a, 64 bits.
inline std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return hash;
}

}  // namespace retort::home
