#include "model/generation_config.h"

#include "host/base/json.h"
#include "host/base/json_cursor.h"

namespace retort::model {
namespace {

std::vector<std::int64_t> read(const nlohmann::json& json, const std::filesystem::path& file, std::int64_t vocabulary) {
  const host::JsonCursor root(json, file.string());
  if (!root.object().has("eos_token_id")) return {};
  const host::JsonCursor ends = root.at("eos_token_id");
  if (!ends.json().is_array()) return {ends.integer(0, vocabulary - 1)};
  std::vector<std::int64_t> tokens;
  for (std::size_t i = 0; i < ends.size(); ++i) tokens.push_back(ends.at(i).integer(0, vocabulary - 1));
  return tokens;
}

}  // namespace

std::vector<std::int64_t> end_tokens(const ModelFolder& folder) {
  const std::int64_t vocabulary = folder.config().vocabulary_size;
  const std::filesystem::path file = folder.path() / "generation_config.json";
  if (std::filesystem::exists(file)) {
    const nlohmann::json json = host::read_json(file);
    std::vector<std::int64_t> tokens = read(json, file, vocabulary);
    if (!tokens.empty()) return tokens;
  }
  return read(folder.config_json(), folder.path() / "config.json", vocabulary);
}

}  // namespace retort::model
