// See answer_store.h.
#include "answer_store.h"

#include <openssl/sha.h>

#include <charconv>
#include <stdexcept>

namespace retort::teacher {
namespace {

using nlohmann::json;

constexpr std::string_view before_key = R"({"key":")";
constexpr std::string_view after_key = R"(","answer":)";
constexpr std::size_t key_digits = 32;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string request_key(const json& asked) {
  const std::string text = dumped(asked);  // members in the order of their names
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  constexpr std::string_view digits = "0123456789abcdef";
  std::string key;
  for (std::size_t i = 0; i < key_digits / 2; ++i) {
    key += digits[digest[i] >> 4U];
    key += digits[digest[i] & 15U];
  }
  return key;
}

AnswerStore::AnswerStore(const std::filesystem::path& folder) : file_(folder / "answers.jsonl") {
  read_new();
}

std::optional<AnswerStore::Hash> AnswerStore::to_hash(std::string_view text) {
  if (text.size() != key_digits) return std::nullopt;
  Hash hash{};
  for (std::size_t half = 0; half < 2; ++half) {
    const char* begin = text.data() + 16 * half;
    const auto [end, error] = std::from_chars(begin, begin + 16, hash[half], 16);
    if (error != std::errc() || end != begin + 16) return std::nullopt;
  }
  return hash;
}

void AnswerStore::read_new() {
  file_.read_new([this](std::uint64_t offset, std::string_view line) { index(offset, line); });
}

void AnswerStore::index(std::uint64_t offset, std::string_view line) {
  if (line.empty()) return;
  std::optional<Hash> hash;
  const bool long_enough = line.size() > before_key.size() + key_digits + after_key.size();
  if (long_enough && line.starts_with(before_key) &&
      line.substr(before_key.size() + key_digits).starts_with(after_key) && line.ends_with("}")) {
    hash = to_hash(line.substr(before_key.size(), key_digits));
  } else {
    const json written = json::parse(line, nullptr, false);
    if (written.is_object() && written.contains("request") && written.contains("answer")) {
      const json& request = written["request"];
      const json identity = request.is_object() ? request.value("identity", json("")) : json("");
      if (identity.is_string()) identities_.insert(identity.get<std::string>());
      hash = to_hash(request_key(request));
    } else if (written.is_object() && written.size() == 1 && written.value("identity", json()).is_string()) {
      identities_.insert(written["identity"].get<std::string>());
      return;
    }
  }
  if (!hash)
    ++unreadable_;
  else
    places_.insert_or_assign(*hash, Place{offset, static_cast<std::uint32_t>(line.size())});
}

std::optional<json> AnswerStore::find(const std::string& key) {
  const std::optional<Hash> hash = to_hash(key);
  if (!hash) throw std::invalid_argument("expected the hash of a request, found \"" + key + "\"");
  const std::lock_guard lock(mutex_);
  read_new();
  const auto found = places_.find(*hash);
  if (found == places_.end()) return std::nullopt;
  json line = json::parse(file_.read(found->second.offset, found->second.length), nullptr, false);
  if (line.is_object() && line.contains("answer") && line["answer"].is_object()) return std::move(line["answer"]);
  places_.erase(found);  // a half line that ends like a whole one
  ++unreadable_;
  return std::nullopt;
}

void AnswerStore::add(const std::string& key, const json& answer) {
  const std::lock_guard lock(mutex_);
  file_.append(std::string(before_key) + key + std::string(after_key) + dumped(answer) + "}");
}

void AnswerStore::name(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  read_new();
  if (identities_.insert(identity).second) file_.append(dumped({{"identity", identity}}));
}

std::set<std::string> AnswerStore::identities() {
  const std::lock_guard lock(mutex_);
  read_new();
  return identities_;
}

void AnswerStore::sync() {
  const std::lock_guard lock(mutex_);
  file_.sync();
}

std::size_t AnswerStore::size() {
  const std::lock_guard lock(mutex_);
  read_new();
  return places_.size();
}

std::size_t AnswerStore::unreadable() {
  const std::lock_guard lock(mutex_);
  read_new();
  return unreadable_;
}

std::shared_ptr<AnswerStore> shared_store(const std::filesystem::path& folder) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::weak_ptr<AnswerStore>> open;
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  const std::lock_guard lock(mutex);
  std::shared_ptr<AnswerStore> store = open[path].lock();
  if (!store) open[path] = store = std::make_shared<AnswerStore>(path);
  return store;
}

}  // namespace retort::teacher
