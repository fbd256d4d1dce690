// retort call MODEL "TEXT", or --messages FILE
#include <algorithm>
#include <cmath>
#include <iostream>
#include <variant>

#include "call_grammar.h"
#include "call_question.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number_format.h"
#include "host/plugin/plugin_error.h"
#include "model_options.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

/// Nearest-rank percentile of an ascending, non-empty list.
double percentile(const std::vector<double>& ascending, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(ascending.size())));
  return ascending[std::clamp<std::size_t>(rank, 1, ascending.size()) - 1];
}

host::Json measure(runtime::CallModel& model, const task::Conversation& asked, std::int64_t repetitions) {
  std::vector<double> milliseconds;
  for (std::int64_t i = 0; i < repetitions && !host::stop_requested(); ++i)
    milliseconds.push_back(model.answer(asked).milliseconds);
  if (milliseconds.empty()) return nullptr;
  std::sort(milliseconds.begin(), milliseconds.end());
  return {{"repetitions", milliseconds.size()},
          {"p50_ms", percentile(milliseconds, 0.5)},
          {"p90_ms", percentile(milliseconds, 0.9)},
          {"p99_ms", percentile(milliseconds, 0.99)}};
}

void print_json(const runtime::Answer& answer, const host::Json& timing) {
  const auto* malformed = std::get_if<task::Malformed>(&answer.parsed);
  const auto* calls = std::get_if<std::vector<task::Call>>(&answer.parsed);
  const host::Json json = {{"calls", calls != nullptr ? task::calls_to_json(*calls) : host::Json()},
                           {"malformed", malformed != nullptr ? host::Json(malformed->reason) : host::Json()},
                           {"cut", answer.cut},
                           {"text", answer.text},
                           {"milliseconds", answer.milliseconds},
                           {"timing", timing}};
  std::cout << json.dump(-1, ' ', false, host::Json::error_handler_t::replace) << "\n";
}

void print_lines(const runtime::Answer& answer, const host::Json& timing) {
  if (const auto* calls = std::get_if<std::vector<task::Call>>(&answer.parsed))
    for (const host::Json& call : task::calls_to_json(*calls)) std::cout << call.dump() << "\n";
  if (timing.is_null()) return;
  std::cerr << "p50 " << host::format_ms(timing["p50_ms"]) << "  p90 " << host::format_ms(timing["p90_ms"]) << "  p99 "
            << host::format_ms(timing["p99_ms"]) << "  (" << timing["repetitions"] << " calls)\n";
}

}  // namespace

int call_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("time", po::value<std::int64_t>()->default_value(0)->value_name("N"),
                        "answer N times more and print the latency to stderr")(
      "json", po::bool_switch(), "one JSON object: calls, malformed, cut, text, milliseconds, timing");
  add_question_options(options);
  add_grammar_options(options);
  add_model_options(options);
  hidden.add_options()("model", po::value<std::string>()->required())("text", po::value<std::string>());
  positional.add("model", 1).add("text", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort call MODEL [TEXT] [options]",
       "Lets a model folder (or a run's model) answer TEXT or the messages of a file; prints one JSON call "
       "a line, nothing where none is needed.\n"
       "Exit code 1 when the model's response is malformed.",
       "retort call runs/quickstart/model \"turn on the kitchen light\""},
      options, positional, hidden);
  if (!variables) return exit_success;
  const std::int64_t repetitions = (*variables)["time"].as<std::int64_t>();
  if (repetitions < 0) throw std::invalid_argument("--time: expected 0 or more, found " + std::to_string(repetitions));

  expect_one_question(*variables);
  runtime::CallModel model = open_model((*variables)["model"].as<std::string>(), *variables);
  apply_grammar_options(*variables, model);
  const task::Conversation asked = read_question(*variables, model.contract());
  apply_enums(*variables, model);
  const runtime::Answer answer = model.answer(asked);
  const host::Json timing = repetitions > 0 ? measure(model, asked, repetitions) : host::Json();
  if ((*variables)["json"].as<bool>())
    print_json(answer, timing);
  else
    print_lines(answer, timing);
  if (host::stop_requested()) return exit_interrupted;
  const auto* malformed = std::get_if<task::Malformed>(&answer.parsed);
  if (malformed == nullptr) return exit_success;
  host::log_error((answer.cut ? "the answer was cut short: " : "malformed response: ") + malformed->reason +
                  "; the model said: " + answer.text);
  return exit_failure;
}

}  // namespace retort::apps
