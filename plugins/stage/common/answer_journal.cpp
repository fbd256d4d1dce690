// See answer_journal.h. One write a line: no half of a line is ever followed by another.
#include "answer_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "data/text_hash.h"

namespace retort::stages {
namespace {

using nlohmann::json;

/// Guards against another dataset in the same folder.
std::string hash_of(std::string_view text) {
  static constexpr std::array<char, 17> digits = {"0123456789abcdef"};
  const std::uint64_t hash = data::text_hash(text);
  std::string result(16, '0');
  for (std::size_t i = 0; i < 16; ++i) result[i] = digits[(hash >> (60 - 4 * i)) & 15U];
  return result;
}

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw std::runtime_error("'" + file.string() + "': cannot " + what + ": " + std::generic_category().message(errno));
}

}  // namespace

AnswerJournal::AnswerJournal(const std::filesystem::path& file) : file_(file) {
  const std::uint64_t good = std::filesystem::exists(file) ? read() : 0;
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(file_, "be opened");
  if (::ftruncate(descriptor_, static_cast<off_t>(good)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0) {
    ::close(descriptor_);
    fail(file_, "be cut to what can be read");
  }
}

AnswerJournal::~AnswerJournal() {
  ::close(descriptor_);
}

std::uint64_t AnswerJournal::read() {
  std::ifstream stream(file_, std::ios::binary);
  if (!stream) fail(file_, "be opened");
  std::uint64_t good = 0;
  for (std::string text; std::getline(stream, text) && !stream.eof();) {
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object() || !line.value("row", json()).is_number_unsigned() ||
        !line.value("request", json()).is_string() || !line.contains("answer"))
      break;
    places_.push_back({line["row"].get<std::uint64_t>(), good, static_cast<std::uint32_t>(text.size()),
                       static_cast<std::uint32_t>(places_.size())});
    good += text.size() + 1;
  }
  std::sort(places_.begin(), places_.end(), [](const Place& one, const Place& other) {
    return one.row != other.row ? one.row < other.row : one.order > other.order;
  });
  const auto same_row = [](const Place& one, const Place& other) { return one.row == other.row; };
  places_.erase(std::unique(places_.begin(), places_.end(), same_row), places_.end());
  return good;
}

std::string AnswerJournal::line_at(const Place& place) const {
  std::string text(place.bytes, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got =
        ::pread(descriptor_, text.data() + done, text.size() - done, static_cast<off_t>(place.begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(file_, "be read");
    done += static_cast<std::size_t>(got);
  }
  return text;
}

std::optional<json> AnswerJournal::find(std::size_t row, std::string_view request) const {
  const auto found = std::lower_bound(places_.begin(), places_.end(), row,
                                      [](const Place& place, std::size_t wanted) { return place.row < wanted; });
  if (found == places_.end() || found->row != row) return std::nullopt;
  json line = json::parse(line_at(*found), nullptr, false);
  if (!line.is_object() || line.value("request", json()) != hash_of(request)) return std::nullopt;
  return std::move(line["answer"]);
}

void AnswerJournal::add(std::size_t row, std::string_view request, const json& answer) {
  const std::string line = json{{"row", row}, {"request", hash_of(request)}, {"answer", answer}}.dump(
                               -1, ' ', false, json::error_handler_t::replace) +
                           "\n";
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t once = ::write(descriptor_, line.data() + written, line.size() - written);
    if (once < 0 && errno == EINTR) continue;
    if (once < 0) fail(file_, "be written");
    written += static_cast<std::size_t>(once);
  }
}

void AnswerJournal::sync() const {
  if (::fdatasync(descriptor_) != 0) fail(file_, "be written to the disk");
}

}  // namespace retort::stages
