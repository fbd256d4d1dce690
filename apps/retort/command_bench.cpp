// retort bench MODEL | --random SHAPE
#include <unistd.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <thread>

#include "host/base/json.h"
#include "host/base/log.h"
#include "host/plugin/plugin_error.h"
#include "model_options.h"
#include "runtime/measure/read_bandwidth.h"
#include "runtime/measure/speed.h"
#include "runtime/measure/synthetic_model.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

/// A folder beside other temporary files that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "retort-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the folder '" + name + "'");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Result {
  runtime::SpeedTest test;
  runtime::Speed speed;
};

struct Report {
  std::string model, weights, kv_cache;
  std::int64_t bytes = 0, parameters = 0, threads = 0;
  std::int64_t token_bytes = 0;     ///< weights that one decoded token reads
  std::int64_t kv_token_bytes = 0;  ///< keys and values of one position
  double load_ms = 0;
  double bandwidth = 0;  ///< bytes per second
  std::vector<Result> results;
  std::vector<std::string> implementations;

  /// Bytes that a token reads on average over a test of one sequence: weights, and keys and values so far.
  double bytes_per_token(const runtime::SpeedTest& test) const {
    return static_cast<double>(token_bytes) +
           static_cast<double>(kv_token_bytes) *
               (static_cast<double>(test.depth) + static_cast<double>(test.generate + 1) / 2);
  }
  /// The first test of generation by one sequence; null if there is none.
  const Result* decode() const {
    for (const Result& result : results)
      if (result.test.prompt == 0 && result.test.batch == 1 && !result.speed.samples.empty()) return &result;
    return nullptr;
  }
  double decode_bytes_per_second() const {
    return decode() == nullptr ? 0 : bytes_per_token(decode()->test) * decode()->speed.median();
  }
};

runtime::SyntheticWeights weights_of(const std::string& name) {
  if (name == "bf16") return runtime::SyntheticWeights::bf16;
  if (name == "int8") return runtime::SyntheticWeights::int8;
  if (name == "w8a16") return runtime::SyntheticWeights::w8a16;
  if (name == "int4") return runtime::SyntheticWeights::int4;
  if (name == "int4-pure") return runtime::SyntheticWeights::int4_pure;
  throw std::invalid_argument("--quant: expected int8, w8a16, int4, int4-pure or bf16, found " + name);
}

std::string weights_name(const model::ModelFolder& folder) {
  const model::LinearWeight weight = folder.linear("model.layers.0.mlp.gate_proj");
  const int head_bits = folder.head().bits;
  if (weight.bits != 0)
    return "int" + std::to_string(weight.bits) + (weight.activation_bits == 8 ? " W8A8" : "") +
           (head_bits != 0 && head_bits != weight.bits ? ", head int" + std::to_string(head_bits) : "");
  return weight.weight->type == model::DataType::bf16  ? "bf16"
         : weight.weight->type == model::DataType::f16 ? "f16"
                                                       : "f32";
}

std::vector<std::int64_t> counts_of(const std::string& list, const std::string& option, std::int64_t most) {
  std::vector<std::int64_t> counts;
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    std::size_t read = 0;
    std::int64_t count = -1;
    try {
      count = std::stoll(item, &read);
    } catch (const std::logic_error&) {
      read = 0;
    }
    if (read != item.size() || item.empty() || count < 1 || count > most)
      throw std::invalid_argument(option + ": expected numbers from 1 to " + std::to_string(most) +
                                  " with commas between them, found \"" + list + "\"");
    counts.push_back(count);
  }
  if (counts.empty()) throw std::invalid_argument(option + ": expected a number, found nothing");
  return counts;
}

std::int64_t count_of(const po::variables_map& variables, const char* option, std::int64_t least) {
  const auto count = variables[option].as<std::int64_t>();
  if (count < least || count > 1'000'000)
    throw std::invalid_argument("--" + std::string(option) + ": expected " + std::to_string(least) +
                                " to 1000000, found " + std::to_string(count));
  return count;
}

std::vector<runtime::SpeedTest> tests_of(const po::variables_map& variables) {
  const std::int64_t prompt = count_of(variables, "prompt", 0), generate = count_of(variables, "generate", 0);
  const std::int64_t depth = count_of(variables, "depth", 0);
  std::vector<runtime::SpeedTest> tests;
  if (prompt > 0) tests.push_back({.prompt = prompt, .depth = depth});
  if (generate > 0)
    for (const std::int64_t batch : counts_of(variables["batch"].as<std::string>(), "--batch", runtime::kMaxSequences))
      tests.push_back({.generate = generate, .batch = batch, .depth = depth});
  if (tests.empty()) throw std::invalid_argument("-p, -n: expected one of them above 0, found 0 and 0");
  return tests;
}

runtime::DecoderOptions options_of(const po::variables_map& variables, const std::vector<runtime::SpeedTest>& tests) {
  runtime::DecoderOptions options = decoder_options(variables);
  for (const runtime::SpeedTest& test : tests) {
    options.context = std::max(options.context, test.depth + test.prompt + test.generate);
    options.sequences = std::max(options.sequences, test.batch);
  }
  options.chunk = variables["chunk"].as<std::int64_t>();
  return options;
}

double read_bandwidth(std::int64_t threads) {
  constexpr std::int64_t kPasses = 5;
  return runtime::ReadBandwidth(threads).measure(kPasses);
}

/// Measures the bandwidth right before and after the first test of decoding, whose share of it is printed, and takes
/// the mean: neighbours on the machine change it within seconds.
Report measure(const std::filesystem::path& path, const po::variables_map& variables) {
  const std::vector<runtime::SpeedTest> tests = tests_of(variables);
  const std::int64_t repetitions = count_of(variables, "repetitions", 1);
  const runtime::DecoderOptions options = options_of(variables, tests);
  Report report;
  const auto start = std::chrono::steady_clock::now();
  const model::ModelFolder folder(path);
  runtime::Decoder decoder(folder, options);
  report.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  report.weights = weights_name(folder);
  report.kv_cache = name_of(decoder.kv_cache());
  report.bytes = folder.weight_bytes();
  report.parameters = folder.config().parameters();
  report.threads = decoder.threads();
  report.token_bytes = runtime::weight_bytes_per_token(folder);
  report.kv_token_bytes = decoder.kv_bytes_per_token();
  report.implementations = decoder.implementations();
  const auto go_on = [] { return !host::stop_requested(); };
  for (const runtime::SpeedTest& test : tests) {
    const bool bounded = test.generate > 0 && test.batch == 1 && report.decode() == nullptr;
    if (bounded) report.bandwidth = read_bandwidth(report.threads);
    report.results.push_back({test, runtime::measure(decoder, test, repetitions, go_on)});
    if (bounded && go_on()) report.bandwidth = (report.bandwidth + read_bandwidth(report.threads)) / 2;
  }
  if (report.bandwidth == 0) report.bandwidth = read_bandwidth(report.threads);
  return report;
}

void print_json(const Report& report) {
  host::Json tests = host::Json::array();
  for (const Result& result : report.results)
    tests.push_back({{"test", name_of(result.test)},
                     {"prompt", result.test.prompt},
                     {"generate", result.test.generate},
                     {"batch", result.test.batch},
                     {"depth", result.test.depth},
                     {"tokens_per_second", result.speed.median()},
                     {"mean", result.speed.mean()},
                     {"deviation", result.speed.deviation()},
                     {"samples", result.speed.samples}});
  const bool decodes = report.decode() != nullptr;
  const host::Json json = {
      {"model", report.model},
      {"weights", report.weights},
      {"kv_cache", report.kv_cache},
      {"size_bytes", report.bytes},
      {"parameters", report.parameters},
      {"threads", report.threads},
      {"load_ms", report.load_ms},
      {"read_bandwidth_bytes_per_second", report.bandwidth},
      {"decode_bytes_per_token", decodes ? host::Json(report.bytes_per_token(report.decode()->test)) : host::Json()},
      {"decode_bandwidth_share",
       decodes ? host::Json(report.decode_bytes_per_second() / report.bandwidth) : host::Json()},
      {"tests", tests},
      {"implementations", report.implementations}};
  std::cout << json.dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

using Cells = std::vector<std::string>;

/// A Markdown table; numbers stand to the right from column `numbers` on, and in columns 1 and 2.
void print_table(const std::vector<Cells>& rows, std::size_t numbers) {
  std::vector<std::size_t> widths(rows[0].size());
  const auto characters = [](const std::string& text) {  // "±" is two bytes
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  };
  for (const Cells& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
  const auto right = [numbers](std::size_t column) { return column == 1 || column == 2 || column >= numbers; };
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::cout << "|";
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string space(widths[i] - characters(rows[r][i]), ' ');
      std::cout << " " << (right(i) ? space + rows[r][i] : rows[r][i] + space) << " |";
    }
    std::cout << "\n";
    if (r > 0) continue;
    std::cout << "|";
    for (std::size_t i = 0; i < widths.size(); ++i)
      std::cout << " " << std::string(widths[i] - (right(i) ? 1U : 0U), '-') << (right(i) ? ":" : "") << " |";
    std::cout << "\n";
  }
}

void print_text(const Report& report) {
  std::vector<Cells> rows{{"model", "size", "params", "weights", "kv", "threads", "test", "t/s"}};
  for (const Result& result : report.results)
    rows.push_back({report.model, fixed(static_cast<double>(report.bytes) / (1 << 20), 2) + " MiB",
                    fixed(static_cast<double>(report.parameters) / 1e6, 2) + " M", report.weights, report.kv_cache,
                    std::to_string(report.threads), name_of(result.test),
                    fixed(result.speed.mean(), 2) + " ± " + fixed(result.speed.deviation(), 2)});
  print_table(rows, 5);
  std::cout << "\nload " << fixed(report.load_ms, 0) << " ms; read bandwidth " << fixed(report.bandwidth / 1e9, 1)
            << " GB/s";
  if (report.decode() != nullptr)
    std::cout << "; " << name_of(report.decode()->test) << " reads "
              << fixed(report.bytes_per_token(report.decode()->test) / 1e6, 1) << " MB a token, "
              << fixed(report.decode_bytes_per_second() / 1e9, 1)
              << " GB/s: " << fixed(100 * report.decode_bytes_per_second() / report.bandwidth, 0) << " % of it";
  std::cout << "\n";
}

}  // namespace

int bench_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  std::string shapes;
  for (const std::string& shape : runtime::synthetic_shapes()) shapes += (shapes.empty() ? "" : ", ") + shape;
  options.add_options()("random", po::value<std::string>()->value_name("SHAPE"),
                        ("instead of MODEL: random weights of a known shape: " + shapes).c_str())(
      "quant", po::value<std::string>()->default_value("int8")->value_name("TYPE"),
      "weights of --random: int8 (with int8 activations), w8a16 (with float ones), int4 (the embedding and a tied head "
      "int8), int4-pure (all of them int4) or bf16")("save", po::value<std::string>()->value_name("FOLDER"),
                                                     "keep the model of --random there, to measure it again as MODEL")(
      "prompt,p", po::value<std::int64_t>()->default_value(512)->value_name("N"),
      "prompt of N tokens; 0 = no such test")("generate,n",
                                              po::value<std::int64_t>()->default_value(128)->value_name("N"),
                                              "then N tokens one by one; 0 = none")(
      "batch", po::value<std::string>()->default_value("1")->value_name("B,…"),
      "sequences that are decoded together; each gives a row, in tokens/s of all")(
      "depth,d", po::value<std::int64_t>()->default_value(0)->value_name("N"), "tokens in the cache before each test")(
      "repetitions,r", po::value<std::int64_t>()->default_value(5)->value_name("N"),
      "of each test, after one to warm up")(
      "chunk", po::value<std::int64_t>()->default_value(0)->value_name("N"),
      ("tokens of a prompt that are computed together; 0 = " + std::to_string(runtime::kDefaultChunk)).c_str())(
      "json", po::bool_switch(), "one JSON object; tokens_per_second are medians");
  add_model_options(options, std::max(1U, std::thread::hardware_concurrency()));
  hidden.add_options()("model", po::value<std::string>());
  positional.add("model", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort bench MODEL [options]\n       retort bench --random SHAPE [--quant TYPE] [options]",
       "Measures a model folder's speed: tokens/s of prompts and of generation, mean ± standard deviation, beside the\n"
       "bandwidth at which the machine reads memory and the share of it that generation reaches.",
       "retort bench --random qwen2.5-0.5b --quant int8 -t 2 --batch 1,4,8"},
      options, positional, hidden);
  if (!variables) return exit_success;
  if (variables->count("model") + variables->count("random") != 1)
    throw std::invalid_argument("bench: expected a model folder or --random SHAPE, found " +
                                std::string(variables->count("model") > 0 ? "both" : "neither"));
  if (variables->count("save") > 0 && variables->count("random") == 0)
    throw std::invalid_argument("--save: keeps the model of --random, which is not given");
  Report report;
  if (variables->count("model") > 0) {
    const std::filesystem::path path = model_path((*variables)["model"].as<std::string>());
    report = measure(path, *variables);
    report.model = path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
  } else {
    const std::string shape = (*variables)["random"].as<std::string>();
    const model::ModelConfig config = runtime::synthetic_config(shape);
    const runtime::SyntheticWeights weights = weights_of((*variables)["quant"].as<std::string>());
    options_of(*variables, tests_of(*variables));  // refuses what is wrong before a minute of work
    const TemporaryFolder temporary;
    const std::filesystem::path folder =
        variables->count("save") > 0 ? std::filesystem::path((*variables)["save"].as<std::string>()) : temporary.path();
    if (variables->count("save") > 0 && std::filesystem::exists(folder))
      throw std::invalid_argument("--save: expected a folder that does not exist, found '" + folder.string() + "'");
    runtime::write_synthetic_model(folder, config, weights, 1);
    report = measure(folder, *variables);
    report.model = shape + " (random)";
  }
  if ((*variables)["json"].as<bool>())
    print_json(report);
  else
    print_text(report);
  return host::stop_requested() ? exit_interrupted : exit_success;
}

}  // namespace retort::apps
