// Files under the unfinished name, renamed when all is written.
#include "data/data_writer.h"

#include <stdexcept>
#include <system_error>

#include "host/base/files.h"
#include "task/dataset.h"

namespace retort::data {

namespace fs = std::filesystem;

DataWriter::DataWriter(const fs::path& folder) : folder_(folder), part_(folder.string() + ".part") {
  if (fs::exists(folder_))
    throw std::invalid_argument("'" + folder_.string() + "': expected a folder that is not there yet, found one");
  std::error_code error;
  if (part_.has_parent_path()) fs::create_directories(part_.parent_path(), error);
  const bool made = !error && fs::create_directory(part_, error);
  if (error) throw std::runtime_error("cannot make '" + part_.string() + "': " + error.message());
  if (!made)
    throw std::invalid_argument("'" + part_.string() +
                                "': expected nothing there, found what another command writes or "
                                "left when it was killed; remove it if none is running");
}

DataWriter::~DataWriter() {
  if (finished_) return;
  streams_.clear();
  std::error_code ignored;
  fs::remove_all(part_, ignored);
}

std::ofstream& DataWriter::stream(const std::string& name) {
  const auto [found, fresh] = streams_.try_emplace(name);
  if (fresh) found->second.open(part_ / name, std::ios::binary);
  if (!found->second) throw std::runtime_error("cannot write '" + (part_ / name).string() + "'");
  return found->second;
}

void DataWriter::keep(const std::string& split, const std::string& text) {
  stream(split + ".jsonl") << text << '\n';
}

void DataWriter::reject(const DataRow& row, const std::string& reason) {
  stream("rejected.jsonl") << task::to_line(task::RejectedRow{row.line, row.split + ": " + reason, row.text});
}

void DataWriter::copy(const fs::path& file) {
  if (fs::exists(file)) add(file.filename().string(), host::read_file(file));
}

void DataWriter::add(const std::string& name, const std::string& content) {
  stream(name) << content;
}

void DataWriter::finish() {
  for (auto& [name, file] : streams_) {
    file.close();
    if (!file) throw std::runtime_error("cannot write '" + (part_ / name).string() + "'");
  }
  fs::rename(part_, folder_);
  finished_ = true;
}

}  // namespace retort::data
