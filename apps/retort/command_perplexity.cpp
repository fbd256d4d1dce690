// retort perplexity MODEL FILE
#include <algorithm>
#include <iomanip>
#include <iostream>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/plugin/plugin_error.h"
#include "model/stored_weights.h"
#include "model_options.h"
#include "runtime/measure/perplexity.h"
#include "text/tokenizer.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

std::int64_t number_of(const po::variables_map& variables, const char* option, std::int64_t least) {
  const auto number = variables[option].as<std::int64_t>();
  if (number < least || number > 1'000'000)
    throw std::invalid_argument("--" + std::string(option) + ": expected " + std::to_string(least) +
                                " to 1000000, found " + std::to_string(number));
  return number;
}

}  // namespace

int perplexity_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("window", po::value<std::int64_t>()->default_value(2048)->value_name("N"),
                        "tokens that see each other")(
      "windows", po::value<std::int64_t>()->default_value(0)->value_name("N"), "the first N windows; 0 = all")(
      "json", po::bool_switch(), "as JSON");
  add_model_options(options);
  hidden.add_options()("model", po::value<std::string>()->required())("file", po::value<std::string>()->required());
  positional.add("model", 1).add("file", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort perplexity MODEL FILE [options]",
       "Measures how well a model predicts a text: its tokens in windows one behind the other, without special tokens, "
       "every token but the first of a window predicted from those before it.",
       "retort perplexity smollm2-135m wikitext-2/test.txt --windows 20"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const runtime::PerplexityOptions choice{number_of(*variables, "window", 2), number_of(*variables, "windows", 0)};
  runtime::DecoderOptions decoding = decoder_options(*variables);
  if (decoding.context == 0) decoding.context = choice.window;
  const std::filesystem::path path = model_path((*variables)["model"].as<std::string>());
  const model::ModelFolder folder(path);
  const std::vector<text::TokenId> tokens =
      text::Tokenizer::load(path).encode(host::read_file((*variables)["file"].as<std::string>()));
  runtime::Decoder decoder(folder, decoding);
  const runtime::Perplexity found =
      runtime::perplexity(decoder, tokens, choice, [] { return !host::stop_requested(); });
  if ((*variables)["json"].as<bool>())
    std::cout << host::Json{{"perplexity", found.value()},
                            {"nats", found.nats},
                            {"windows", found.windows},
                            {"window", choice.window},
                            {"predicted", found.predicted},
                            {"tokens", tokens.size()},
                            {"weights", model::weight_forms(folder)},
                            {"bytes", folder.weight_bytes()}}
                     .dump(2)
              << "\n";
  else
    std::cout << "perplexity " << std::fixed << std::setprecision(3) << found.value() << " over " << found.predicted
              << " tokens in " << found.windows << " windows of " << choice.window << "\n";
  return host::stop_requested() ? exit_interrupted : exit_success;
}

}  // namespace retort::apps
