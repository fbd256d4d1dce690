// retort show PATH
#include <iostream>

#include "command.h"
#include "host/report/inspection.h"
#include "host/report/lost_rows.h"
#include "model_description.h"

namespace retort::apps {

namespace po = boost::program_options;

int show_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("json", po::bool_switch(), "as JSON; what is not known is null")(
      "lost", po::value<std::string>()->value_name("STAGE"),
      "of a run: test rows that this stage's model lost or gained against the one it was made from, with both answers");
  hidden.add_options()("path", po::value<std::string>()->required());
  positional.add("path", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort show PATH [options]",
       "Describes a run directory (stages, table of results), an artifact (what it was made of) or a model folder.",
       "retort show runs/quickstart"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const std::filesystem::path path = (*variables)["path"].as<std::string>();
  if (variables->count("lost") > 0) {
    const host::Json rows = host::lost_rows(path, (*variables)["lost"].as<std::string>());
    const bool as_json = (*variables)["json"].as<bool>();
    std::cout << (as_json ? rows.dump(2, ' ', false, host::Json::error_handler_t::replace) : host::lost_rows_text(rows))
              << "\n";
    return exit_success;
  }
  if (!(*variables)["json"].as<bool>()) {
    std::cout << host::inspection_text(path, [](const std::filesystem::path& model) {
      return description_text(describe_model(model));
    }) << "\n";
    return exit_success;
  }
  host::Json json = host::inspect(path);
  if (std::filesystem::exists(path / "config.json")) json["model"] = describe_model(path);
  std::cout << json.dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
  return exit_success;
}

}  // namespace retort::apps
