// What the interfaces that exchange JSON share: results that come item by item.
#pragma once

#include <retort/abi/base.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/json.h"

namespace retort::host {

/// Throws std::runtime_error "`who`: expected …, found …; this is a fault of the component".
[[noreturn]] void refuse_result(const std::string& who, const std::string& expected, const std::string& found);

/// The JSON value of `text`, or refuse_result().
Json parse_result(const std::string& who, std::string_view text);

/// The sink of one call. Takes every item once and hands it on as soon as it comes, on the thread that it comes on.
class JsonItems {
 public:
  using Take = std::function<void(std::size_t index, Json item)>;
  /// `who` is the component's id and function: "teacher.rules: complete()". At most `count` items may come.
  JsonItems(std::string who, std::size_t count, Take take);
  JsonItems(const JsonItems&) = delete;
  JsonItems& operator=(const JsonItems&) = delete;

  const retort_item_sink* sink() const { return &sink_; }
  /// After the call: throws what `take` threw, else what the call returned, else the first breach of contract (an index
  /// out of range or given twice, text that is not JSON).
  void finish(retort_error* error) const;
  /// Throws unless every index came.
  void require_all() const;
  /// Throws unless the indices that came are 0, 1, … without a gap. Returns their number.
  std::size_t require_prefix() const;

 private:
  void take(std::uint64_t index, retort_string json) noexcept;
  void accept(std::uint64_t index, std::string_view json);

  std::string who_;
  Take take_;
  std::vector<bool> seen_;
  std::exception_ptr failure_;
  retort_item_sink sink_;
};

}  // namespace retort::host
