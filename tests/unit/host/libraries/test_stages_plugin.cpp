// Stages for the tests of the pipeline: cheap, deterministic, and as slow, resumable or broken as a test wants.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <retort/host_secrets.hpp>
#include <retort/plugin.hpp>
#include <retort/reward.hpp>
#include <retort/stage.hpp>
#include <retort/teacher.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write '" + path.string() + "'");
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Makes a dataset of `rows` lines that depend on the seed.
class Source : public retort::Stage {
 public:
  struct Params {
    std::int64_t rows = 3;
    std::string file;
    std::string label = "plain";
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("rows", &Params::rows)
        .at_least(1)
        .at_most(1000)
        .doc("lines to write")
        .string("file", &Params::file)
        .existing_path()
        .doc("text to put first")
        .string("label", &Params::label)
        .one_of({"plain", "other"})
        .doc("a choice");
  }
  explicit Source(Params params) : params_(std::move(params)) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape("dataset");
    return shape;
  }
  void run(const retort::StageContext& context) override {
    std::string text = params_.file.empty() ? "" : read_text(params_.file);
    for (std::int64_t i = 0; i < params_.rows; ++i)
      text += params_.label + " " + std::to_string(i) + " " + std::to_string(context.seed()) + "\n";
    write_text(context.output_folder() + "/train.jsonl", text);
    write_text(context.output_folder() + "/rejected.jsonl", "{\"line\":1,\"reason\":\"<b>\"}\n");
    context.metric("rows", -1, static_cast<double>(params_.rows));
  }

 private:
  Params params_;
};

/// Counts to `steps` with a checkpoint after each: the result depends on every step, so a wrong resume shows.
class Count : public retort::Stage {
 public:
  struct Params {
    std::int64_t steps = 5, step_ms = 0, fail_at = -1, write_bytes = 0;
    bool deaf = false, own_manifest = false, link = false, copy = false, tell_scores = false;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("steps", &Params::steps)
        .at_least(1)
        .integer("step_ms", &Params::step_ms)
        .unit("ms")
        .integer("fail_at", &Params::fail_at)
        .doc("the step that fails; -1: none")
        .integer("write_bytes", &Params::write_bytes)
        .unit("bytes")
        .boolean("deaf", &Params::deaf)
        .doc("does not poll should_stop()")
        .boolean("own_manifest", &Params::own_manifest)
        .boolean("link", &Params::link)
        .boolean("copy", &Params::copy)
        .doc("writes the teacher's weights, as an export does")
        .boolean("tell_scores", &Params::tell_scores)
        .doc("says what the scorer's scores are wherever it can, and fails with them");
  }
  explicit Count(Params params) : params_(params) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "what to count over")
            .input("teacher", "model", "where to begin", RETORT_INPUT_OPTIONAL)
            .slot("scorer", RETORT_REWARD_INTERFACE, "how to score", RETORT_SLOT_OPTIONAL);
    return shape;
  }
  std::vector<std::string> check(const retort::StageContext& context) override {
    const auto scorer = context.slot("scorer");
    if (!scorer || retort::RewardSlot(*scorer).scores().find("impossible") == std::string::npos) return {};
    return {"scorer: asks for the impossible; this stage offers counting", "and " + context.name() + " says so"};
  }
  void run(const retort::StageContext& context) override {
    std::int64_t done = 0;
    std::uint64_t state = context.seed();
    for (const char c : read_text(context.input_folder("dataset") + "/train.jsonl"))
      state = state * 1099511628211ULL + static_cast<unsigned char>(c);
    load(context.work_folder(), done, state);
    while (done < params_.steps) {
      if (!params_.deaf) retort::throw_if_stopped();
      if (done == params_.fail_at) throw std::runtime_error("step " + std::to_string(done) + " failed as told");
      std::this_thread::sleep_for(std::chrono::milliseconds(params_.step_ms));
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      ++done;
      context.metric("loss", done, 1.0 / static_cast<double>(done));
      save(context.work_folder(), done, state);
      context.progress("count", done, params_.steps, "steps");
    }
    finish(context, state);
    if (params_.tell_scores) tell(context, retort::RewardSlot(*context.slot("scorer")).scores());
  }

 private:
  static void tell(const retort::StageContext& context, const std::string& scores) {
    context.fact("scores", scores);
    retort::log_info("scores: " + scores);
    throw std::runtime_error("the scores are " + scores);
  }
  static void load(const std::filesystem::path& folder, std::int64_t& done, std::uint64_t& state) {
    std::ifstream file(folder / "checkpoint");
    std::int64_t saved_done = 0;
    std::uint64_t saved_state = 0;
    if (!(file >> saved_done >> saved_state)) return;
    done = saved_done;
    state = saved_state;
  }
  static void save(const std::filesystem::path& folder, std::int64_t done, std::uint64_t state) {
    write_text(folder / "checkpoint.new", std::to_string(done) + " " + std::to_string(state));
    std::filesystem::rename(folder / "checkpoint.new", folder / "checkpoint");
  }
  void finish(const retort::StageContext& context, std::uint64_t state) const {
    const std::filesystem::path folder = context.output_folder();
    std::filesystem::create_directories(folder / "weights");
    const std::string weights =
        params_.copy ? read_text(context.input_folder("teacher") + "/weights/model.safetensors")
                     : std::to_string(state) + std::string(static_cast<std::size_t>(params_.write_bytes), 'x');
    write_text(folder / "weights/model.safetensors", weights);
    write_text(folder / "config.json", "{\"model_type\": \"llama\", \"hidden_size\": 8}\n");
    if (params_.own_manifest) write_text(folder / "manifest.json", "{}");
    if (params_.link) std::filesystem::create_symlink("/etc/hostname", folder / "linked");
    context.fact("parameters", std::to_string(1000 * params_.steps));
    context.fact("bytes", std::to_string(4000 * params_.steps));
    if (const auto scorer = context.slot("scorer")) context.fact("scorer", "\"" + std::string(scorer->id()) + "\"");
  }
  Params params_;
};

/// Writes evaluation.json about any number of models.
class Report : public retort::Stage {
 public:
  struct Params {
    bool bad_fact = false;
  };
  static auto schema() { return retort::params<Params>().boolean("bad_fact", &Params::bad_fact); }
  explicit Report(Params params) : params_(params) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("report").input("models", "model", "what to measure", RETORT_INPUT_LIST);
    return shape;
  }
  void run(const retort::StageContext& context) override {
    std::string models;
    for (std::uint64_t i = 0; i < context.input_count("models"); ++i)
      models += (i == 0 ? "" : ",") + std::string("{\"name\":\"") + context.input_name("models", i) +
                R"json(","exact_match":0.75,"malformed":0.125,"p50_ms":1.5,"p90_ms":2.5,)json"
                R"json("tools":{"light_set":{"utterances":8,"exact":6},"(none)":{"utterances":2,"exact":1}},)json"
                R"json("misses":[{"utterance":"<script>alert('x')</script>",)json"
                R"json("expected":[{"name":"light_set","arguments":{}}],"found":"a & b","reason":"wrong"}]})json";
    write_text(context.output_folder() + "/evaluation.json",
               "{\"attribution\":[{\"kept_by\":\"count\",\"lost_at\":\"quick\"}],\"models\":[" + models + "]}");
    if (params_.bad_fact) context.fact("broken", "{not json");
  }

 private:
  Params params_;
};

class Scorer : public retort::Reward {
 public:
  struct Params {
    double scale = 1;
  };
  static auto schema() { return retort::params<Params>().number("scale", &Params::scale).above(0).at_most(10); }
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList()
            .add("judge", RETORT_TEACHER_INTERFACE, "whom to ask", RETORT_SLOT_OPTIONAL)
            .add("parts", RETORT_REWARD_INTERFACE, "what else to add", RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST);
    return list;
  }
  Scorer(Params, const retort::Slots&) {}
  std::string scores() const override { return "[]"; }
  void score(const retort::RewardBatch&, const retort::ItemSink&) override {}
};

/// A judge that needs a teacher.
class Strict : public Scorer {
 public:
  static const retort::SlotList& slots() {
    static const retort::SlotList list = retort::SlotList().add("judge", RETORT_TEACHER_INTERFACE, "whom to ask");
    return list;
  }
  using Scorer::Scorer;
};

/// A constructor that misbehaves as told; scores() says what it asks for.
class Trouble : public Scorer {
 public:
  struct Params {
    std::string what = "none";
  };
  static auto schema() {
    return retort::params<Params>()
        .string("what", &Params::what)
        .one_of({"none", "throws", "crashes", "hangs", "asks"});
  }
  Trouble(const Params& params, const retort::Slots& slots) : Scorer({}, slots), what_(params.what) {
    if (what_ == "throws") throw std::invalid_argument("\"what\" and \"scale\" exclude each other");
    if (what_ == "crashes") std::raise(SIGKILL);
    while (what_ == "hangs") std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  std::string scores() const override { return what_ == "asks" ? R"(["impossible"])" : "[]"; }

 private:
  std::string what_;
};

/// Its scores hold the key that it was given: a component that no log may be told of.
class Keyed : public Scorer {
 public:
  struct Params {
    std::string key, file;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("key", &Params::key)
        .secret_env()
        .doc("variable with the key")
        .string("file", &Params::file)
        .existing_path()
        .required()
        .doc("any file");
  }
  Keyed(Params params, const retort::Slots& slots) : Scorer({}, slots), params_(std::move(params)) {}
  std::string scores() const override { return "[\"" + retort::secret(params_.key) + "\",\"" + params_.file + "\"]"; }

 private:
  Params params_;
};

/// Says in a file when it comes and goes.
class Echo : public retort::Teacher {
 public:
  struct Params {
    std::string answer = "yes", witness;
  };
  static auto schema() {
    return retort::params<Params>().string("answer", &Params::answer).string("witness", &Params::witness);
  }
  explicit Echo(Params params) : params_(std::move(params)) { say("made"); }
  ~Echo() override { say("gone"); }
  void complete(const retort::TeacherBatch&, const retort::ItemSink&) override {}

 private:
  void say(const char* what) const {
    if (!params_.witness.empty())
      std::ofstream(params_.witness, std::ios::app) << params_.answer << " " << what << "\n";
  }
  Params params_;
};

/// Runs stage.test_count with 1 to `trials` steps and makes its teacher again for each.
class Search : public retort::Stage {
 public:
  struct Params {
    std::int64_t trials = 2;
    std::string inner = R"("use":"stage.test_count")", changes = R"({"answer":"again"})";
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("trials", &Params::trials)
        .string("inner", &Params::inner)
        .string("changes", &Params::changes);
  }
  explicit Search(Params params) : params_(std::move(params)) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("report")
            .input("dataset", "dataset", "what to count over")
            .slot("teacher", RETORT_TEACHER_INTERFACE, "whom to make again", RETORT_SLOT_OPTIONAL);
    return shape;
  }
  std::vector<std::string> check(const retort::StageContext& context) override {
    if (context.slot("teacher")) context.create("teacher", 0, params_.changes);
    return {};
  }
  void run(const retort::StageContext& context) override {
    std::string folders;
    for (std::int64_t i = 1; i <= params_.trials; ++i) {
      if (context.slot("teacher")) {
        const retort::BoundComponent made = context.create("teacher", 0, params_.changes);
        retort::TeacherSlot(made).complete({"", "[]"}, [](auto, auto) {});
      }
      folders += context.run_stage("{\"name\":\"trial\"," + params_.inner + ",\"steps\":" + std::to_string(i) +
                                   R"(,"inputs":{"dataset":")" + context.input_folder("dataset") + "\"}}") +
                 "\n";
    }
    write_text(context.output_folder() + "/folders.txt", folders);
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("test stages", "1.0.0", "Apache-2.0",
                   retort::component<Source>("stage.test_source", "1.0.0", "makes lines"),
                   retort::component<Count>("stage.test_count", "1.0.0", "counts"),
                   retort::component<Report>("stage.test_report", "1.0.0", "measures"),
                   retort::component<Scorer>("reward.test_scorer", "1.0.0", "scores nothing"),
                   retort::component<Strict>("reward.test_strict", "1.0.0", "scores nothing, with a judge"),
                   retort::component<Trouble>("reward.test_trouble", "1.0.0", "misbehaves"),
                   retort::component<Keyed>("reward.test_keyed", "1.0.0", "has a key"),
                   retort::component<Search>("stage.test_search", "1.0.0", "runs other stages"),
                   retort::component<Echo>("teacher.test_echo", "1.0.0", "says yes"));
