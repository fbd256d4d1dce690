// See data_import.h.
#include "data/data_import.h"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "data/data_writer.h"
#include "data/tool_derivation.h"
#include "host/base/json.h"
#include "task/chat_row.h"

namespace retort::data {
namespace {

using nlohmann::json;

constexpr std::int64_t rows_between_looks = 1024;

std::optional<std::string> impossible_call(const task::Conversation& conversation,
                                           const std::vector<task::Tool>& tools) {
  for (std::size_t i = 0; i < conversation.messages.size(); ++i)
    for (const task::IdentifiedCall& call : conversation.messages[i].tool_calls)
      if (auto reason = task::invalid_reason(call.call, tools))
        return "/messages/" + std::to_string(i) + ": " + *reason;
  return std::nullopt;
}

class Import {
 public:
  Import(const SourceOptions& source, const std::filesystem::path& to, const RowProgress& progress)
      : source_(source), writer_(to), progress_(progress), shared_(source.tools) {}

  ImportReport run() {
    if (shared_.empty() && (source_.shared_tools || source_.format != SourceFormat::sgd)) derive();
    for_each_source_row(
        source_,
        [&](const SourcePlace& place, const std::string& text, const auto& convert) { take(place, text, convert); },
        [&](const std::string& what) { ++report_.passed_over[what]; });
    if (report_.read == 0)
      throw std::invalid_argument("'" + source_.path.string() + "': expected rows, found none" +
                                  (report_.passed_over.empty() ? "" : "; all that it holds was passed over"));
    for (const auto& [name, tool] : own_)
      if (std::none_of(shared_.begin(), shared_.end(),
                       [&](const task::Tool& known) { return known.name == tool.name; }))
        shared_.push_back(tool);
    report_.tools = shared_.size();
    writer_.add("tools.json", task::tools_to_json(shared_).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
    writer_.finish();
    return std::move(report_);
  }

 private:
  void look() {
    if (++looked_ % rows_between_looks == 0 && progress_) progress_(looked_);
  }

  void derive() {
    ToolDerivation derivation;
    ToolUnion joined;
    std::map<std::string, std::int64_t> read;
    bool wanted = false;
    for_each_source_row(
        source_,
        [&](const SourcePlace& place, const std::string&, const auto& convert) {
          look();
          if (place.split == "test" || (source_.first_rows > 0 && ++read[place.split] > source_.first_rows)) return;
          try {
            task::ReadingNotes ignored;
            const task::Conversation conversation = task::conversation_from_row(convert(), ignored);
            if (conversation.tools) {
              if (source_.shared_tools) joined.take(conversation.tools);
              return;
            }
            wanted = true;
            for (const task::Message& message : conversation.messages)
              for (const task::IdentifiedCall& call : message.tool_calls) derivation.take(call.call);
          } catch (const std::invalid_argument&) {  // the second pass says so
          }
        },
        [](const std::string&) {});
    if (wanted) shared_ = derivation.tools();
    report_.derived = !shared_.empty();
    for (task::Tool& tool : joined.tools())
      if (std::none_of(shared_.begin(), shared_.end(),
                       [&](const task::Tool& known) { return known.name == tool.name; }))
        shared_.push_back(std::move(tool));
  }

  void take(const SourcePlace& place, const std::string& text, const std::function<json()>& convert) {
    look();
    if (source_.first_rows > 0 && read_of_[place.split] >= source_.first_rows) return;
    ++read_of_[place.split];
    ++report_.read;
    try {
      task::ReadingNotes notes;
      task::Conversation conversation = task::conversation_from_row(convert(), notes);
      if (source_.shared_tools) conversation.tools = nullptr;
      if (report_.derived && !conversation.tools)
        if (const std::int64_t lists = with_lists(conversation, shared_); lists > 0)
          notes.conversions["single values of lists"] += lists;
      check(place, conversation);
      report_.notes.add(notes);
      ++report_.kept;
      ++report_.splits[place.split];
      writer_.keep(place.split, task::to_row(conversation).dump(-1, ' ', false, json::error_handler_t::replace));
    } catch (const std::invalid_argument& error) {
      ++report_.unusable;
      DataRow row;
      row.split = place.file;
      row.line = place.line;
      row.text = text;
      writer_.reject(row, error.what());
    }
  }

  void check(const SourcePlace& place, const task::Conversation& conversation) {
    const std::optional<std::string> impossible =
        impossible_call(conversation, conversation.tools ? *conversation.tools : shared_);
    if (impossible && place.split != "test") throw std::invalid_argument("row: " + *impossible);
    if (impossible) ++report_.impossible_test;
    if (!conversation.tools || conversation.tools == last_tools_) return;
    last_tools_ = conversation.tools;
    for (const task::Tool& tool : *conversation.tools) own_.emplace(tool.name, tool);
  }

  const SourceOptions& source_;
  DataWriter writer_;
  const RowProgress& progress_;
  std::vector<task::Tool> shared_;
  std::map<std::string, task::Tool> own_;  ///< of rows, the first of each name
  task::ToolSet last_tools_;
  std::int64_t looked_ = 0;
  std::map<std::string, std::int64_t> read_of_;  ///< rows of each split
  ImportReport report_;
};

}  // namespace

ImportReport import_rows(const SourceOptions& source, const std::filesystem::path& to, const RowProgress& progress) {
  return Import(source, to, progress).run();
}

}  // namespace retort::data
