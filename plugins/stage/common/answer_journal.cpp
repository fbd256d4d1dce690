// See answer_journal.h. One write a line: no half of a line is ever followed by another.
#include "answer_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "data/text_hash.h"
#include "host/base/files.h"

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
  const std::size_t good = std::filesystem::exists(file) ? read(host::read_file(file)) : 0;
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(file_, "be opened");
  if (::ftruncate(descriptor_, static_cast<off_t>(good)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0) {
    ::close(descriptor_);
    fail(file_, "be cut to what can be read");
  }
}

AnswerJournal::~AnswerJournal() {
  ::close(descriptor_);
}

std::size_t AnswerJournal::read(std::string_view text) {
  std::size_t good = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', good)) {
    json line = json::parse(text.substr(good, end - good), nullptr, false);
    if (!line.is_object() || !line.value("row", json()).is_number_unsigned() ||
        !line.value("request", json()).is_string() || !line.contains("answer"))
      break;
    answers_[line["row"]] = {line["request"], std::move(line["answer"])};
    good = end + 1;
  }
  return good;
}

std::optional<json> AnswerJournal::find(std::size_t row, std::string_view request) const {
  const auto found = answers_.find(row);
  if (found == answers_.end() || found->second.request != hash_of(request)) return std::nullopt;
  return found->second.answer;
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
