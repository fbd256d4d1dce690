// See packed_memory.h.
#include "runtime/linear/packed_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <new>

namespace retort::runtime {
namespace {

constexpr std::int64_t kLine = 64;
constexpr std::int64_t kMost = std::int64_t{1} << 46;  // half of what a process can address
constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
// A small model is not to become a large one: so much before the first huge page.
constexpr std::int64_t kSmall = std::int64_t{32} << 20;
// Huge pages to touch before the others, and how long each may take: 1 GB/s, where filling them with zeros takes a
// third of that, and small pages come at 1.5 to 3.
constexpr std::int64_t kTried = 4;
constexpr double kQuickSeconds = 2e-3;
// Of address space. What a slab has left when it is too little for the next weight is never touched.
constexpr std::int64_t kSlab = std::int64_t{256} << 20;

std::int64_t round_up(std::int64_t bytes, std::int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

PackedMemory::~PackedMemory() {
  for (const Slab& slab : slabs_) ::munmap(slab.mapping, slab.mapped);
}

std::byte* PackedMemory::take(std::int64_t bytes) {
  if (bytes < 0 || bytes > kMost) throw std::bad_alloc();
#ifdef __SANITIZE_ADDRESS__
  return watched_.emplace_back(bytes).data();
#else
  Slab& slab = slab_for(bytes);
  const std::int64_t before = slab.used;
  slab.used += round_up(bytes, kLine);
  taken_ += bytes;
  if (taken_ > kSmall) try_huge_pages(slab, before);
  return slab.data + before;
#endif
}

PackedPlace PackedMemory::place(const std::string& name, const std::string& layout, std::int64_t bytes) {
  if (file_ != nullptr) {
    const std::span<const std::byte> packed = file_->find(name, layout);
    if (packed.data() != nullptr && static_cast<std::int64_t>(packed.size()) == bytes) {
      sections_.push_back({name, layout, packed});
      // Kernels and oneDNN have one pointer for weights, through which they only read.
      return {const_cast<std::byte*>(packed.data()), true};
    }
    ++missed_;
  }
  std::byte* const data = take(bytes);
  sections_.push_back({name, layout, {data, static_cast<std::size_t>(bytes)}});
  return {data, false};
}

void PackedMemory::make_writable() const {
  if (file_ != nullptr) file_->make_writable();
}

PackedMemory::Slab& PackedMemory::slab_for(std::int64_t bytes) {
  const auto found =
      std::find_if(slabs_.begin(), slabs_.end(), [&](const Slab& slab) { return slab.size - slab.used >= bytes; });
  if (found != slabs_.end()) return *found;
  slabs_.reserve(slabs_.size() + 1);
  const std::int64_t size = std::max(kSlab, round_up(bytes, kHugePage));
  const auto mapped = static_cast<std::size_t>(size + kHugePage);
  void* mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  const std::int64_t address = std::bit_cast<std::int64_t>(mapping);
  slabs_.push_back(
      {mapping, mapped, static_cast<std::byte*>(mapping) + (round_up(address, kHugePage) - address), size});
  return slabs_.back();
}

void PackedMemory::try_huge_pages(const Slab& slab, std::int64_t before) {
#ifdef MADV_HUGEPAGE
  const std::int64_t first = round_up(before, kHugePage), last = round_up(slab.used, kHugePage);
  if (!gives_quickly_ || first >= last) return;
  const auto bytes = static_cast<std::size_t>(last - first);
  if (::madvise(slab.data + first, bytes, MADV_HUGEPAGE) != 0) gives_quickly_ = false;
  for (std::int64_t page = first; page < last && tried_ < kTried; page += kHugePage, ++tried_) {
    const auto start = std::chrono::steady_clock::now();
    *static_cast<volatile std::byte*>(slab.data + page) = std::byte{0};
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  if (seconds_ <= static_cast<double>(kTried) * kQuickSeconds) return;
  gives_quickly_ = false;
  static_cast<void>(::madvise(slab.data + first, bytes, MADV_NOHUGEPAGE));
#endif
}

void PackedMemory::prefer_huge_pages() {
#ifdef MADV_HUGEPAGE
  for (const Slab& slab : slabs_) {
    // Whole pages: a small model is not to become a large one. Only advice: what it cannot have, the system leaves.
    const auto bytes = static_cast<std::size_t>(slab.used / kHugePage * kHugePage);
    if (bytes > 0) static_cast<void>(::madvise(slab.data, bytes, MADV_HUGEPAGE));
  }
#endif
}

}  // namespace retort::runtime
