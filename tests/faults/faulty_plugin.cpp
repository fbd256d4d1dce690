// A stage and a loss that do, on demand, what no component may: each value of "what" is one fault.
#include <unistd.h>

#include <cfenv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <retort/plugin.hpp>
#include <retort/reward.hpp>
#include <retort/stage.hpp>
#include <string>
#include <thread>

#ifdef FAULTY_REBUILT
extern const char build_mark[];
[[gnu::used]] const char build_mark[] = "the same version, built anew";
#endif

namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write '" + path.string() + "'");
}

/// Makes a dataset of one file, and a fault.
class Faulty : public retort::Stage {
 public:
  struct Params {
    std::string what = "nothing", path;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("what", &Params::what)
        .string("path", &Params::path)
        .existing_path()
        .doc("any file");
  }
  explicit Faulty(Params params) : params_(std::move(params)) {}
  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset").input("dataset", "dataset", "what may be spoilt", RETORT_INPUT_OPTIONAL);
    return shape;
  }
  void run(const retort::StageContext& context) override {
    write_text(context.output_folder() + "/train.jsonl", std::to_string(context.seed()) + "\n");
    const std::string& what = params_.what;
    if (what == "exits") std::exit(0);  // NOLINT(concurrency-mt-unsafe)
    if (what == "quick_exits") std::quick_exit(0);
    if (what == "ends") ::_exit(0);
    if (what == "spoils_input") spoil(context.input_folder("dataset") + "/train.jsonl");
    if (what == "bad_text") throw std::runtime_error("\xC3\x28 \x1b]0;owned\x07 and \x1b[31mred");
    if (what == "bad_log") retort::log_warning("\x1b[2Jcleared \xFF");
    if (what == "deep_fact") context.fact("deep", std::string(60000, '[') + std::string(60000, ']'));
    if (what == "bad_fact_name") context.fact("\xFF", "1");
    if (what == "bad_file_name") write_text(context.output_folder() + "/\xFF", "");
    if (what == "rounds") std::fesetround(FE_DOWNWARD);
    if (what == "waits")
      for (int i = 0; i < 600; ++i) {
        retort::throw_if_stopped();
        retort::log_info("waiting");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    // What the host does not restore shows in the next stage's file.
    volatile float third = 1.0F;
    third = third / 3.0F;
    write_text(context.output_folder() + "/third.txt", std::to_string(static_cast<double>(third) * 1e9));
  }

 private:
  /// As root even a read-only file can be written to.
  static void spoil(const std::filesystem::path& file) {
    std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    std::ofstream(file, std::ios::app) << "spoilt\n";
  }
  Params params_;
};

}  // namespace

RETORT_PLUGIN(Faulty, "stage.faulty", FAULTY_VERSION, "does what no stage may");
