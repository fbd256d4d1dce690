// Each job reads all rows once, in order, and writes what it keeps.
#include "data/data_jobs.h"

#include <stdexcept>
#include <unordered_set>

#include "data/contamination.h"
#include "data/data_rows.h"
#include "data/data_writer.h"
#include "data/near_duplicates.h"
#include "data/text_hash.h"
#include "data/text_words.h"
#include "task/dataset.h"

namespace retort::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t rows_between_reports = 1024;

fs::path folder_of(const fs::path& path) {
  return fs::is_directory(path) ? path : path.parent_path();
}

/// One job: its files, its output and what became of the rows.
class Job {
 public:
  Job(const fs::path& from, const fs::path& to, const RowProgress& progress)
      : from_(from), files_(data_files(from)), writer_(to), progress_(progress) {}

  const std::vector<DataFile>& files() const { return files_; }
  DataWriter& writer() { return writer_; }

  /// Calls `decide` for rows that can be used.
  JobReport run(const std::function<void(DataRow& row)>& decide) {
    for_each_row(files_, report_.notes, [&](DataRow& row) {
      if (++report_.read % rows_between_reports == 0 && progress_) progress_(report_.read);
      if (!row.reason.empty()) {
        ++report_.unusable;
        writer_.reject(row, row.reason);
      } else {
        decide(row);
      }
    });
    writer_.copy(folder_of(from_) / "tools.json");
    writer_.finish();
    return std::move(report_);
  }
  void keep(const std::string& split, const std::string& text) {
    ++report_.kept;
    ++report_.splits[split];
    writer_.keep(split, text);
  }
  void remove(const DataRow& row, const std::string& kind, const std::string& reason) {
    ++report_.removed[kind];
    writer_.reject(row, reason);
  }

 private:
  fs::path from_;
  std::vector<DataFile> files_;
  DataWriter writer_;
  const RowProgress& progress_;
  JobReport report_;
};

std::string percent(double share) {
  return std::to_string(static_cast<int>(100 * share + 0.5)) + " %";
}

}  // namespace

JobReport remove_duplicates(const fs::path& from, const fs::path& to, double similarity, bool any_answer,
                            const RowProgress& progress) {
  Job job(from, to, progress);
  NearDuplicates near(similarity);
  std::unordered_set<std::uint64_t> said;
  std::vector<std::int64_t> lines;  // of the kept sets
  return job.run([&](DataRow& row) {
    const std::uint64_t group =
        text_hash(any_answer ? "" : answer_text(row.conversation) + (labelled(row.conversation) ? "1" : "0"),
                  text_hash(row.split));
    const std::vector<std::string> words = words_of(row.conversation);
    if (!said.insert(hash_of(words, 0, words.size()) ^ (group * 0x9E3779B97F4A7C15ULL)).second)
      return job.remove(row, "the same words", "the same words as an earlier row");
    if (similarity == 1) return job.keep(row.split, row.text);
    if (const auto earlier = near.find_or_keep(shingles_of(words), group))
      return job.remove(row, "nearly the same words",
                        "nearly the same words as line " + std::to_string(lines[*earlier]));
    lines.push_back(row.line);
    job.keep(row.split, row.text);
  });
}

JobReport remove_contaminated(const fs::path& from, const fs::path& to, const fs::path& against, std::size_t n_gram,
                              double least_share, const RowProgress& progress) {
  ReferenceTexts references(n_gram, least_share);
  std::vector<std::string> places;
  std::vector<DataFile> files = data_files(against.empty() ? from : against);
  if (against.empty())
    std::erase_if(files, [](const DataFile& file) { return file.split != "validation" && file.split != "test"; });
  task::ReadingNotes notes;
  for_each_row(files, notes, [&](DataRow& row) {
    if (!row.reason.empty()) return;
    references.add(words_of(row.conversation));
    places.push_back(row.split + ":" + std::to_string(row.line));
  });
  if (references.size() == 0)
    throw std::invalid_argument("'" + (against.empty() ? from : against).string() +
                                "': expected rows of validation or test, or --against FILE, found none");
  Job job(from, to, progress);
  return job.run([&](DataRow& row) {
    const bool reference = against.empty() && (row.split == "validation" || row.split == "test");
    const auto held = reference ? std::nullopt : references.held_by(words_of(row.conversation));
    if (!held) return job.keep(row.split, row.text);
    job.remove(row, held->share == 1 ? "all of a reference" : "a part of a reference",
               "holds " + percent(held->share) + " of the words of " + places[held->reference]);
  });
}

JobReport split_rows(const fs::path& from, const fs::path& to, SplitShares shares, std::uint64_t seed,
                     const RowProgress& progress) {
  if (shares.validation < 0 || shares.test < 0 || shares.validation + shares.test >= 1)
    throw std::invalid_argument("shares: expected validation + test in [0, 1), found " +
                                std::to_string(shares.validation) + " + " + std::to_string(shares.test));
  Job job(from, to, progress);
  if (job.files().size() > 1)
    throw std::invalid_argument("'" + from.string() + "': expected one JSONL file, found " +
                                std::to_string(job.files().size()));
  StratifiedChoice choice(shares, seed);
  KnownTexts known;
  return job.run([&](DataRow& row) {
    const std::vector<std::string> words = words_of(row.conversation);
    const std::uint64_t hash = hash_of(words, 0, words.size());
    const auto before = known.find(hash);
    const SplitName split = before                       ? *before
                            : labelled(row.conversation) ? choice.next(stratum_of(row.conversation))
                                                         : SplitName::train;
    if (!before) known.put(hash, split);
    job.keep(split == SplitName::train ? "train" : split == SplitName::validation ? "validation" : "test", row.text);
  });
}

JobReport export_rows(const fs::path& from, const fs::path& to, ChatFormat format, const RowProgress& progress) {
  Job job(from, to, progress);
  const fs::path shared_file = folder_of(from) / "tools.json";
  const std::vector<task::Tool> shared =
      fs::exists(shared_file) ? task::read_tools(shared_file) : std::vector<task::Tool>();
  if (format == ChatFormat::llama_factory) {
    std::vector<std::string> splits;
    for (const DataFile& file : job.files()) splits.push_back(file.split);
    const std::string name = fs::absolute(to).lexically_normal().filename().string();
    job.writer().add("dataset_info.json", llama_factory_info(name, splits).dump(2) + "\n");
  }
  return job.run([&](DataRow& row) {
    if (!labelled(row.conversation)) return job.remove(row, "unlabelled", "expected an answer, found none");
    try {
      const nlohmann::json written =
          in_format(row.conversation, row.conversation.tools ? *row.conversation.tools : shared, format);
      job.keep(row.split, written.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    } catch (const std::invalid_argument& error) {
      job.remove(row, "no place in the format", error.what());
    }
  });
}

}  // namespace retort::data
