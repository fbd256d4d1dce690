// Reading of lines, and the reasons why some cannot be used.
#include "task/row_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "host/base/json_cursor.h"
#include "host/base/utf8.h"

namespace retort::task {
namespace {

constexpr std::size_t most_reasons = 4096;
constexpr std::size_t shown_reasons = 3;

}  // namespace

std::string kind_of_reason(std::string_view reason) {
  if (reason.starts_with("row: ")) reason.remove_prefix(5);
  reason = reason.substr(0, reason.find(", found "));
  std::string kind;
  const auto add = [&](std::string_view text) {
    for (const char c : text) {
      const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (!digit || kind.empty() || kind.back() != 'N') kind += digit ? 'N' : c;
    }
  };
  while (!reason.empty()) {
    const std::size_t open = std::min(reason.find('"'), reason.size());
    const std::size_t end = std::min(reason.find('"', open + 1), reason.size());
    const std::string_view quoted = reason.substr(open, end + 1 - open);
    add(reason.substr(0, open));
    if (quoted.find(' ') == std::string_view::npos)
      add(quoted);  // a name
    else
      kind += "\"…\"";  // what somebody said
    reason.remove_prefix(open + quoted.size());
  }
  return kind;
}

RowFile::RowFile(const std::filesystem::path& file) : path_(file), stream_(file, std::ios::binary) {
  if (!stream_ || std::filesystem::is_directory(file))
    throw std::runtime_error(
        "cannot open '" + file.string() +
        "': " + (std::filesystem::is_directory(file) ? "it is a folder" : std::generic_category().message(errno)));
  std::array<char, 64> head{};
  stream_.read(head.data(), head.size());
  const std::string_view begin(head.data(), static_cast<std::size_t>(stream_.gcount()));
  if (begin.starts_with("\xFF\xFE") || begin.starts_with("\xFE\xFF"))
    throw std::runtime_error("'" + file.string() +
                             "': expected UTF-8, found UTF-16; convert it: iconv -f UTF-16 -t UTF-8");
  if (begin.starts_with("version https://git-lfs"))
    throw std::runtime_error("'" + file.string() +
                             "': expected rows, found a Git LFS pointer; fetch the data with git lfs pull");
  stream_.clear();
  stream_.seekg(begin.starts_with("\xEF\xBB\xBF") ? 3 : 0);
}

bool RowFile::next(std::string& text) {
  while (std::getline(stream_, text)) {
    ++line_;
    if (text.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  if (stream_.bad())
    throw std::runtime_error("cannot read '" + path_.string() + "' behind line " + std::to_string(line_));
  return false;
}

nlohmann::json parse_row(std::string_view text) {
  const std::string valid = host::replace_invalid_utf8(std::string(text));
  if (valid != text) {
    const auto place = std::mismatch(text.begin(), text.end(), valid.begin(), valid.end()).first;
    throw std::invalid_argument("not valid JSON: it is not UTF-8 from byte " +
                                std::to_string(place - text.begin() + 1) + " on; convert the file to UTF-8");
  }
  return host::parse_strict_json(text);
}

void RowTally::reject(const std::string& reason) {
  ++rejected_;
  const std::string kind = kind_of_reason(reason);
  if (reasons_.size() < most_reasons || reasons_.contains(kind)) ++reasons_[kind];
}

void RowTally::add(const RowTally& other) {
  kept_ += other.kept_;
  rejected_ += other.rejected_;
  for (const auto& [reason, count] : other.reasons_) reasons_[reason] += count;
  notes_.add(other.notes_);
}

bool RowTally::exceeds(double max_rejected_share) const {
  return static_cast<double>(rejected_) > max_rejected_share * static_cast<double>(rows());
}

std::string RowTally::commonest() const {
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [reason, count] : reasons_) sorted.emplace_back(-count, reason);
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() > shown_reasons) sorted.resize(shown_reasons);
  std::string text;
  for (const auto& [count, reason] : sorted)
    text += (text.empty() ? "" : "; ") + std::to_string(-count) + " × " + reason;
  return text;
}

std::string RowTally::summary(const std::string& what) const {
  std::string text = what + ": " + std::to_string(kept_) + " rows kept, " + std::to_string(rejected_) + " rejected";
  if (rejected_ > 0) text += ": " + commonest();
  if (!notes_.conversions.empty()) text += "; converted: " + ReadingNotes::listed(notes_.conversions);
  if (!notes_.losses.empty()) text += "; left out: " + ReadingNotes::listed(notes_.losses);
  return text;
}

}  // namespace retort::task
