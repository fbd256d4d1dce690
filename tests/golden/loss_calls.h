// Steps of training for losses behind the C ABI: seeded numbers, sequences of unequal lengths, any rows of them in a
// call, gradients by name. For tests that hold for every loss of an interface.
#pragma once

#include <retort/abi/distill.h>
#include <retort/abi/preference.h>
#include <retort/abi/rl.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

/// What a call said: gradients are rows one after another, or whole parameters.
struct Outcome {
  double loss = 0;
  std::map<std::string, std::vector<float>> gradients;
  MetricMap metrics;
};

/// Adds a part to what came before it: rows follow, parameters ("parameter…") add up.
void append(Outcome& whole, const Outcome& part);

/// Eight sequences of 1 to 6 rows, vocabulary 7, student's width 4, a teacher of width 6 unless said otherwise.
class DistillStep {
 public:
  explicit DistillStep(std::int64_t teacher_width = 6);
  /// Sequences [first, first + count) in one call.
  Outcome call(const LoadedComponent& loss, std::size_t first, std::size_t count) const;
  std::size_t sequences() const { return lengths.size(); }
  std::int64_t rows() const { return begins.back(); }
  /// Makes the teacher say and hold what the student does (of equal width), or at every row what it does one row on.
  void teach_the_student(bool shifted_by_one);
  /// Adds `count` rows of mask 0 and logits of -infinity after every sequence's own; where these went.
  std::vector<std::int64_t> pad_every_sequence(std::int64_t count);
  /// Pieces of text of sequences [first, first + count) in the form of the ABI's spans: two rows each where both have
  /// mask 1, else one. The teacher of another tokenizer writes the same rows here, with tokens of its own.
  std::vector<std::int64_t> spans(std::size_t first, std::size_t count) const;

  static constexpr std::int64_t vocabulary = 7, student_width = 4, layers = 3;
  std::int64_t teacher_width;
  std::vector<std::int64_t> lengths, begins;  ///< of the sequences; begins has one more
  std::vector<float> student, teacher, mask;
  std::vector<std::int64_t> labels;
  std::vector<std::vector<float>> student_hidden, teacher_hidden;  ///< by layer; -1 is the last
};

/// Two prompts with four samples each, of 0 to 6 tokens.
class RlStep {
 public:
  RlStep();
  /// Fills advantages, returns and keep.
  MetricMap compute_advantages(const LoadedComponent& algorithm);
  /// Rows [first, first + count) in one call of loss().
  Outcome call(const LoadedComponent& algorithm, std::int64_t first, std::int64_t count) const;
  std::int64_t tokens() const;
  /// So many columns more, of which the mask has none.
  void pad(std::int64_t columns);
  static retort_rl_requirements requirements(const LoadedComponent& algorithm);

  static constexpr std::int64_t group = 4, rows = 8, longest = 6;
  std::int64_t positions = 6;
  bool without_reference = false;  ///< none is given, whoever asks for it
  std::vector<float> rewards, finished, mask, log_probs, old_log_probs, sampler_log_probs, reference_log_probs, values,
      old_values, entropies, token_rewards, advantages, returns, keep;

 private:
  retort_rl_batch sizes() const;
};

/// Eight pairs.
class PreferenceStep {
 public:
  PreferenceStep();
  Outcome call(const LoadedComponent& loss, std::int64_t first, std::int64_t count) const;

  static bool wants_reference(const LoadedComponent& loss);

  static constexpr std::int64_t pairs = 8;
  bool without_reference = false;  ///< none is given, whoever asks for it
  std::vector<float> chosen, rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, weights;
};

}  // namespace retort::golden
