// See data_pass.h.
#include "data/data_pass.h"

#include "data/chat_formats.h"
#include "task/dataset.h"

namespace retort::data {
namespace {

constexpr std::int64_t rows_between_reports = 1024;

std::filesystem::path folder_around(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) ? path : path.parent_path();
}

}  // namespace

DataPass::DataPass(const std::filesystem::path& from, const std::filesystem::path& to, const RowProgress& progress)
    : from_(from), to_(to), files_(data_files(from)), writer_(to), progress_(progress) {}

std::vector<task::Tool> DataPass::shared_tools() const {
  const std::filesystem::path file = folder_around(from_) / "tools.json";
  return std::filesystem::exists(file) ? task::read_tools(file) : std::vector<task::Tool>();
}

void DataPass::add_llama_factory_info(bool ranking) {
  std::vector<std::string> splits;
  for (const DataFile& file : files_) splits.push_back(file.split);
  const std::string name = std::filesystem::absolute(to_).lexically_normal().filename().string();
  writer_.add("dataset_info.json", llama_factory_info(name, splits, ranking).dump(2) + "\n");
}

JobReport DataPass::run(const std::function<void(DataRow& row)>& decide) {
  for_each_row(files_, report_.notes, [&](DataRow& row) {
    if (++report_.read % rows_between_reports == 0 && progress_) progress_(report_.read);
    if (!row.reason.empty()) {
      ++report_.unusable;
      writer_.reject(row, row.reason);
    } else {
      decide(row);
    }
  });
  writer_.copy(folder_around(from_) / "tools.json");
  writer_.finish();
  return std::move(report_);
}

void DataPass::keep(const std::string& split, const std::string& text) {
  ++report_.kept;
  ++report_.splits[split];
  writer_.keep(split, text);
}

void DataPass::remove(const DataRow& row, const std::string& kind, const std::string& reason) {
  ++report_.removed[kind];
  writer_.reject(row, reason);
}

}  // namespace retort::data
