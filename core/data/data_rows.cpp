// Finds the files, reads rows with the reader of all stages.
#include "data/data_rows.h"

#include <algorithm>
#include <stdexcept>

#include "task/chat_row.h"
#include "task/row_file.h"

namespace retort::data {

namespace fs = std::filesystem;

std::vector<DataFile> data_files(const fs::path& path) {
  if (!fs::exists(path))
    throw std::invalid_argument("'" + path.string() + "': expected a JSONL file or a folder of them, found nothing");
  if (!fs::is_directory(path)) return {{path, path.stem().string()}};
  std::vector<DataFile> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".jsonl" && entry.path().filename() != "rejected.jsonl")
      files.push_back({entry.path(), entry.path().stem().string()});
  if (files.empty())
    throw std::invalid_argument("'" + path.string() + "': expected train.jsonl or other JSONL files, found none");
  const auto rank = [](const std::string& split) {
    return split == "train" ? 0 : split == "validation" ? 1 : split == "test" ? 2 : 3;
  };
  std::sort(files.begin(), files.end(), [&](const DataFile& a, const DataFile& b) {
    return std::pair(rank(a.split), a.split) < std::pair(rank(b.split), b.split);
  });
  return files;
}

void for_each_row(const std::vector<DataFile>& files, task::ReadingNotes& notes,
                  const std::function<void(DataRow& row)>& take) {
  for (const DataFile& file : files) {
    task::RowFile lines(file.path);
    DataRow row;
    while (lines.next(row.text)) {
      if (row.text.ends_with('\r')) row.text.pop_back();
      row.split = file.split;
      row.line = lines.line();
      row.reason.clear();
      try {
        task::ReadingNotes changed;
        row.conversation = task::conversation_from_row(task::parse_row(row.text), changed);
        notes.add(changed);
      } catch (const std::invalid_argument& error) {
        row.conversation = {};
        row.reason = error.what();
      }
      take(row);
    }
  }
}

void for_each_rejected(const fs::path& file, const std::function<void(DataRow& row)>& take) {
  task::RowFile lines(file);
  for (std::string text; lines.next(text);) {
    DataRow row;
    const nlohmann::json one = nlohmann::json::parse(text, nullptr, false);
    const auto text_of = [&](const char* key, const std::string& otherwise) {
      return one.is_object() && one.contains(key) && one[key].is_string() ? one[key].get<std::string>() : otherwise;
    };
    row.reason = text_of("reason", "no reason");
    row.text = text_of("text", text);
    row.line = one.is_object() && one.contains("line") && one["line"].is_number_integer()
                   ? one["line"].get<std::int64_t>()
                   : lines.line();
    const std::size_t colon = row.reason.find(": ");
    std::string split = row.reason.substr(0, colon == std::string::npos ? 0 : colon);
    if (split.ends_with(".jsonl")) split.erase(split.size() - 6);
    const bool named = split == "train" || split == "validation" || split == "test";
    row.split = named ? split : "rejected";
    if (named) row.reason.erase(0, colon + 2);
    try {
      task::ReadingNotes ignored;
      row.conversation = task::conversation_from_row(task::parse_row(row.text), ignored);
    } catch (const std::invalid_argument&) {
      row.conversation = {};  // the text is shown
    }
    take(row);
  }
}

bool labelled(const task::Conversation& conversation) {
  return !conversation.messages.empty() && conversation.messages.back().role == task::Role::assistant;
}

std::string answer_text(const task::Conversation& conversation) {
  if (!labelled(conversation)) return "";
  const task::Message& answer = conversation.messages.back();
  if (answer.tool_calls.empty()) return answer.content;
  return task::calls_to_json(task::calls_of(answer)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace retort::data
