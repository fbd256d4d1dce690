// See outcome_cache.h. A line: {"key": …, "outcome": {…}}.
#include "outcome_cache.h"

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "json_text.h"

namespace retort::environments {
namespace {

/// FNV-1a (Fowler, Noll, Vo) over lengths and bytes, two of other beginnings, since 64 bits are few for a file.
std::uint64_t fnv(std::string_view text, std::uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

std::string hexadecimal(std::uint64_t number) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4U) text[i] = digits[number & 15U];
  return text;
}

}  // namespace

OutcomeCache::OutcomeCache(std::size_t most, const std::string& file) : most_(most), file_(file) {
  if (!enabled() || file.empty()) return;
  if (std::filesystem::exists(file)) read(file);
  out_.open(file, std::ios::binary | std::ios::app);
  if (!out_) throw std::runtime_error("cannot write the cache of results '" + file + "'");
}

void OutcomeCache::read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read the cache of results '" + file + "'");
  std::uintmax_t whole = 0;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (in.eof()) break;  // without its line end: a run was killed while it wrote
    const Json entry = Json::parse(line, nullptr, false);
    if (!entry.is_object() || !entry.value("key", Json()).is_string() || !entry.contains("outcome"))
      throw std::invalid_argument("'" + file + "' line " + std::to_string(number) +
                                  ": expected {\"key\": text, \"outcome\": object}, found " + shown(line) +
                                  "; name another cache_file");
    if (outcomes_.size() < most_) outcomes_[entry["key"]] = written(entry["outcome"]);
    whole += line.size() + 1;
  }
  in.close();
  std::error_code error;
  if (std::filesystem::file_size(file) > whole) std::filesystem::resize_file(file, whole, error);
  if (error) throw std::runtime_error("cannot mend the last line of '" + file + "': " + error.message());
}

std::size_t OutcomeCache::size() const {
  const std::lock_guard lock(mutex_);
  return outcomes_.size();
}

std::string OutcomeCache::key_of(std::string_view before, std::string_view now) {
  const std::string text = std::to_string(before.size()) + ":" + std::string(before) + std::string(now);
  return hexadecimal(fnv(text, 0xCBF29CE484222325ULL)) + hexadecimal(fnv(text, 0x9E3779B97F4A7C15ULL));
}

std::optional<std::string> OutcomeCache::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = outcomes_.find(key);
  if (found == outcomes_.end()) return std::nullopt;
  return found->second;
}

void OutcomeCache::add(const std::string& key, const std::string& outcome) {
  if (!enabled()) return;
  const std::lock_guard lock(mutex_);
  if (outcomes_.size() >= most_ || !outcomes_.emplace(key, outcome).second || !out_.is_open()) return;
  out_ << R"({"key":")" << key << R"(","outcome":)" << outcome << "}\n" << std::flush;
  if (!out_) throw std::runtime_error("cannot write the cache of results '" + file_ + "'");
}

}  // namespace retort::environments
