#include "exchange/vocabulary.h"

#include <set>
#include <variant>
#include <vector>

namespace retort::exchange {
namespace {

using Strings = std::vector<std::string>;

template <typename Type>
Type* find(model::GgufMetadata& metadata, const std::string& key) {
  const auto found = metadata.find("tokenizer.ggml." + key);
  return found == metadata.end() ? nullptr : std::get_if<Type>(&found->second);
}

template <typename Type>
void shorten(model::GgufMetadata& metadata, const std::string& key, std::size_t size) {
  auto* values = find<std::vector<Type>>(metadata, key);
  if (values != nullptr && values->size() > size) values->resize(size);
}

std::string range(std::int64_t first, std::int64_t end) {
  return first + 1 == end ? std::to_string(first) : std::to_string(first) + " to " + std::to_string(end - 1);
}

}  // namespace

std::optional<std::string> padding_note(std::int64_t tokens, std::int64_t embedding_rows) {
  if (tokens >= embedding_rows) return std::nullopt;
  const bool one = tokens + 1 == embedding_rows;
  return (one ? "embedding row " : "embedding rows ") + range(tokens, embedding_rows) + (one ? " belongs" : " belong") +
         " to no token: padding";
}

std::optional<std::string> drop_tokens_without_rows(model::GgufMetadata& metadata, std::int64_t embedding_rows) {
  auto* tokens = find<Strings>(metadata, "tokens");
  const auto rows = static_cast<std::size_t>(embedding_rows);
  if (tokens == nullptr || tokens->size() <= rows) return std::nullopt;
  const auto all = static_cast<std::int64_t>(tokens->size());
  metadata.erase("tokenizer.huggingface.json");  // it has the tokens that are left out
  tokens->resize(rows);
  shorten<float>(metadata, "scores", rows);
  shorten<std::int32_t>(metadata, "token_type", rows);
  shorten<std::uint32_t>(metadata, "token_type", rows);
  if (auto* merges = find<Strings>(metadata, "merges")) {
    const std::set<std::string> kept(tokens->begin(), tokens->end());
    std::erase_if(*merges, [&](const std::string& merge) {
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string::npos) return false;
      const std::string left = merge.substr(0, space), right = merge.substr(space + 1);
      return !kept.contains(left) || !kept.contains(right) || !kept.contains(left + right);
    });
  }
  return (all == embedding_rows + 1 ? "token " : "tokens ") + range(embedding_rows, all) +
         ": no row in the embedding, left out";
}

}  // namespace retort::exchange
