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
