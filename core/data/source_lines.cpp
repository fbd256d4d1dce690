// See source_lines.h. zlib reads what gzip did not make as it is.
#include "data/source_lines.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace retort::data {
namespace {

constexpr unsigned read_at_once = 1U << 16U;
constexpr std::size_t longest_text = std::size_t{1} << 30U;

/// Finds where an element of a JSON array, or an object, ends; whether it is JSON is its reader's business.
class ElementEnd {
 public:
  /// Whether `c` stands behind the element.
  bool operator()(char c) {
    if (quoted_) {
      quoted_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      return false;
    }
    if (depth_ == 0 && (c == ',' || c == ']')) return true;
    quoted_ = c == '"';
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    return false;
  }
  /// Whether `c` ends the object that began with the first sign.
  bool closes_object(char c) { return !(*this)(c) && !quoted_ && depth_ == 0; }

 private:
  bool quoted_ = false, escaped_ = false;
  std::size_t depth_ = 0;
};

}  // namespace

bool ends_with_its_object(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [ends = ElementEnd()](char c) mutable { return ends.closes_object(c); });
}

struct SourceLines::Stream {
  gzFile file = nullptr;
  ~Stream() {
    if (file != nullptr) gzclose_r(file);
  }
};

SourceLines::SourceLines(const std::filesystem::path& file) : path_(file), stream_(std::make_unique<Stream>()) {
  const bool folder = std::filesystem::is_directory(file);
  errno = 0;
  if (!folder) stream_->file = gzopen(file.c_str(), "rb");
  if (stream_->file == nullptr)
    throw std::runtime_error("cannot open '" + file.string() +
                             "': " + (folder ? "it is a folder" : std::generic_category().message(errno)));
  fill();
  if (buffer_.starts_with("\xFF\xFE") || buffer_.starts_with("\xFE\xFF"))
    throw std::runtime_error("'" + file.string() +
                             "': expected UTF-8, found UTF-16; convert it: iconv -f UTF-16 -t UTF-8");
  if (buffer_.starts_with("version https://git-lfs"))
    throw std::runtime_error("'" + file.string() +
                             "': expected rows, found a Git LFS pointer; fetch the data with git lfs pull");
  at_ = buffer_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
}

SourceLines::~SourceLines() = default;

/// More of the file behind what is not yet read; false at its end.
bool SourceLines::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + read_at_once);
  const int count = gzread(stream_->file, buffer_.data() + before, read_at_once);
  buffer_.resize(before + static_cast<std::size_t>(std::max(count, 0)));
  if (count > 0) return true;
  int code = Z_OK;
  const std::string why = gzerror(stream_->file, &code);
  if (count < 0 || code == Z_BUF_ERROR)
    throw std::runtime_error("cannot read '" + path_.string() + "' behind line " + std::to_string(line_) + ": " +
                             (code == Z_ERRNO ? std::generic_category().message(errno) : why));
  return false;
}

bool SourceLines::next(std::string& text) {
  std::size_t searched = at_;
  std::size_t end = buffer_.find('\n', searched);
  while (end == std::string::npos) {
    searched = buffer_.size() - at_;
    if (!fill()) break;
    end = buffer_.find('\n', searched);
  }
  if (end == std::string::npos && at_ == buffer_.size()) return false;
  text.assign(buffer_, at_, end == std::string::npos ? std::string::npos : end - at_);
  at_ = end == std::string::npos ? buffer_.size() : end + 1;
  if (text.ends_with('\r')) text.pop_back();
  ++line_;
  return true;
}

bool SourceLines::next_filled(std::string& text) {
  while (next(text))
    if (text.find_first_not_of(" \t") != std::string::npos) return true;
  return false;
}

/// The next byte that is no white space, which stays unread; −1 at the end.
int SourceLines::next_sign() {
  for (;;) {
    at_ = std::min(buffer_.find_first_not_of(" \t\r\n", at_), buffer_.size());
    if (at_ < buffer_.size()) return static_cast<unsigned char>(buffer_[at_]);
    if (!fill()) return -1;
  }
}

void SourceLines::refuse_json(const std::string& expected) const {
  throw std::runtime_error("'" + path_.string() + "': not valid JSON: expected " + expected + " behind element " +
                           std::to_string(elements_));
}

bool SourceLines::next_element(std::string& text) {
  const bool first = elements_ == 0;
  if (first && next_sign() == '[') ++at_;
  if (const int sign = next_sign(); sign == ']') {
    ++at_;
    if (next_sign() != -1) refuse_json("nothing");
    return false;
  } else if (!first) {
    if (sign != ',') refuse_json("\",\" or \"]\"");
    ++at_;
    next_sign();
  }
  copy_until(text, [ends = ElementEnd()](char c) mutable { return ends(c); });
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty()) refuse_json("an element");
  ++elements_;
  return true;
}

bool SourceLines::next_object(std::string& text) {
  const int sign = next_sign();
  if (sign == -1) return false;
  if (sign != '{') refuse_json("an object");
  copy_until(text, [ends = ElementEnd()](char c) mutable { return ends.closes_object(c); });
  text += buffer_[at_++];
  ++elements_;
  return true;
}

/// Up to the first byte that `ends` says yes to, which stays unread.
void SourceLines::copy_until(std::string& text, const std::function<bool(char)>& ends) {
  text.clear();
  for (bool ended = false; !ended;) {
    if (at_ == buffer_.size() && !fill()) refuse_json("one that ends");
    std::size_t end = at_;
    while (end < buffer_.size() && !(ended = ends(buffer_[end]))) ++end;
    text.append(buffer_, at_, end - at_);
    at_ = end;
    if (text.size() > longest_text) refuse_json("one of at most 1 GiB");
  }
}

std::string SourceLines::rest() {
  while (fill())
    if (buffer_.size() > longest_text)
      throw std::runtime_error("'" + path_.string() +
                               "': expected at most 1 GiB of one JSON text, found more; use a JSON object a line");
  return buffer_.substr(at_);
}

char SourceLines::first_sign() const {
  const std::size_t place = buffer_.find_first_not_of(" \t\r\n", at_);
  return place == std::string::npos ? '\0' : buffer_[place];
}

}  // namespace retort::data
