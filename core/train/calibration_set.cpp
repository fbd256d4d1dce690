#include "train/calibration_set.h"

#include <stdexcept>

#include "model/model_folder.h"
#include "task/dataset.h"

namespace retort::train {

TaskFiles load_task_files(const std::filesystem::path& folder) {
  const model::ModelFolder opened(folder);
  if (!opened.retort().contains("task"))
    throw std::invalid_argument((folder / "retort.json").string() +
                                ": expected the task under \"task\", found none: this folder was not made by a Retort "
                                "stage");
  return {text::Tokenizer::load(folder / "tokenizer.json"),
          task::PromptContract::from_json(opened.retort().at("task"), (folder / "retort.json").string())};
}

std::vector<Sequence> calibration_sequences(const std::optional<std::filesystem::path>& dataset, const TaskFiles& task,
                                            std::int64_t max_positions, const std::string& whose) {
  if (!dataset) throw std::invalid_argument(whose + " wants calibration data: give the stage the input \"dataset\"");
  std::vector<Sequence> sequences =
      to_sequences(retort::task::read_split(*dataset / "train.jsonl", 0.01, retort::task::Turns::all).examples,
                   task.contract, task.tokenizer, max_positions);
  if (sequences.empty())
    throw std::invalid_argument((*dataset / "train.jsonl").string() + ": " + whose +
                                " wants calibration data, found no rows");
  return sequences;
}

}  // namespace retort::train
