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

}  // namespace

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
