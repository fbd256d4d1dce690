// See signal_journal.h.
#include "train/signal_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

#include "data/text_hash.h"
#include "host/base/files.h"
#include "host/base/hexadecimal.h"

namespace retort::train {
namespace {

constexpr std::size_t record_header = signal_hash_bytes + 16;

/// Nothing where the file ends before.
std::string bytes_at(int descriptor, std::uint64_t offset, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(descriptor, bytes.data() + done, count - done, static_cast<off_t>(offset + done));
    if (got <= 0) return "";
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string number_bytes(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

SignalJournal::SignalJournal(const std::filesystem::path& file, const SignalAbout& about) : file_(file) {
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  struct stat status{};
  const bool open = descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0;
  while (open && read_record(about.token_bytes(), static_cast<std::uint64_t>(status.st_size))) {
  }
  if (open && ::ftruncate(descriptor_, static_cast<off_t>(end_)) == 0 &&
      ::lseek(descriptor_, static_cast<off_t>(end_), SEEK_SET) >= 0)
    return;
  if (descriptor_ >= 0) ::close(descriptor_);
  throw std::runtime_error("'" + file.string() + "' cannot be opened and cut to what can be read");
}

SignalJournal::~SignalJournal() {
  ::close(descriptor_);
}

bool SignalJournal::read_record(std::size_t token_bytes, std::uint64_t size) {
  const std::string header = bytes_at(descriptor_, end_, record_header);
  if (header.empty()) return false;
  const std::uint64_t bytes = signal_number(header.data() + signal_hash_bytes);
  if (bytes % token_bytes != 0 || bytes > size - end_ - record_header) return false;
  const std::string tokens = bytes_at(descriptor_, end_ + record_header, bytes);
  if (data::text_hash(tokens) != signal_number(header.data() + signal_hash_bytes + 8)) return false;
  places_.insert_or_assign(host::to_hexadecimal(header.substr(0, signal_hash_bytes)),
                           Place{end_ + record_header, bytes});
  end_ += record_header + bytes;
  return true;
}

std::string SignalJournal::tokens(const std::string& hash) const {
  const Place& place = places_.at(hash);
  std::string tokens = bytes_at(descriptor_, place.offset, place.bytes);
  if (tokens.size() != place.bytes)
    throw std::runtime_error("'" + file_.string() + "': was shortened while it was in use");
  return tokens;
}

void SignalJournal::add(const std::map<std::string, std::string>& batch) {
  std::string text;
  for (const auto& [hash, tokens] : batch) {
    text += hash_bytes(hash) + number_bytes(tokens.size()) + number_bytes(data::text_hash(tokens)) + tokens;
    places_.insert_or_assign(hash, Place{end_ + text.size() - tokens.size(), tokens.size()});
  }
  host::write_all(descriptor_, text.data(), text.size());
  end_ += text.size();
}

}  // namespace retort::train
