// What stands around a probe's name and arguments is the envelope.
#include "task/template_envelope.h"

#include <stdexcept>
#include <utility>

namespace retort::task {
namespace {

using Json = nlohmann::json;

struct Places {
  std::string before_name, before_arguments, behind;
  JsonSpacing spacing = JsonSpacing::spaced;
};

/// Where the call's name and arguments stand in `text`.
std::optional<Places> places_of(const std::string& text, const Call& call) {
  const std::size_t name = text.find(call.name);
  if (name == std::string::npos) return std::nullopt;
  const std::string compact = R"({"first":1,"second":[2,3]})", spaced = R"({"first": 1, "second": [2, 3]})";
  for (const auto& [arguments, spacing] :
       {std::pair(spaced, JsonSpacing::spaced), std::pair(compact, JsonSpacing::compact)}) {
    const std::size_t at = text.find(arguments, name);
    if (at == std::string::npos) continue;
    const std::size_t behind_name = name + call.name.size();
    return Places{text.substr(0, name), text.substr(behind_name, at - behind_name), text.substr(at + arguments.size()),
                  spacing};
  }
  return std::nullopt;
}

/// Added tokens by their id, everything else as bytes.
EnvelopeParts parts_of(const text::Tokenizer& tokenizer, const std::string& text) {
  EnvelopeParts parts;
  for (const text::TokenId id : tokenizer.encode(text, text::Tokenizer::Special::parse)) {
    if (tokenizer.is_added(id))
      parts.push_back({"", id});
    else if (parts.empty() || parts.back().token >= 0)
      parts.push_back({tokenizer.token_bytes(id)});
    else
      parts.back().text += tokenizer.token_bytes(id);
  }
  return parts;
}

}  // namespace

CallEnvelope template_envelope(
    const text::Tokenizer& tokenizer, const std::vector<Tool>& tools, text::TokenId end,
    const std::function<std::optional<std::string>(const std::vector<Call>& calls)>& answer_text) {
  const Call call{"probe_of_names", Json{{"first", 1}, {"second", {2, 3}}}};
  const auto one = answer_text({call});
  const auto places = one ? places_of(*one, call) : std::nullopt;
  if (!places)
    throw std::invalid_argument(
        "the chat template writes calls in a way that no grammar is made for: expected a name and arguments as JSON, "
        "found " +
        one.value_or("nothing"));
  CallEnvelope envelope;
  envelope.ends = {end};
  envelope.style.spacing = places->spacing;
  envelope.text = EnvelopeText::before_or_instead_of_calls;
  envelope.most_calls = 1;
  const auto two = answer_text({call, call});
  const std::string begin = places->before_name;
  if (two && two->starts_with(*one) && two->size() >= 2 * one->size()) {
    envelope.most_calls = 16;
    envelope.between_calls = parts_of(tokenizer, two->substr(one->size(), two->size() - 2 * one->size()));
  }
  for (const Tool& tool : tools) {
    ToolEnvelope& known = envelope.tools.emplace_back();
    known.name = tool.name;
    known.parameters = tool.parameters;
    known.before = parts_of(tokenizer, begin + tool.name + places->before_arguments);
    known.after = parts_of(tokenizer, places->behind);
  }
  return envelope;
}

}  // namespace retort::task
