// retort template MODEL_OR_TEMPLATE DATA.json
#include <filesystem>
#include <iostream>
#include <iterator>

#include "command.h"
#include "host/base/files.h"
#include "task/chat_template.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

std::string read_data(const std::string& path) {
  if (path != "-") return host::read_file(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

jinja::RenderOptions render_options(const po::variables_map& variables) {
  jinja::RenderOptions options;
  if (variables.count("now") > 0) options.clock = task::clock_at(variables["now"].as<std::string>());
  const std::string& spelling = variables["spelling"].as<std::string>();
  if (spelling == "javascript")
    options.dialect = jinja::Dialect::javascript;
  else if (spelling != "python")
    throw std::invalid_argument("--spelling: expected python or javascript, found '" + spelling + "'");
  return options;
}

}  // namespace

int template_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("now", po::value<std::string>()->value_name("TIME"),
                        "what strftime_now shows, such as 2025-07-10T12:00Z; default: the local time")(
      "spelling", po::value<std::string>()->default_value("python")->value_name("LANGUAGE"),
      "python: True, None, ['a'], as Transformers prints them; javascript: true, null, [\"a\"], as transformers.js");
  hidden.add_options()("template", po::value<std::string>()->required())("data", po::value<std::string>()->required());
  positional.add("template", 1).add("data", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort template MODEL_OR_TEMPLATE DATA.json [options]",
       "Prints the prompt that a chat template makes of DATA.json, to the byte. MODEL_OR_TEMPLATE is a model folder, a "
       "tokenizer_config.json or a Jinja file; DATA.json (- for standard input) holds {\"messages\": [...], \"tools\": "
       "[...], \"add_generation_prompt\": true, ...}; its other keys are the template's variables.",
       "retort template smollm2 chat.json --now 2025-07-10"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const jinja::RenderOptions render = render_options(*variables);
  const std::string path = (*variables)["template"].as<std::string>();
  const std::string data = (*variables)["data"].as<std::string>();
  if (!std::filesystem::exists(path)) throw std::invalid_argument("'" + path + "': no such file or folder");
  const auto chat_template = task::ChatTemplate::load(path);
  std::cout << chat_template.render(task::parse_chat_input(read_data(data), data == "-" ? "standard input" : data),
                                    render);
  return exit_success;
}

}  // namespace retort::apps
