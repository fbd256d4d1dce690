// See preference_pairs.h. Forms: platform.openai.com "Direct preference optimization"; TRL "Dataset formats"; axolotl
// "RLHF"; LLaMA-Factory data/README.md.
#include "data/preference_pairs.h"

#include <stdexcept>
#include <unordered_map>

#include "data/data_pass.h"
#include "data/text_hash.h"

namespace retort::data {
namespace {

using nlohmann::json;

/// The messages before the answer, by their text.
std::uint64_t hash_of_question(const task::Conversation& conversation) {
  std::uint64_t hash = text_hash("");
  for (std::size_t i = 0; i + 1 < conversation.messages.size(); ++i) {
    json message = task::to_json(conversation.messages[i]);
    message.erase("weight");
    hash = text_hash(message.dump(-1, ' ', false, json::error_handler_t::replace), hash);
  }
  return hash;
}

bool same_answer(const task::Message& a, const task::Message& b) {
  return a.content == b.content && task::calls_of(a) == task::calls_of(b);
}

/// Its readers of pairs (prompt_strategies/dpo) keep "role" and "content" of a message and drop calls and tools unsaid:
/// two answers that differ in their calls would be the same.
void expect_texts(const task::Conversation& better, const task::Message& worse) {
  const auto refuse = [](const std::string& place) {
    throw std::invalid_argument(place + "/tool_calls: expected texts, as axolotl's pairs lose calls; trl's keep them");
  };
  for (std::size_t i = 0; i < better.messages.size(); ++i)
    if (!better.messages[i].tool_calls.empty()) refuse("/messages/" + std::to_string(i));
  if (!worse.tool_calls.empty()) refuse("/rejected");
}

}  // namespace

json pair_in_format(const task::Conversation& better, const task::Message& worse, const std::vector<task::Tool>& tools,
                    ChatFormat format) {
  task::Conversation other = better;
  other.messages.back() = worse;
  json chosen = in_format(better, tools, format), rejected = in_format(other, tools, format);
  if (format == ChatFormat::llama_factory) {
    chosen["chosen"] = chosen["conversations"].back();
    chosen["rejected"] = rejected["conversations"].back();
    chosen["conversations"].erase(chosen["conversations"].size() - 1);
    return chosen;
  }
  if (format == ChatFormat::axolotl) expect_texts(better, worse);
  json messages = chosen["messages"];
  const json good = messages.back(), bad = rejected["messages"].back();
  messages.erase(messages.size() - 1);
  if (format == ChatFormat::openai)
    return {{"input", {{"messages", messages}, {"tools", chosen["tools"]}, {"parallel_tool_calls", true}}},
            {"preferred_output", json::array({good})},
            {"non_preferred_output", json::array({bad})}};
  if (format == ChatFormat::axolotl)
    return {{"messages", messages}, {"chosen", good}, {"rejected", bad}, {"tools", chosen["tools"]}};
  return {{"prompt", messages},
          {"chosen", json::array({good})},
          {"rejected", json::array({bad})},
          {"tools", chosen["tools"]}};
}

JobReport export_pairs(const std::filesystem::path& from, const std::filesystem::path& worse,
                       const std::filesystem::path& to, ChatFormat format, const RowProgress& progress) {
  std::unordered_map<std::uint64_t, std::vector<task::Message>> answers;
  task::ReadingNotes ignored;
  for_each_row(data_files(worse), ignored, [&](DataRow& row) {
    if (row.reason.empty() && labelled(row.conversation))
      answers[hash_of_question(row.conversation)].push_back(row.conversation.messages.back());
  });
  DataPass pass(from, to, progress);
  const std::vector<task::Tool> shared = pass.shared_tools();
  if (format == ChatFormat::llama_factory) pass.add_llama_factory_info(true);
  return pass.run([&](DataRow& row) {
    if (!labelled(row.conversation)) return pass.remove(row, "unlabelled", "expected an answer, found none");
    const auto known = answers.find(hash_of_question(row.conversation));
    std::size_t pairs = 0;
    for (std::size_t i = 0; known != answers.end() && i < known->second.size(); ++i) {
      const task::Message& other = known->second[i];
      if (same_answer(other, row.conversation.messages.back())) continue;
      try {
        const json pair =
            pair_in_format(row.conversation, other, row.conversation.tools ? *row.conversation.tools : shared, format);
        pass.keep(row.split, pair.dump(-1, ' ', false, json::error_handler_t::replace));
        ++pairs;
      } catch (const std::invalid_argument& error) {
        return pass.remove(row, "no place in the format", error.what());
      }
    }
    if (pairs == 0) pass.remove(row, "no worse answer", "no other answer to the same messages");
  });
}

}  // namespace retort::data
