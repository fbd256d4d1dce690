// Where a student's own answers lead it and the data set does not: distillation on its own answers (GKD, Agarwal et
// al., arXiv 2306.13649) against distillation on the data set's, everything else alike.
//
// The teacher answers with eight words of "on" and, one time in six, "off"; behind "off" it always says "back". The
// data set has only answers without "off". Its teacher's distributions teach the student to say "off" now and then, and
// nothing of what has to follow: only its own answers go there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "distill_fixture.h"
#include "host/base/json.h"
#include "train/reference_sampling.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;
using testing::Recorder;

/// Reverse KL, Σ q (log q − log p), summed over rows by their masks.
struct ReverseKl {
  double on_policy_fraction = 0;
  DistillPlugin plugin();
};

retort_error* reverse_requirements(retort_instance* instance, const retort_distill_setup*,
                                   retort_distill_requirements* out) {
  out->signals = RETORT_SIGNAL_TEACHER_LOGITS;
  out->on_policy_fraction = reinterpret_cast<ReverseKl*>(instance)->on_policy_fraction;
  return nullptr;
}

/// log_softmax of a row that lies whole in memory.
std::vector<double> log_shares(const retort_tensor& logits, std::int64_t row) {
  const float* z = reinterpret_cast<const float*>(static_cast<const char*>(logits.data) + logits.byte_offset) +
                   row * logits.strides[0];
  std::vector<double> all(z, z + logits.shape[1]);
  double sum = 0;
  const double most = *std::max_element(all.begin(), all.end());
  for (const double one : all) sum += std::exp(one - most);
  for (double& one : all) one -= most + std::log(sum);
  return all;
}

retort_error* reverse_loss(retort_instance*, const retort_distill_batch* batch, retort_distill_result* result) {
  const std::vector<float> mask = testing::floats_of(batch->mask);
  std::vector<float> gradient;
  result->loss = 0;
  for (std::int64_t n = 0; n < batch->student_logits->shape[0]; ++n) {
    const std::vector<double> q = log_shares(*batch->student_logits, n), p = log_shares(*batch->teachers->logits, n);
    const double weight = static_cast<double>(mask[static_cast<std::size_t>(n)]);
    double divergence = 0;
    for (std::size_t v = 0; v < q.size(); ++v) divergence += std::exp(q[v]) * (q[v] - p[v]);
    for (std::size_t v = 0; v < q.size(); ++v)
      gradient.push_back(static_cast<float>(weight * std::exp(q[v]) * (q[v] - p[v] - divergence)));
    result->loss += weight * divergence;
  }
  testing::write(result->logits_gradient, gradient);
  return nullptr;
}

DistillPlugin ReverseKl::plugin() {
  static const retort_distill_v1 functions{RETORT_DISTILL_V1_SIZE, 0, reverse_requirements, nullptr, reverse_loss};
  return {reinterpret_cast<retort_instance*>(this), &functions, [](retort_error*) {}, "distill.reverse"};
}

constexpr int words_said = 8;

/// What the teacher may say: eight words, and "back" behind every "off" and nowhere else.
bool is_valid(const std::string& said) {
  std::istringstream stream(said);
  std::string word, before;
  int count = 0;
  for (; stream >> word; ++count, before = word)
    if ((word != "on" && word != "off" && word != "back") || (word == "back") != (before == "off")) return false;
  return count == words_said && before != "off";
}

class Blinker {
 public:
  Blinker() {
    for (const char* name : {"rich", "plain"}) fs::create_directories(root_.path() / name);
    const nlohmann::json schema = {{"type", "object"}, {"properties", {{"words", {{"type", "string"}}}}}};
    const nlohmann::json tools = {
        {{"type", "function"}, {"function", {{"name", "blink"}, {"description", ""}, {"parameters", schema}}}}};
    std::vector<task::Example> rich, plain;
    SeededSequence random(3, 1);
    for (int i = 0; i < 400; ++i) rich.push_back(example(i, answer(random)));
    for (int i = 0; i < 16; ++i) plain.push_back(example(i, answer(nullptr, false)));
    for (const auto& [name, rows] : {std::pair("rich", &rich), std::pair("plain", &plain)}) {
      host::write_json(root_.path() / name / "tools.json", tools);
      task::write_split(root_.path() / name / "train.jsonl", *rows);
    }
    FineTuningJob job;
    fill(job, "teacher", "rich", 150);
    job.training.learning_rate = 1e-2;
    job.model = {.vocabulary_size = 300,
                 .hidden_size = 32,
                 .layers = 2,
                 .heads = 2,
                 .kv_heads = 2,
                 .intermediate_size = 48,
                 .max_positions = 48};
    Recorder recorder;
    fine_tune(job, recorder.hooks());
    teacher_ = job.output;
  }

  const fs::path& teacher() const { return teacher_; }

  /// The share of valid answers of a student that was distilled on its own answers or the data set's.
  double distilled(const std::string& name, double on_policy_fraction) {
    ReverseKl loss{on_policy_fraction};
    DistillationJob job;
    fill(job, name, "plain", 120);
    job.training.learning_rate = 1e-2;
    job.teachers = {teacher_};
    job.losses = {loss.plugin()};
    job.sampling_temperature = 1;
    job.model = {.vocabulary_size = 300,
                 .hidden_size = 32,
                 .layers = 1,
                 .heads = 2,
                 .kv_heads = 2,
                 .intermediate_size = 48,
                 .max_positions = 0,
                 .rope_theta = 0};
    Recorder recorder;
    distill(job, recorder.hooks());
    return valid_share(job.output);
  }

  /// Of 400 samples at temperature 1.
  static double valid_share(const fs::path& folder) {
    CallModule module = load_call_module(folder);
    std::vector<std::vector<text::TokenId>> prompts;
    for (int i = 0; i < 400; ++i) prompts.push_back(module.contract.prompt(module.tokenizer, utterance(i)));
    double valid = 0;
    for (const auto& tokens : ref_sample(*module.decoder, prompts,
                                         {.temperature = 1,
                                          .max_new_tokens = 24,
                                          .end_token = module.contract.end_token(module.tokenizer),
                                          .seed = 11})) {
      const task::ParsedResponse parsed = module.contract.parse(module.tokenizer, tokens);
      const auto* calls = std::get_if<std::vector<task::Call>>(&parsed);
      valid += calls != nullptr && calls->size() == 1 && is_valid(calls->front().arguments.value("words", "")) ? 1 : 0;
    }
    return valid / 400;
  }

 private:
  static std::string utterance(int i) { return "blink " + std::to_string(i % 4); }
  static task::Example example(int i, const std::string& words) {
    return {utterance(i), std::vector<task::Call>{{"blink", {{"words", words}}}}, nlohmann::json::object()};
  }
  static std::string answer(SeededSequence& random) { return answer(&random, true); }
  static std::string answer(SeededSequence* random, bool blinks) {
    std::string words, before;
    for (int i = 0; i < words_said; ++i) {
      const bool off = blinks && before != "off" && i + 1 < words_said && random->below(6) == 0;
      const std::string word = before == "off" ? "back" : off ? "off" : "on";
      words += (words.empty() ? "" : " ") + word;
      before = word;
    }
    return words;
  }
  void fill(TrainingJob& job, const std::string& name, const std::string& dataset, std::int64_t steps) const {
    job.dataset = root_.path() / dataset;
    job.validation_limit = 0;
    job.training.weight_decay = 0;
    job.training.batch_size = 16;
    job.training.steps = steps;
    job.training.checkpoint_steps = 0;
    job.seed = 5;
    job.output = root_.path() / name / "output";
    job.work = root_.path() / name / "work";
    fs::create_directories(job.output);
    fs::create_directories(job.work);
  }
  runtime::testing::TemporaryFolder root_;
  fs::path teacher_;
};

TEST(OnPolicyDistillation, OwnAnswersTeachWhatTheDataSetNeverShows) {
  Blinker blinker;
  const double teacher = Blinker::valid_share(blinker.teacher());
  const double offline = blinker.distilled("offline", 0), on_policy = blinker.distilled("on_policy", 1);
  std::printf("valid answers: teacher %.3f, offline %.3f, on-policy %.3f\n", teacher, offline, on_policy);
  EXPECT_GT(teacher, .9);
  EXPECT_GT(on_policy, .75);
  EXPECT_GT(on_policy, offline + .25);
}

}  // namespace
}  // namespace retort::train
