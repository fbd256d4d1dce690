// One pass over each file: read, check, choose a split, write.
#include "import_chat.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <utility>

#include "data/text_hash.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "task/chat_row.h"
#include "task/dataset.h"

namespace retort::stages {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using task::Conversation;

constexpr SplitName all_splits[] = {SplitName::train, SplitName::validation, SplitName::test};

const char* file_of(SplitName split) {
  if (split == SplitName::train) return "train.jsonl";
  return split == SplitName::validation ? "validation.jsonl" : "test.jsonl";
}

struct Source {
  fs::path file;
  SplitName split = SplitName::train;
};

std::vector<fs::path> jsonl_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Train first, so that the other splits can be compared with it.
std::vector<Source> sources_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {{path, SplitName::train}};
  std::vector<Source> sources;
  for (const SplitName split : all_splits)
    if (fs::exists(path / file_of(split))) sources.push_back({path / file_of(split), split});
  if (!sources.empty() && sources.front().split == SplitName::train) return sources;
  const std::vector<fs::path> files = jsonl_files(path);
  if (sources.empty() && files.size() == 1) return {{files.front(), SplitName::train}};
  std::string found;
  for (const fs::path& file : files) found += (found.empty() ? "" : ", ") + file.filename().string();
  throw std::invalid_argument("'" + path.string() + "': expected train.jsonl, or one JSONL file, found " +
                              (found.empty() ? "none" : found));
}

/// A file that is written line by line; without a folder nothing is.
class Lines {
 public:
  Lines(const fs::path& folder, const std::string& name) : path_(folder / name) {
    if (folder.empty()) return;
    stream_.open(path_, std::ios::binary);
    expect_good();
  }
  void write(const std::string& line) {
    if (!stream_.is_open()) return;
    stream_ << line;
    if (!stream_) expect_good();
  }
  void close() {
    if (!stream_.is_open()) return;
    stream_.close();
    expect_good();
  }

 private:
  void expect_good() const {
    if (!stream_) throw std::runtime_error("cannot write '" + path_.string() + "'");
  }
  fs::path path_;
  std::ofstream stream_;
};

std::uint64_t words_of(const Conversation& conversation) {
  std::string text;
  for (const task::Message& message : conversation.messages)
    if (message.role == task::Role::user) text += message.content + '\n';
  return data::text_hash(text);
}

class Importer {
 public:
  explicit Importer(const ImportChatOptions& options)
      : options_(options),
        sources_(sources_of(options.path)),
        choice_(missing_shares(), options.seed),
        rejected_(options.output, "rejected.jsonl") {
    for (const SplitName split : all_splits) outputs_.try_emplace(split, options.output, file_of(split));
    const fs::path folder = fs::is_directory(options.path) ? options.path : options.path.parent_path();
    shared_tools_ = options.tools;
    if (!shared_tools_ && fs::exists(folder / "tools.json"))
      shared_tools_ = std::make_shared<const std::vector<task::Tool>>(task::read_tools(folder / "tools.json"));
    if (!shared_tools_) return;
    for (const task::Tool& tool : *shared_tools_) tools_.emplace(tool.name, tool);
  }

  ImportedChat run() {
    for (const Source& source : sources_) read(source);
    result_.tools = tools_.size();
    if (result_.tally().kept() == 0)
      throw std::invalid_argument("'" + options_.path.string() + "': expected chat rows, found none");
    if (labelled_test_ > 0 && result_.impossible_test == labelled_test_)
      throw std::invalid_argument("'" + options_.path.string() + "': none of the " + std::to_string(labelled_test_) +
                                  " labels of test can be made with the tools; the first: " + first_impossible_);
    for (auto& [split, lines] : outputs_) lines.close();
    rejected_.close();
    if (!options_.output.empty()) write_tools();
    return std::move(result_);
  }

 private:
  /// A split with a file of its own takes nothing from train.
  SplitShares missing_shares() const {
    SplitShares shares = options_.shares;
    for (const Source& source : sources_) {
      if (source.split == SplitName::validation) shares.validation = 0;
      if (source.split == SplitName::test) shares.test = 0;
    }
    return shares;
  }

  void read(const Source& source) {
    constexpr std::int64_t rows_between_reports = 1024;
    task::RowFile rows(source.file);
    const std::string name = source.file.filename().string();
    task::RowTally& tally = result_.files[name];
    for (std::string text; rows.next(text);) {
      if (options_.first_rows > 0 && tally.rows() >= options_.first_rows) break;
      try {
        task::ReadingNotes notes;
        take(source, task::conversation_from_row(task::parse_row(text), notes));
        tally.keep();
        tally.add(notes);
      } catch (const std::invalid_argument& error) {
        tally.reject(error.what());
        rejected_.write(task::to_line(task::RejectedRow{rows.line(), name + ": " + error.what(), text}));
        if (first_rejected_.empty()) first_rejected_ = "line " + std::to_string(rows.line()) + ": " + error.what();
      }
      if (options_.progress && tally.rows() % rows_between_reports == 0) options_.progress(tally.rows());
    }
    if (tally.exceeds(options_.max_rejected_share))
      throw std::runtime_error("'" + source.file.string() + "': " + std::to_string(tally.rejected()) + " of " +
                               std::to_string(tally.rows()) + " rows cannot be used, more than max_rejected_share " +
                               json(options_.max_rejected_share).dump() + " allows: " + tally.commonest() +
                               "; the first, " + first_rejected_);
    first_rejected_.clear();
  }

  void take(const Source& source, const Conversation& conversation) {
    const task::ToolSet tools = conversation.tools ? conversation.tools : shared_tools_;
    if (!tools) throw std::invalid_argument("row: expected the key \"tools\", as no tools.json stands beside the rows");
    const std::optional<std::string> invalid = invalid_call(conversation, *tools);
    const bool labelled = conversation.messages.back().role == task::Role::assistant;
    const SplitName split = split_of(source, conversation, labelled);
    if (invalid && split != SplitName::test) throw std::invalid_argument("row: " + *invalid);
    if (conversation.tools) collect(*conversation.tools);
    ++result_.rows[split];
    if (!labelled) ++result_.unlabelled[split];
    if (split == SplitName::test) count_test(conversation, invalid);
    outputs_.at(split).write(task::to_line(task::to_row(conversation)));
  }

  static std::optional<std::string> invalid_call(const Conversation& conversation,
                                                 const std::vector<task::Tool>& tools) {
    for (std::size_t i = 0; i < conversation.messages.size(); ++i)
      for (const task::IdentifiedCall& call : conversation.messages[i].tool_calls)
        if (auto reason = task::invalid_reason(call.call, tools))
          return "/messages/" + std::to_string(i) + ": " + *reason;
    return std::nullopt;
  }

  /// Rows with the same words stay together; unlabelled ones are for training, where a teacher labels them.
  SplitName split_of(const Source& source, const Conversation& conversation, bool labelled) {
    const std::uint64_t words = words_of(conversation);
    const auto known = known_.find(words);
    if (source.split != SplitName::train) {
      if (known == SplitName::train) ++result_.held_out_in_train;
      return source.split;
    }
    const SplitName split = known ? *known : labelled ? choice_.next(data::stratum_of(conversation)) : SplitName::train;
    if (!known) known_.put(words, split);
    return split;
  }

  void count_test(const Conversation& conversation, const std::optional<std::string>& invalid) {
    const bool calls = std::any_of(conversation.messages.begin(), conversation.messages.end(),
                                   [](const task::Message& message) { return !message.tool_calls.empty(); });
    labelled_test_ += calls ? 1 : 0;
    if (!invalid) return;
    ++result_.impossible_test;
    if (first_impossible_.empty()) first_impossible_ = *invalid;
  }

  void collect(const std::vector<task::Tool>& tools) {
    for (const task::Tool& tool : tools) {
      const auto [place, added] = tools_.emplace(tool.name, tool);
      if (!added && !(place->second == tool)) ++result_.other_definitions[tool.name];
    }
  }

  void write_tools() const {
    std::vector<task::Tool> tools = shared_tools_ ? *shared_tools_ : std::vector<task::Tool>();
    for (const auto& [name, tool] : tools_)
      if (std::none_of(tools.begin(), tools.end(), [&](const task::Tool& known) { return known.name == tool.name; }))
        tools.push_back(tool);
    host::write_json(options_.output / "tools.json", task::tools_to_json(tools));
  }

  const ImportChatOptions& options_;
  std::vector<Source> sources_;
  data::StratifiedChoice choice_;
  std::map<SplitName, Lines> outputs_;
  Lines rejected_;
  task::ToolSet shared_tools_;
  std::map<std::string, task::Tool> tools_;  ///< all that were named
  data::KnownTexts known_;
  std::int64_t labelled_test_ = 0;
  std::string first_rejected_, first_impossible_;
  ImportedChat result_;
};

}  // namespace

task::RowTally ImportedChat::tally() const {
  task::RowTally all;
  for (const auto& [file, tally] : files) all.add(tally);
  return all;
}

ImportedChat import_chat(const ImportChatOptions& options) {
  return Importer(options).run();
}

}  // namespace retort::stages
