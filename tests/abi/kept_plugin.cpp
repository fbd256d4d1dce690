// One component of every interface in one plugin, as small as the contract lets it be: `tests/abi/kept` holds it as a
// binary of each version of the SDK, and every later build loads it and runs the contract's checks on it. Uses nothing
// but the SDK and a JSON parser.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <retort/sdk.hpp>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

Json parsed(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw std::invalid_argument("expected JSON, found " + std::string(text));
  return json;
}

/// Half the squared difference of logits.
struct KeptLoss : retort::DistillStrategy {
  struct Params {
    double scale = 1;
  };
  static auto schema() { return retort::params<Params>().number("scale", &Params::scale).above(0).doc("factor"); }
  explicit KeptLoss(Params given) : params(given) {}
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    double sum = 0;
    for (std::int64_t n = 0; n < batch.rows(); ++n)
      for (std::int64_t v = 0; v < batch.vocabulary(); ++v) {
        const double weight = params.scale * static_cast<double>(batch.mask[n]);
        const double difference = static_cast<double>(batch.student_logits(n, v)) - batch.teacher().logits(n, v);
        sum += weight * difference * difference / 2;
        if (gradient.logits) gradient.logits(n, v) = static_cast<float>(weight * difference);
      }
    return {sum, {{"half_squared_difference", sum}}};
  }
  Params params;
};

/// REINFORCE with the mean of the other samples as the baseline; rows count alike.
struct KeptPolicy : retort::RlAlgorithm {
  struct Params {
    std::int64_t group_size = 4;
  };
  static auto schema() { return retort::params<Params>().integer("group_size", &Params::group_size).at_least(2); }
  explicit KeptPolicy(Params given) : params(given) {}
  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params.group_size;
    return wanted;
  }
  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    const std::int64_t G = params.group_size;
    for (std::int64_t r = 0; r < batch.rewards.rows(); ++r) {
      double sum = 0;
      for (std::int64_t g = 0; g < G; ++g) sum += static_cast<double>(batch.rewards[r / G * G + g]);
      const double own = static_cast<double>(batch.rewards[r]);
      for (std::int64_t t = 0; t < out.advantages.columns(); ++t)
        out.advantages(r, t) = static_cast<float>(own - (sum - own) / static_cast<double>(G - 1));
    }
    return {};
  }
  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    double sum = 0;
    for (std::int64_t r = 0; r < batch.log_probs.rows(); ++r)
      for (std::int64_t t = 0; t < batch.log_probs.columns(); ++t) {
        const double weight =
            static_cast<double>(batch.mask(r, t)) * batch.advantages(r, t) / static_cast<double>(batch.update_rows);
        if (batch.mask(r, t) > 0) sum -= weight * static_cast<double>(batch.log_probs(r, t));
        if (gradient.log_probs) gradient.log_probs(r, t) = static_cast<float>(-weight);
      }
    return {sum, {{"loss", sum}}};
  }
  Params params;
};

/// DPO without a reference: −log σ(chosen − rejected).
struct KeptPreference : retort::Preference {
  using Params = retort::NoParams;
  explicit KeptPreference(Params) {}
  Result loss(const retort::PreferenceBatch& batch, const retort::PreferenceGradient& gradient) override {
    double sum = 0;
    for (std::int64_t i = 0; i < batch.chosen.log_probs.rows(); ++i) {
      const double margin =
          static_cast<double>(batch.chosen.log_probs[i]) - static_cast<double>(batch.rejected.log_probs[i]);
      const double weight = static_cast<double>(batch.chosen.weights[i]);
      sum += weight * (std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin))));
      const double slope = -weight / (1 + std::exp(margin));
      if (gradient.chosen) gradient.chosen[i] = static_cast<float>(slope);
      if (gradient.rejected) gradient.rejected[i] = static_cast<float>(-slope);
    }
    return {sum, {{"loss", sum}}};
  }
};

/// Leaves out the layer that changes its input least.
struct KeptPruner : retort::Pruner {
  using Params = retort::NoParams;
  explicit KeptPruner(Params) {}
  retort::PruneRequirements requirements() const override { return {RETORT_SIGNAL_BLOCK_INFLUENCE, 8, 0}; }
  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& signals,
                         const retort::PruneModel& model) override {
    std::int64_t least = 0;
    for (std::int64_t l = 1; l < structure.layers; ++l)
      if (signals.block_influence[l] < signals.block_influence[least]) least = l;
    retort::Keep keep{RETORT_AXIS_LAYERS, -1, {}};
    for (std::int64_t l = 0; l < structure.layers; ++l)
      if (l != least) keep.indices.push_back(l);
    const double first = static_cast<double>(model.weight("model.norm.weight", 1)[0]);
    return {{keep}, {{"left_out", static_cast<double>(least)}, {"norm", first}}};
  }
};

/// Half of each row, by magnitude.
struct KeptSparsifier : retort::Sparsifier {
  using Params = retort::NoParams;
  explicit KeptSparsifier(Params) {}
  retort::Metrics sparsify(const retort::Site& site, std::size_t module,
                           const retort::SparsifyOutput& output) override {
    const retort::TensorView<const float>& weight = site.modules[module].weight;
    const std::int64_t columns = weight.columns();
    for (std::int64_t row = 0; row < weight.rows(); ++row) {
      std::vector<float> sizes;
      for (std::int64_t i = 0; i < columns; ++i) sizes.push_back(std::abs(weight(row, i)));
      std::nth_element(sizes.begin(), sizes.begin() + columns / 2, sizes.end());
      const float middle = sizes[static_cast<std::size_t>(columns / 2)];
      for (std::int64_t i = 0; i < columns; ++i) {
        output.mask(row, i) = std::abs(weight(row, i)) >= middle ? 1 : 0;
        output.weight(row, i) = weight(row, i);
      }
    }
    return {};
  }
};

/// Round to nearest, symmetric, a scale a row.
struct KeptQuantizer : retort::Quantizer {
  struct Params {
    std::int64_t bits = 8;
  };
  static auto schema() { return retort::params<Params>().integer("bits", &Params::bits).at_least(2).at_most(8); }
  explicit KeptQuantizer(Params given) : params(given) {}
  retort::QuantizeScheme scheme(const retort::Site&) override {
    return {static_cast<std::int32_t>(params.bits), true, 0};
  }
  retort::Metrics quantize(const retort::Site& site, std::size_t module, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    const retort::TensorView<const float>& weight = site.modules[module].weight;
    const double top = std::exp2(scheme.bits - 1) - 1;
    for (std::int64_t row = 0; row < weight.rows(); ++row) {
      float largest = 0;
      for (std::int64_t i = 0; i < weight.columns(); ++i) largest = std::max(largest, std::abs(weight(row, i)));
      const double scale = largest > 0 ? static_cast<double>(largest) / top : 1;
      output.scales(row, 0) = static_cast<float>(scale);
      for (std::int64_t i = 0; i < weight.columns(); ++i)
        output.codes(row, i) = static_cast<std::int8_t>(std::nearbyint(static_cast<double>(weight(row, i)) / scale));
    }
    return {};
  }
  Params params;
};

/// Says the same to everybody.
struct KeptTeacher : retort::Teacher {
  struct Params {
    std::string answer = "yes";
  };
  static auto schema() { return retort::params<Params>().string("answer", &Params::answer).doc("what it says"); }
  explicit KeptTeacher(Params given) : params(std::move(given)) {}
  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    const Json requests = parsed(batch.requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const bool readable = requests[i].is_object() && requests[i].value("messages", Json()).is_array();
      const Json message = {{"role", "assistant"}, {"content", params.answer}};
      const Json item = readable ? Json{{"choices", {{{"message", message}, {"finish_reason", "stop"}}}}}
                                 : Json{{"error", "expected {\"messages\": […]}"}};
      responses.item(i, item.dump());
    }
  }
  Params params;
};

/// 1 for the reference's own calls. May have a teacher, whom it does not ask.
struct KeptReward : retort::Reward {
  using Params = retort::NoParams;
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList().add("teacher", RETORT_TEACHER_INTERFACE, "not asked", RETORT_SLOT_OPTIONAL);
    return list;
  }
  KeptReward(Params, const retort::Slots& slots) : has_teacher(slots.find("teacher").has_value()) {}
  std::string scores() const override {
    return R"([{"name":"same","minimum":0,"maximum":1,"summary":")" +
           std::string(has_teacher ? "with a teacher" : "alone") + "\"}]";
  }
  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    const Json items = parsed(batch.items);
    for (std::size_t i = 0; i < items.size(); ++i) scores.item(i, scored(items[i]).dump());
  }
  static Json scored(const Json& item) {
    if (!item.is_object() || !item.contains("response")) return {{"error", "expected an item with a response"}};
    const Json& response = item["response"];
    if (!response.contains("calls"))
      return {{"malformed", true}, {"scores", {{"same", 0}}}, {"reason", "the answer is malformed"}};
    const bool same = item.contains("reference") && response["calls"] == item["reference"].value("calls", Json());
    return {{"scores", {{"same", same ? 1 : 0}}}, {"reason", same ? "" : "other calls than the reference"}};
  }
  bool has_teacher;
};

/// A lamp that is on or off.
struct Lamp : retort::Session {
  bool on = false;
  std::string execute(std::string_view calls) override {
    Json results = Json::array();
    bool ok = true;
    for (const Json& call : parsed(calls)) {
      const bool known = call.is_object() && call.value("name", Json()) == "lamp_set" &&
                         call.value("/arguments/on"_json_pointer, Json()).is_boolean();
      if (known) on = call["arguments"]["on"];
      Json result = {{"ok", known}, {"content", known ? "done" : "no such call"}};
      if (call.is_object() && call.contains("id")) result["id"] = call["id"];
      results.push_back(result);
      ok = ok && known;
    }
    return Json{
        {"ok", ok}, {"error", ok ? Json() : Json("no such call")}, {"results", results}, {"state", on ? "on" : "off"}}
        .dump();
  }
  std::string state() const override { return Json{{"on", on}}.dump(); }
};

struct KeptEnvironment : retort::Environment {
  using Params = retort::NoParams;
  explicit KeptEnvironment(Params) {}
  std::string tools() const override {
    return R"([{"type":"function","function":{"name":"lamp_set","description":"switches the lamp","parameters":
      {"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"]}}}])";
  }
  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const retort::ItemSink& rows) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      const bool on = (seed + static_cast<std::uint64_t>(i)) % 2 == 0;
      const Json call = {{"id", "call_0"},
                         {"type", "function"},
                         {"function", {{"name", "lamp_set"}, {"arguments", Json{{"on", on}}.dump()}}}};
      const std::string text = std::string(split) + " " + std::to_string(i) + ": lamp " + (on ? "on" : "off");
      rows.item(
          static_cast<std::uint64_t>(i),
          Json{{"messages",
                {{{"role", "user"}, {"content", text}}, {{"role", "assistant"}, {"tool_calls", Json::array({call})}}}},
               {"metadata", {{"template", "lamp"}}}}
              .dump());
    }
  }
  std::unique_ptr<retort::Session> start(std::string_view start) const override {
    auto lamp = std::make_unique<Lamp>();
    lamp->on = parsed(start).value("/state/on"_json_pointer, false);
    return lamp;
  }
};

/// Copies its dataset, with a fact about what stands in its slots.
struct KeptStage : retort::Stage {
  using Params = retort::NoParams;
  explicit KeptStage(Params) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("report")
            .input("dataset", "dataset", "any", RETORT_INPUT_OPTIONAL)
            .slot("reward", RETORT_REWARD_INTERFACE, "who scores")
            .slot("teachers", RETORT_TEACHER_INTERFACE, "several", RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST);
    return shape;
  }
  std::vector<std::string> check(const retort::StageContext& context) override {
    if (context.slots("teachers").size() < 3) return {};
    return {"teachers: three are too many"};
  }
  void run(const retort::StageContext& context) override {
    const retort::BoundComponent again = context.create("reward", 0);
    context.fact("reward", retort::RewardSlot(again).scores());
    context.fact("teachers", std::to_string(context.slots("teachers").size()));
    context.metric("done", -1, 1);
  }
};

}  // namespace

RETORT_PLUGIN_LIST("kept", "1.0.0", "Apache-2.0",
                   retort::component<KeptLoss>("distill.kept", "1.0.0", "half the squared difference of logits"),
                   retort::component<KeptPolicy>("rl.kept", "1.0.0", "REINFORCE, leave one out"),
                   retort::component<KeptPreference>("preference.kept", "1.0.0", "DPO without a reference"),
                   retort::component<KeptPruner>("prune.kept", "1.0.0", "leaves a layer out"),
                   retort::component<KeptSparsifier>("sparsify.kept", "1.0.0", "half of each row"),
                   retort::component<KeptQuantizer>("quantize.kept", "1.0.0", "round to nearest"),
                   retort::component<KeptTeacher>("teacher.kept", "1.0.0", "says the same to everybody"),
                   retort::component<KeptReward>("reward.kept", "1.0.0", "compares calls"),
                   retort::component<KeptEnvironment>("environment.kept", "1.0.0", "a lamp"),
                   retort::component<KeptStage>("stage.kept", "1.0.0", "asks what stands in its slots"));
