// Markdown of model_card.h. Cell text is escaped: utterances and descriptions come from users.
#include "model_card.h"

#include <cstdio>

namespace retort::stages {

namespace {

using Json = nlohmann::json;

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '<' || c == '*' || c == '_') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

/// A word of a shell command, in single quotes.
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c == '\n' ? ' ' : c);
  return out + "'";
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string count(std::int64_t value) {
  const auto number = static_cast<double>(value);
  if (value >= 1'000'000) return formatted("%.2f M", number / 1e6);
  if (value >= 1'000) return formatted("%.1f k", number / 1e3);
  return std::to_string(value);
}

std::string bytes(std::int64_t bytes) {
  return count(bytes) + "B";
}
std::string percent(double share) {
  return formatted("%.2f %%", 100 * share);
}
std::string milliseconds(double value) {
  return formatted("%.2f ms", value);
}

std::string measured_table(const ModelCard& card) {
  std::string out = "## Measured\n\n" + std::to_string(card.report.at("utterances").get<std::int64_t>()) +
                    " utterances of the split \"" + cell(card.report.at("split").get<std::string>()) + "\" of \"" +
                    cell(card.report.at("dataset").get<std::string>()) +
                    "\"; exact match: the same calls in the same order with equal arguments; latency of a whole call "
                    "on the machine that evaluated it.\n\n"
                    "| model | parameters | weights | exact match | malformed | p50 | p90 | p99 |\n"
                    "|---|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const Json& model : card.report.at("models")) {
    const std::string name = model.at("name");
    out += "| " + (name == card.name ? "**" + cell(name) + "** (this model)" : cell(name)) + " | " +
           count(model.at("parameters")) + " | " + bytes(model.at("bytes")) + " | " + percent(model.at("exact_match")) +
           " | " + percent(model.at("malformed")) + " | " + milliseconds(model.at("p50_ms")) + " | " +
           milliseconds(model.at("p90_ms")) + " | " + milliseconds(model.at("p99_ms")) + " |\n";
  }
  return out + "\n";
}

std::string arguments_of(const task::Tool& tool) {
  std::string out;
  if (const auto properties = tool.parameters.find("properties");
      properties != tool.parameters.end() && properties->is_object())
    for (const auto& property : properties->items()) out += (out.empty() ? "" : ", ") + cell(property.key());
  return out;
}

std::string tools_table(const ModelCard& card) {
  std::string out = "## Tools\n\n| tool | arguments | description |\n|---|---|---|\n";
  for (const task::Tool& tool : card.tools)
    out += "| " + cell(tool.name) + " | " + arguments_of(tool) + " | " + cell(tool.description) + " |\n";
  return out + "\n";
}

std::string lineage_list(const ModelCard& card) {
  if (card.lineage.empty()) return "";
  std::string out = "## Lineage\n\nNewest first; `retort.json` has the hashes.\n\n";
  for (const Json& step : card.lineage)
    out += "- " + cell(step.value("stage", "")) + " (" + cell(step.value("kind", "")) + ", by " +
           cell(step.value("/producer/component"_json_pointer, std::string("?"))) + ")\n";
  return out + "\n";
}

}  // namespace

std::string to_markdown(const ModelCard& card) {
  std::string out =
      "---\npipeline_tag: text-generation\ntags:\n- function-calling\n- retort\n---\n\n# " + cell(card.title) + "\n\n" +
      "A function-calling model: " + card.architecture + ", " + count(card.parameters) + " parameters, " +
      bytes(card.bytes) + " of weights (" + cell(card.weights) + "). It answers an utterance with calls of " +
      std::to_string(card.tools.size()) + (card.tools.size() == 1 ? " tool" : " tools") + ", or with none.\n\n" +
      "## Use\n\nIn this folder:\n\n```sh\nretort call . " + shell_quoted(card.example_utterance) + "\n```\n\n" +
      "`config.json`, `*.safetensors` and `tokenizer.json` are a standard Hugging Face folder" +
      (card.quantized ? " with a `compressed-tensors` quantization" : "") +
      (card.architecture.starts_with("Prefix")
           ? ", of a family of Retort's own: it reads prompts in both directions, which no other program computes"
           : "") +
      "; `retort.json` holds the task (tools and prompt format), the lineage, what was measured, and golden calls to "
      "check an installation against.\n\n";
  if (!card.report.is_null()) out += measured_table(card);
  if (!card.verdict.empty())
    out += "\nThat the runtime computes what was trained is " +
           (card.verdict == "proved" ? "proved" : "not proved; the proof " + cell(card.verdict)) + ".\n";
  out += tools_table(card) + lineage_list(card);
  out.pop_back();
  return out;
}

}  // namespace retort::stages
