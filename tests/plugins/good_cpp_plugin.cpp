// A plugin written with the C++ layer: several interfaces, required parameters, and a stage.
#include <cmath>
#include <cstring>
#include <fstream>
#include <retort/sdk.hpp>
#include <stdexcept>

namespace {

struct Mse : retort::DistillStrategy {
  struct Params {
    double scale = 0.5;
  };
  static auto schema() {
    return retort::params<Params>().number("scale", &Params::scale).above(0).doc("factor of the squared difference");
  }
  explicit Mse(Params p) : params(p) {}
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    double sum = 0;
    for (std::int64_t n = 0; n < batch.rows(); ++n)
      for (std::int64_t v = 0; v < batch.vocabulary(); ++v) {
        const double difference = batch.student_logits(n, v) - batch.teacher().logits(n, v);
        sum += params.scale * batch.mask[n] * difference * difference;
        if (gradient.logits) gradient.logits(n, v) = static_cast<float>(2 * params.scale * batch.mask[n] * difference);
      }
    return {sum, {{"mse", sum}}};
  }
  Params params;
};

/// Reads rows as if they were contiguous, and forgets a factor: both must be found.
struct WrongGradient : Mse {
  explicit WrongGradient(Params p) : Mse(p) {}
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    retort::Loss result = Mse::loss(batch, gradient);
    if (gradient.logits)
      for (std::int64_t n = 0; n < batch.rows(); ++n)
        for (std::int64_t v = 0; v < batch.vocabulary(); ++v) gradient.logits(n, v) *= 0.5F;
    return result;
  }
};

/// Twice what the teacher in its slot is called, so that a test sees who came through.
struct Judge : retort::Reward {
  using Params = retort::NoParams;
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList()
            .add("teacher", RETORT_TEACHER_INTERFACE, "who judges")
            .add("others", RETORT_REWARD_INTERFACE, "whose scores count too", RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST);
    return list;
  }
  Judge(Params, const retort::Slots& slots) : teacher(slots.get("teacher")), others(slots.list("others").size()) {}
  std::string scores() const override {
    return "[{\"name\":\"" + std::string(teacher.id()) + " and " + std::to_string(others) +
           "\",\"minimum\":0,\"maximum\":1,\"summary\":\"\"}]";
  }
  void score(const retort::RewardBatch&, const retort::ItemSink&) override {}
  retort::TeacherSlot teacher;
  std::size_t others;
};

/// Has a slot that a check has nothing for.
struct InAWorld : retort::Reward {
  using Params = retort::NoParams;
  static const retort::SlotList& slots() {
    static const retort::SlotList list = retort::SlotList().add("world", RETORT_ENVIRONMENT_INTERFACE, "where");
    return list;
  }
  InAWorld(Params, const retort::Slots&) {}
  void score(const retort::RewardBatch&, const retort::ItemSink&) override {}
};

/// Tells the witness, a file, when it comes and goes: destruction has an order.
struct Oracle : retort::Teacher {
  struct Params {
    std::string witness;
  };
  static auto schema() {
    return retort::params<Params>().string("witness", &Params::witness).doc("a file to append to");
  }
  explicit Oracle(Params given) : params(std::move(given)) { say("made"); }
  ~Oracle() override { say("gone"); }
  void complete(const retort::TeacherBatch&, const retort::ItemSink&) override {}
  void say(const char* what) const {
    if (!params.witness.empty()) std::ofstream(params.witness, std::ios::app) << "oracle " << what << "\n";
  }
  Params params;
};

struct Copier : retort::Stage {
  struct Params {
    std::string source;
    std::int64_t rows = 10;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("source", &Params::source)
        .required()
        .doc("what to copy")
        .integer("rows", &Params::rows)
        .at_least(1)
        .doc("how many");
  }
  explicit Copier(const Params&) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset")
            .input("dataset", "dataset", "rows to copy", RETORT_INPUT_LIST)
            .slot("reward", RETORT_REWARD_INTERFACE, "scores", RETORT_SLOT_OPTIONAL);
    return shape;
  }
  void run(const retort::StageContext&) override {}
};

}  // namespace

RETORT_PLUGIN_LIST("good_cpp", "1.2.3", "Apache-2.0",
                   retort::component<Mse>("distill.good_mse", "1.0.0", "squared difference of logits"),
                   retort::component<WrongGradient>("distill.wrong_gradient", "1.0.0", "its gradient is half"),
                   retort::component<Judge>("reward.judge", "1.0.0", "asks a teacher"),
                   retort::component<InAWorld>("reward.in_a_world", "1.0.0", "needs a world"),
                   retort::component<Oracle>("teacher.oracle", "1.0.0", "answers nothing"),
                   retort::component<Copier>("stage.copier", "1.0.0", "copies rows"));
