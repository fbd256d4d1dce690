// The rows of a data set wherever it lies: one JSONL file, or a folder with a file a split. Rows keep their bytes, so
// that what is passed on is what was there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

struct DataFile {
  std::filesystem::path path;
  std::string split;  ///< the file's name without its ending
};

/// A file alone, or a folder's JSONL files: train, validation, test, then others by name; rejected.jsonl is none of
/// them. Throws std::invalid_argument where there is nothing.
std::vector<DataFile> data_files(const std::filesystem::path& path);

struct DataRow {
  std::string split;
  std::int64_t line = 0;  ///< 1-based
  std::string text;       ///< as it stands in the file, without its line feed
  task::Conversation conversation;
  std::string reason;  ///< why it cannot be used; "" where it can
};

/// Every row of the files, in their order. `row` may throw to stop; `notes` counts what reading changed. Throws
/// std::runtime_error for a file that cannot be read.
void for_each_row(const std::vector<DataFile>& files, task::ReadingNotes& notes,
                  const std::function<void(DataRow& row)>& take);

/// The rows of a rejected.jsonl ({"line", "reason", "text"}) with the split that the reason names, "rejected" where it
/// names none; the conversation is there where the text still holds one.
void for_each_rejected(const std::filesystem::path& file, const std::function<void(DataRow& row)>& take);

/// What a row's last answer is: the calls as canonical text, "" for none, nothing for an unlabelled row.
std::string answer_text(const task::Conversation& conversation);
bool labelled(const task::Conversation& conversation);

}  // namespace retort::data
