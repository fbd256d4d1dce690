// Grammars at 151,936 tokens over real schemas (compile times, masks when first met and when kept), and what a grammar
// costs and gains in a call of a super-tiny model. Data from $RETORT_SHARED.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <numeric>

#include "fixtures.h"
#include "grammar/grammar.h"
#include "grammar/instance_text.h"
#include "grammar/program_builder.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "random_model.h"
#include "runtime/generate/call_model.h"
#include "text/bpe_trainer.h"

namespace retort {
namespace {

using Clock = std::chrono::steady_clock;
using schema::OrderedJson;
using text::TokenId;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// Of this thread: what other load does not stretch. A call costs most of a microsecond.
double processor_microseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

void print(const char* name, std::vector<double> values, const char* unit) {
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
  };
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  std::printf("%-34s n %7zu  mean %9.2f  p50 %9.2f  p90 %9.2f  p99 %9.2f  max %9.2f %s\n", name, values.size(), mean,
              at(0.5), at(0.9), at(0.99), values.back(), unit);
}

void measure_masks() {
  const auto tokenizer = text::Tokenizer::load(tests::shared_data("tokenizer-qwen3"));
  const auto vocabulary = std::make_shared<const grammar::Vocabulary>(tokenizer);
  std::ifstream lines(tests::shared_data("../cases/json-schema/handed.jsonl"));
  std::vector<double> compile, all, cold, kept, forced_runs;
  std::int64_t tokens = 0, forced = 0;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson group = OrderedJson::parse(line);
    std::shared_ptr<const grammar::Program> program;
    const double start = processor_microseconds();
    try {
      program = grammar::schema_program(grammar::schema_rules(schema::SchemaDocument(group.at("schema"))),
                                        {task::JsonSpacing::compact, task::KeyOrder::schema});
    } catch (const std::invalid_argument&) {
      continue;
    }
    compile.push_back((processor_microseconds() - start) / 1000);
    grammar::Grammar masks(program, vocabulary);
    for (const OrderedJson& test : group.at("tests")) {
      if (!test.at("valid").get<bool>()) continue;
      grammar::GrammarState state = masks.begin();
      for (const text::TokenId token : tokenizer.encode(grammar::compact_text(test.at("data")))) {
        const std::size_t before = masks.kept_masks();
        const double first = processor_microseconds();
        masks.mask(state);
        const double once = processor_microseconds() - first;
        const auto second = Clock::now();
        masks.mask(state);
        kept.push_back(microseconds_since(second));
        all.push_back(once);
        if (masks.kept_masks() != before) cold.push_back(once);
        const auto third = Clock::now();
        forced += masks.forced(state, tokenizer).empty() ? 0 : 1;
        forced_runs.push_back(microseconds_since(third));
        ++tokens;
        if (!masks.advance(state, token)) break;
      }
    }
  }
  print("compile", compile, "ms");
  print("mask, as met along instances", all, "us");
  print("mask, first time in its state", cold, "us");
  print("mask, kept", kept, "us");
  print("forced run (asked at every token)", forced_runs, "us");
  std::printf("tokens that begin a forced run: %.1f %%\n",
              100.0 * static_cast<double>(forced) / static_cast<double>(tokens));
}

/// Processor microseconds of a call for each way; the ways take turns so that other load hits all.
void compare_calls(const char* name, const std::filesystem::path& folder, const std::vector<std::string>& utterances) {
  const std::pair<const char*, runtime::CallGrammar> ways[] = {{"no grammar", {.on = false}},
                                                               {"grammar", {.forced_runs = false}},
                                                               {"grammar, forced runs", {}},
                                                               {"  and mass", {.measure_mass = true}}};
  std::vector<std::unique_ptr<runtime::CallModel>> models;
  for (const auto& [way, options] : ways) {
    models.push_back(std::make_unique<runtime::CallModel>(folder, runtime::DecoderOptions{.threads = 1}));
    runtime::CallGrammar wanted = options;
    wanted.options = models.back()->grammar_settings().options;  // the package's: values from the utterance, say
    models.back()->set_grammar(std::move(wanted));
  }
  std::vector<std::vector<double>> times(std::size(ways));
  std::vector<std::int64_t> tokens(std::size(ways)), forced(std::size(ways));
  for (int round = 0; round < 60; ++round)
    for (const std::string& utterance : utterances)
      for (std::size_t i = 0; i < models.size(); ++i) {
        const double start = processor_microseconds();
        const runtime::Answer answer = models[i]->answer(utterance, 96);
        const double time = processor_microseconds() - start;
        if (round < 5) continue;
        times[i].push_back(time);
        tokens[i] += static_cast<std::int64_t>(answer.tokens.size());
        forced[i] += answer.forced;
      }
  std::printf("%s\n", name);
  for (std::size_t i = 0; i < models.size(); ++i) {
    print(ways[i].first, times[i], "us");
    std::printf("    tokens %lld, forced %lld\n", static_cast<long long>(tokens[i]), static_cast<long long>(forced[i]));
  }
}

/// The call model of a shared case, whose one bad pattern is mended.
void measure_functional_calls() {
  const auto source = tests::shared_data("../cases/files/10-schema-pattern-compiled-late/model");
  const tests::TemporaryFolder folder;
  std::filesystem::copy(source, folder / "model", std::filesystem::copy_options::recursive);
  std::string text = host::read_file(source / "retort.json");
  const std::size_t at = text.find("(unclosed");
  if (at != std::string::npos) text.replace(at, 9, "^.+$");
  host::write_file_atomically(folder / "model/retort.json", text);
  std::vector<std::string> utterances;
  const host::Json package = host::Json::parse(text);
  for (const auto& golden : package.at("golden")) utterances.push_back(golden.at("utterance"));
  compare_calls("a call in functional_tokens form (126 k parameters, trained)", folder / "model", utterances);
}

/// A model of the same size with random weights, which under a grammar still writes calls.
void measure_json_calls() {
  const auto tools = task::tools_from_json(host::Json::parse(R"([
    {"type":"function","function":{"name":"light_set","parameters":{"type":"object","required":["room","state"],"properties":{
      "room":{"enum":["kitchen","living room","bedroom","hall"]},"state":{"enum":["on","off"]},"level":{"type":"integer","minimum":0,"maximum":100}}}}},
    {"type":"function","function":{"name":"thermostat_set","parameters":{"type":"object","required":["room","temperature"],"properties":{
      "room":{"enum":["kitchen","living room","bedroom","hall"]},"temperature":{"type":"integer","minimum":5,"maximum":30}}}}},
    {"type":"function","function":{"name":"timer_start","parameters":{"type":"object","required":["minutes"],"properties":{
      "minutes":{"type":"integer","minimum":1,"maximum":600},"label":{"enum":["eggs","tea","laundry"]}}}}}])"),
                                           "tools");
  const task::PromptContract contract("json", tools);
  std::vector<std::string> texts;
  for (const char* room : {"kitchen", "living room", "bedroom", "hall"})
    for (int i = 0; i < 8; ++i) {
      texts.push_back(contract.training_text(
          std::string("turn on the light in the ") + room,
          {{"light_set", {{"room", room}, {"state", i % 2 == 0 ? "on" : "off"}, {"level", i * 10}}}}));
      texts.push_back(
          contract.training_text(std::string("set it to ") + std::to_string(15 + i) + " degrees in the " + room,
                                 {{"thermostat_set", {{"room", room}, {"temperature", 15 + i}}}}));
      texts.push_back(
          contract.training_text("start a timer for tea", {{"timer_start", {{"minutes", i + 3}, {"label", "tea"}}}}));
    }
  const tests::TemporaryFolder folder;
  model::ModelConfig config = runtime::testing::grouped_config("qwen3", true);
  config.vocabulary_size = 512;
  runtime::testing::write_model(folder.path(), config, runtime::testing::random_weights(config, 3),
                                runtime::testing::Storage::int8);
  host::write_file_atomically(
      folder / "tokenizer.json",
      text::train_byte_level_bpe(texts, {.vocabulary_size = 512, .special_tokens = contract.special_tokens()}));
  host::write_json(folder / "retort.json", {{"task", contract.to_json()}});
  compare_calls("a call in json form (random weights)", folder.path(),
                {"turn on the light in the kitchen", "set it to 20 degrees in the hall", "start a timer for tea"});
}

/// Answers that are known beforehand, decoded as a model that says them would: what forced runs gain does not depend on
/// what a model has learnt, only on its shape, its tokenizer and the tools.
void measure_known_answers(const std::string& name, const model::ModelFolder& folder, const text::Tokenizer& tokenizer,
                           const schema::OrderedJson& schema, const std::vector<std::string>& answers, int rounds) {
  runtime::Decoder decoder(folder, {.threads = 1});
  const std::vector<TokenId> prompt = tokenizer.encode("please turn on the light in the kitchen at half past seven");
  grammar::Grammar limits(grammar::schema_program(grammar::schema_rules(schema::SchemaDocument(schema)),
                                                  {task::JsonSpacing::compact, task::KeyOrder::schema}),
                          std::make_shared<const grammar::Vocabulary>(tokenizer));
  enum Way { free, limited, forced };
  std::vector<double> times[3];
  std::int64_t tokens = 0, in_runs = 0;
  for (int round = 0; round < rounds; ++round)
    for (const std::string& answer : answers)
      for (const Way way : {free, limited, forced}) {
        const std::vector<TokenId> said = tokenizer.encode(answer);
        const double start = processor_microseconds();
        decoder.prompt(prompt, 0);
        grammar::GrammarState state = limits.begin();
        std::size_t fed = 0;
        for (std::size_t known = 0; known < said.size();) {
          std::size_t run = way == forced ? limits.forced(state, tokenizer).size() : 0;
          if (run == 0) {  // a token is chosen
            if (known > fed) decoder.forward(std::span(said).subspan(fed, known - fed));
            fed = known;
            run = 1;
          } else if (round > 0) {
            in_runs += static_cast<std::int64_t>(run);
          }
          for (; run > 0 && known < said.size(); --run, ++known)
            if (way != free && !limits.advance(state, said[known]))
              throw std::runtime_error("bench: the answer does not fit its schema: " + answer);
        }
        if (round > 0) times[way].push_back(processor_microseconds() - start);
        if (round > 0 && way == free) tokens += static_cast<std::int64_t>(said.size());
      }
  std::printf("%s: %lld tokens, %.0f %% of them in forced runs\n", name.c_str(), static_cast<long long>(tokens),
              100.0 * static_cast<double>(in_runs) / static_cast<double>(tokens));
  for (const Way way : {free, limited, forced})
    print(way == free ? "no grammar" : way == limited ? "grammar" : "grammar, forced runs", times[way], "us");
  std::vector<double> passes;
  for (const std::size_t width : {1U, 2U, 4U, 8U}) {
    const std::vector<TokenId> several(width, prompt.front());
    passes.clear();
    for (int i = 0; i < 3 * rounds; ++i) {
      decoder.prompt(prompt, 0);
      const double start = processor_microseconds();
      decoder.forward(several);
      passes.push_back(processor_microseconds() - start);
    }
    print(("a pass of " + std::to_string(width)).c_str(), passes, "us");
  }
}

/// `folder` empty: a super-tiny shape with random weights and a tokenizer made of such calls.
void measure_forced_runs(const std::filesystem::path& folder) {
  const auto schema = schema::OrderedJson::parse(R"({"type":"array","minItems":1,"items":{"anyOf":[
    {"type":"object","required":["name","arguments"],"additionalProperties":false,"properties":{"name":{"const":"light_set"},
      "arguments":{"type":"object","required":["room","state"],"additionalProperties":false,"properties":{
        "room":{"enum":["kitchen","living room","bedroom","hall"]},"state":{"enum":["on","off"]}}}}},
    {"type":"object","required":["name","arguments"],"additionalProperties":false,"properties":{"name":{"const":"thermostat_set"},
      "arguments":{"type":"object","required":["room","temperature"],"additionalProperties":false,"properties":{
        "room":{"enum":["kitchen","living room","bedroom","hall"]},"temperature":{"type":"integer","minimum":5,"maximum":30}}}}},
    {"type":"object","required":["name","arguments"],"additionalProperties":false,"properties":{"name":{"const":"message_send"},
      "arguments":{"type":"object","required":["to","text"],"additionalProperties":false,"properties":{
        "to":{"type":"string"},"text":{"type":"string"}}}}}]}})");
  const std::vector<std::string> answers = {
      R"([{"name":"light_set","arguments":{"room":"kitchen","state":"on"}}])",
      R"([{"name":"thermostat_set","arguments":{"room":"living room","temperature":21}}])",
      R"([{"name":"message_send","arguments":{"to":"Anna","text":"I am late, please start without me"}}])",
      R"([{"name":"light_set","arguments":{"room":"hall","state":"off"}},{"name":"light_set","arguments":{"room":"bedroom","state":"off"}}])"};
  if (!folder.empty())
    return measure_known_answers(folder.string(), model::ModelFolder(folder), text::Tokenizer::load(folder), schema,
                                 answers, 2);
  const tests::TemporaryFolder made;
  model::ModelConfig config = runtime::testing::grouped_config("qwen3", true);
  config.hidden_size = 112;
  config.intermediate_size = 288;
  config.layers = 5;
  config.heads = config.kv_heads = 4;
  config.head_dim = 28;
  config.vocabulary_size = 1792;
  runtime::testing::write_model(made.path(), config, runtime::testing::random_weights(config, 3),
                                runtime::testing::Storage::int8);
  std::vector<std::string> texts = answers;
  texts.emplace_back("please turn on the light in the kitchen at half past seven");
  host::write_file_atomically(made / "tokenizer.json", text::train_byte_level_bpe(texts, {.vocabulary_size = 330}));
  measure_known_answers("super-tiny shape, json", model::ModelFolder(made.path()), text::Tokenizer::load(made.path()),
                        schema, answers, 100);
}

/// A trained model of any form, asked the first user messages of a JSONL file.
void measure_model(const std::filesystem::path& folder, const std::filesystem::path& rows) {
  constexpr std::size_t most = 20;
  std::vector<std::string> utterances;
  std::ifstream lines(rows);
  for (std::string line; utterances.size() < most && std::getline(lines, line);) {
    const host::Json row = host::Json::parse(line);
    for (const host::Json& message : row.at("messages")) {
      if (message.at("role") != "user") continue;
      utterances.push_back(message.at("content"));
      break;
    }
  }
  compare_calls(folder.c_str(), folder, utterances);
}

}  // namespace
}  // namespace retort

/// `bench_grammar [masks|calls]`, `bench_grammar model FOLDER ROWS.jsonl`, or `bench_grammar forced [FOLDER]`
int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "model" && count == 4) {
    retort::measure_model(arguments[2], arguments[3]);
    return 0;
  }
  if (what == "forced") {
    retort::measure_forced_runs(count > 2 ? arguments[2] : "");
    return 0;
  }
  if (what != "calls") retort::measure_masks();
  if (what == "masks") return 0;
  retort::measure_functional_calls();
  retort::measure_json_calls();
}
