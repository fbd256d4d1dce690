// See example_file.h.
#include "task/example_file.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "host/plugin/stop_request.h"
#include "task/chat_row.h"

namespace retort::task {

ExampleFile::ExampleFile(const std::filesystem::path& file, Turns turns, Reject reject)
    : rows_(file), turns_(turns), reject_(std::move(reject)) {}

bool ExampleFile::next(Example& example) {
  for (std::string text; waiting_.empty();) {
    host::throw_if_stop_requested();
    if (!rows_.next(text)) return false;
    read_row(text);
  }
  example = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

void ExampleFile::read_row(const std::string& text) {
  try {
    ReadingNotes notes;
    for (Example& example : examples_of(conversation_from_row(parse_row(text), notes), turns_, notes))
      waiting_.push_back(std::move(example));
    tally_.keep();
    tally_.add(notes);
  } catch (const std::invalid_argument& error) {
    tally_.reject(error.what());
    if (reject_) reject_({rows_.line(), error.what(), text});
  }
}

void LineWriter::add(const std::string& text) {
  constexpr std::size_t piece = std::size_t{1} << 20U;
  held_ += text;
  if (held_.size() >= piece) flush();
}

void LineWriter::flush() {
  host::write_all(descriptor_, held_.data(), held_.size());
  held_.clear();
}

void expect_usable(const std::filesystem::path& file, const RowTally& tally, const std::vector<RejectedRow>& first,
                   double max_rejected_share) {
  if (!tally.exceeds(max_rejected_share)) return;
  std::string message = "'" + file.string() + "': " + std::to_string(tally.rejected()) + " of " +
                        std::to_string(tally.rows()) + " rows cannot be used, more than the allowed share " +
                        nlohmann::json(max_rejected_share).dump();
  for (std::size_t i = 0; i < std::min<std::size_t>(first.size(), 3); ++i)
    message += "; line " + std::to_string(first[i].line) + ": " + first[i].reason;
  throw std::runtime_error(message);
}

std::optional<std::vector<RejectedRow>> pass_on_rows(const std::filesystem::path& from, const std::filesystem::path& to,
                                                     double max_rejected_share) {
  if (!std::filesystem::exists(from)) return std::nullopt;
  std::vector<RejectedRow> rejected;
  ExampleFile rows(from, Turns::last, [&](RejectedRow row) { rejected.push_back(std::move(row)); });
  for (Example example; rows.next(example);) {
  }
  expect_usable(from, rows.tally(), rejected, max_rejected_share);
  host::write_file_atomically(to, [&](int descriptor) {
    LineWriter writer(descriptor);
    if (rejected.empty()) {
      std::ifstream whole(from, std::ios::binary);
      for (std::string piece(std::size_t{1} << 20U, '\0');
           whole.read(piece.data(), std::ssize(piece)), whole.gcount() > 0;)
        writer.add(piece.substr(0, static_cast<std::size_t>(whole.gcount())));
    } else {
      RowFile lines(from);
      auto bad = rejected.begin();
      for (std::string text; lines.next(text);) {
        if (bad != rejected.end() && bad->line == lines.line())
          ++bad;
        else
          writer.add(text + "\n");
      }
    }
    writer.flush();
  });
  return rejected;
}

std::vector<RejectedRow> pass_on_held_out(const std::filesystem::path& from, const std::filesystem::path& to,
                                          double max_rejected_share) {
  std::vector<RejectedRow> rejected;
  for (const std::string name : held_out_files)
    for (const RejectedRow& row :
         pass_on_rows(from / name, to / name, max_rejected_share).value_or(std::vector<RejectedRow>()))
      rejected.push_back({row.line, name + ": " + row.reason, row.text});
  return rejected;
}

}  // namespace retort::task
