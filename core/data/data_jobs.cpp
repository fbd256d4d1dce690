// Each job reads all rows once, in order, and writes what it keeps.
#include "data/data_jobs.h"

#include <stdexcept>

#include "data/contamination.h"
#include "data/data_pass.h"
#include "data/data_rows.h"
#include "data/near_duplicates.h"
#include "data/personal_data.h"
#include "data/seen_texts.h"
#include "data/text_hash.h"
#include "data/text_words.h"
#include "task/dataset.h"

namespace retort::data {
namespace {

namespace fs = std::filesystem;

std::string percent(double share) {
  return std::to_string(static_cast<int>(100 * share + 0.5)) + " %";
}

}  // namespace

JobReport remove_duplicates(const fs::path& from, const fs::path& to, double similarity, bool any_answer,
                            const RowProgress& progress) {
  DataPass job(from, to, progress);
  NearDuplicates near(similarity);
  SeenTexts said;
  std::vector<std::int64_t> lines;  // of the kept sets
  return job.run([&](DataRow& row) {
    const std::uint64_t group =
        text_hash(any_answer ? "" : answer_text(row.conversation) + (labelled(row.conversation) ? "1" : "0"),
                  text_hash(row.split));
    const std::vector<std::string> words = words_of(row.conversation);
    if (!said.insert(hash_of(words, 0, words.size()) ^ (group * 0x9E3779B97F4A7C15ULL)))
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
  DataPass job(from, to, progress);
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
  if (!(shares.validation >= 0 && shares.test >= 0 && shares.validation + shares.test < 1))
    throw std::invalid_argument("shares: expected validation + test in [0, 1), found " +
                                std::to_string(shares.validation) + " + " + std::to_string(shares.test));
  DataPass job(from, to, progress);
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
  DataPass job(from, to, progress);
  const std::vector<task::Tool> shared = job.shared_tools();
  if (format == ChatFormat::llama_factory) job.add_llama_factory_info(false);
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

JobReport balance_rows(const fs::path& from, const fs::path& to, std::int64_t most, const RowProgress& progress) {
  if (most < 1) throw std::invalid_argument("most: expected 1 or more, found " + std::to_string(most));
  const auto counts_in = [](const DataRow& row) { return row.split == "train" && labelled(row.conversation); };
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> strata;  // all rows, rows seen
  task::ReadingNotes ignored;
  std::int64_t counted = 0;
  for_each_row(data_files(from), ignored, [&](DataRow& row) {
    if (++counted % 1024 == 0 && progress) progress(counted);
    if (row.reason.empty() && counts_in(row)) ++strata[stratum_of(row.conversation)].first;
  });
  DataPass job(from, to, progress);
  return job.run([&](DataRow& row) {
    if (!counts_in(row)) return job.keep(row.split, row.text);
    const std::string stratum = stratum_of(row.conversation);
    auto& [all, seen] = strata.at(stratum);
    const std::int64_t place = seen++;
    // Evenly over the file: exactly `most` of `all` numbers pass.
    if (all <= most || (place + 1) * most / all > place * most / all) return job.keep(row.split, row.text);
    job.remove(
        row, "more than enough",
        "one of " + std::to_string(all) + " rows of \"" + stratum + "\", of which " + std::to_string(most) + " stay");
  });
}

JobReport redact_rows(const fs::path& from, const fs::path& to, const PersonalData& personal,
                      const RowProgress& progress) {
  DataPass job(from, to, progress);
  return job.run([&](DataRow& row) {
    const auto replaced = personal.replace(row.conversation);
    bool any = false;
    for (const auto& [kind, times] : replaced) {
      job.changed(kind, times);
      any = any || !kind.ends_with(", left");
    }
    job.keep(
        row.split,
        any ? task::to_row(row.conversation).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : row.text);
  });
}

}  // namespace retort::data
