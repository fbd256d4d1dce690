// Memory for the packed weights of one model, one behind the other, or in a file that has them packed already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/packed_file.h"
#include "runtime/kernels/aligned_buffer.h"

namespace retort::runtime {

/// A weight's place. What is there already must not be written to, but see PackedMemory::make_writable.
struct PackedPlace {
  std::byte* data = nullptr;
  bool filled = false;  ///< by the file
};

/// Every weight is read end to end at every token, which huge pages make a few per cent faster: the addresses of small
/// ones must be looked up anew each time. Most weights alone are too small for pages of 2 MiB, or would leave large
/// parts of two in small ones; hence all in one. Freed as a whole. One thread at a time.
class PackedMemory {
 public:
  PackedMemory() = default;
  ~PackedMemory();
  PackedMemory(const PackedMemory&) = delete;
  PackedMemory& operator=(const PackedMemory&) = delete;

  /// Zeroed, begins on a 64-byte line. Throws std::bad_alloc when the memory cannot be had. Behind the first 32 MiB
  /// in huge pages, if the system gives the first few of them quickly: on virtual machines whose host takes free memory
  /// back, to touch huge pages can take five times as long as small ones.
  std::byte* take(std::int64_t bytes);

  /// The file that place() looks into; before the first call of it.
  void use(std::shared_ptr<const model::PackedFile> file) { file_ = std::move(file); }
  /// Bytes that `name` and `layout` say all about: those of the file, if it has them so, else as take() gives them, to
  /// be filled. A name is placed once.
  PackedPlace place(const std::string& name, const std::string& layout, std::int64_t bytes);
  /// All that was placed; borrowed.
  const std::vector<model::PackedSection>& sections() const { return sections_; }
  /// How many of them the file had not, where there is one.
  std::int64_t missed() const { return missed_; }
  /// Lets places that the file filled be written to, in memory of this process.
  void make_writable() const;

  /// Asks for huge pages for all that has been taken. What was not touched yet gets them when it is; what was, when the
  /// system gets to it (khugepaged, over minutes), without anybody waiting. So a model asks once it is packed.
  void prefer_huge_pages();

 private:
  /// A mapping that begins on a huge page; its pages are committed when first touched.
  struct Slab {
    void* mapping = nullptr;
    std::size_t mapped = 0;
    std::byte* data = nullptr;
    std::int64_t size = 0;
    std::int64_t used = 0;
  };
  Slab& slab_for(std::int64_t bytes);
  void try_huge_pages(const Slab& slab, std::int64_t before);

  std::shared_ptr<const model::PackedFile> file_;
  std::vector<model::PackedSection> sections_;
  std::int64_t missed_ = 0;
  std::vector<Slab> slabs_;
  std::int64_t taken_ = 0;
  std::int64_t tried_ = 0;  ///< huge pages that were touched to see how long that takes
  double seconds_ = 0;      ///< that it took
  bool gives_quickly_ = true;
  std::vector<AlignedBuffer<std::byte>> watched_;  ///< instead of slabs where a sanitizer watches their ends
};

}  // namespace retort::runtime
