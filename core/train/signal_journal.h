// What a teacher has said so far, on the disk: a recording that was killed asks again only for what it did not get. No
// LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>

#include "train/signal_file.h"

namespace retort::train {

/// A file of records: hash of the example, 32 bytes; u64 bytes of its tokens; u64 checksum of these; the tokens. What
/// stands behind a record that was cut short is dropped. Memory: about 100 bytes a record. Used by one thread at a
/// time.
class SignalJournal {
 public:
  /// Reads what `file` holds, if it is there. Throws std::runtime_error naming the file.
  SignalJournal(const std::filesystem::path& file, const SignalAbout& about);
  ~SignalJournal();
  SignalJournal(const SignalJournal&) = delete;
  SignalJournal& operator=(const SignalJournal&) = delete;

  std::size_t size() const { return places_.size(); }
  bool knows(const std::string& hash) const { return places_.contains(hash); }
  /// The encoded tokens of a hash that is known.
  std::string tokens(const std::string& hash) const;
  /// Encoded tokens by hash, all of a batch; with the system when this returns.
  void add(const std::map<std::string, std::string>& batch);

 private:
  struct Place {
    std::uint64_t offset, bytes;
  };
  bool read_record(std::size_t token_bytes, std::uint64_t size);

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;
  std::unordered_map<std::string, Place> places_;  ///< by hash in hexadecimal
};

}  // namespace retort::train
