#include "text/vocabulary_cut.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace retort::text {
namespace {

using OrderedJson = nlohmann::ordered_json;
using Json = nlohmann::json;

/// "a b" or ["a", "b"].
template <typename AnyJson>
std::pair<std::string, std::string> parts_of(const AnyJson& merge) {
  if (merge.is_array()) return {merge.at(0).template get<std::string>(), merge.at(1).template get<std::string>()};
  const auto text = merge.template get<std::string>();
  const std::size_t space = text.find(' ', 1);
  return {text.substr(0, space), text.substr(space + 1)};
}

using NewIds = std::map<std::int64_t, std::int64_t>;

std::int64_t renumbered(const NewIds& ids, const OrderedJson& id, const char* where) {
  const auto found = ids.find(id.get<std::int64_t>());
  if (found == ids.end())
    throw std::invalid_argument(std::string("the tokenizer's ") + where + " names token " + id.dump() +
                                ", expected one that is kept");
  return found->second;
}

/// tokenizer.json in its order, but of model.vocab only what `ids` has. Dropped ones are left out while it is read: an
/// ordered object is searched from its begin for every key that is put in.
OrderedJson without_dropped(const Tokenizer& tokenizer, const NewIds& ids) {
  bool in_vocabulary = false;
  return OrderedJson::parse(tokenizer.to_json(), [&](int depth, OrderedJson::parse_event_t event, OrderedJson& value) {
    if (event != OrderedJson::parse_event_t::key) return true;
    if (depth < 3) in_vocabulary = depth == 2 && value == "vocab";
    if (depth != 3 || !in_vocabulary) return true;
    const auto id = tokenizer.find(value.get_ref<const std::string&>());
    return id.has_value() && ids.contains(*id);
  });
}

/// Ids stand under "ids" (TemplateProcessing) and second in "sep" and "cls" (Bert and Roberta).
void renumber_post_processor(OrderedJson& node, const NewIds& ids) {
  if (!node.is_structured()) return;
  for (auto& item : node.items()) {
    OrderedJson& value = item.value();
    const bool is_list = node.is_object() && item.key() == "ids" && value.is_array();
    const bool is_pair = node.is_object() && (item.key() == "sep" || item.key() == "cls") && value.is_array() &&
                         value.size() == 2 && value[1].is_number_integer();
    if (is_list)
      for (OrderedJson& id : value) id = renumbered(ids, id, "post_processor");
    else if (is_pair)
      value[1] = renumbered(ids, value[1], "post_processor");
    else
      renumber_post_processor(value, ids);
  }
}

}  // namespace

std::vector<TokenId> required_tokens(const Tokenizer& tokenizer) {
  const Json json = Json::parse(tokenizer.to_json());
  std::set<TokenId> required;
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id)
    if (tokenizer.is_added(id) || (!tokenizer.token(id).empty() && tokenizer.token_bytes(id).size() == 1))
      required.insert(id);
  if (const auto begin = tokenizer.begin_token()) required.insert(*begin);
  const Json& model = json.at("model");
  if (model.contains("unk_token") && model["unk_token"].is_string())
    if (const auto unknown = tokenizer.find(model["unk_token"].get<std::string>())) required.insert(*unknown);
  return {required.begin(), required.end()};
}

std::vector<TokenId> closed_under_merges(const Tokenizer& tokenizer, const std::vector<TokenId>& kept) {
  const Json json = Json::parse(tokenizer.to_json());
  std::unordered_multimap<std::string, std::pair<std::string, std::string>> made_of;
  if (json.at("model").contains("merges"))
    for (const Json& merge : json["model"]["merges"]) {
      std::pair<std::string, std::string> parts = parts_of(merge);
      const std::string whole = parts.first + parts.second;
      made_of.emplace(whole, std::move(parts));
    }
  std::set<TokenId> closed(kept.begin(), kept.end());
  std::vector<TokenId> open = kept;
  while (!open.empty()) {
    const std::string token(tokenizer.token(open.back()));
    open.pop_back();
    for (auto [merge, end] = made_of.equal_range(token); merge != end; ++merge)
      for (const std::string& part : {merge->second.first, merge->second.second})
        if (const auto found = tokenizer.find(part); found && closed.insert(*found).second) open.push_back(*found);
  }
  return {closed.begin(), closed.end()};
}

Tokenizer cut_vocabulary(const Tokenizer& tokenizer, const std::vector<TokenId>& kept) {
  NewIds ids;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] < 0 || (i > 0 && kept[i] <= kept[i - 1]))
      throw std::invalid_argument("kept tokens: expected ids that ascend, found " + std::to_string(kept[i]));
    ids[kept[i]] = static_cast<std::int64_t>(i);
  }
  OrderedJson json = without_dropped(tokenizer, ids);
  OrderedJson& model = json.at("model");
  std::unordered_set<std::string> known;
  for (auto& item : model.at("vocab").items()) {
    known.insert(item.key());
    item.value() = renumbered(ids, item.value(), "vocab");
  }
  if (model.contains("merges")) {
    OrderedJson merges = OrderedJson::array();
    for (const OrderedJson& merge : model["merges"]) {
      const auto [left, right] = parts_of(merge);
      if (known.contains(left) && known.contains(right) && known.contains(left + right)) merges.push_back(merge);
    }
    model["merges"] = std::move(merges);
  }
  OrderedJson added = OrderedJson::array();
  if (json.contains("added_tokens"))
    for (OrderedJson token : json["added_tokens"]) {
      token["id"] = renumbered(ids, token.at("id"), "added_tokens");
      added.push_back(std::move(token));
    }
  json["added_tokens"] = std::move(added);
  if (json.contains("post_processor")) renumber_post_processor(json["post_processor"], ids);
  if (json.contains("padding") && json["padding"].is_object() && json["padding"].contains("pad_id"))
    json["padding"]["pad_id"] = renumbered(ids, json["padding"]["pad_id"], "padding");
  return Tokenizer::parse(json.dump(), "the tokenizer with the kept tokens");
}

}  // namespace retort::text
