// retort grammar SCHEMA
#include <chrono>
#include <fstream>
#include <iostream>

#include "command.h"
#include "grammar/instance_text.h"
#include "grammar/program_builder.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

struct Compiled {
  std::shared_ptr<const grammar::Program> program;
  double milliseconds = 0;
};

Compiled compile(const std::string& path) {
  const std::string text = host::read_file(path);
  const host::Json checked = host::parse_json(text, path);  // for its messages and limits; the order is lost
  const auto schema = schema::OrderedJson::parse(text, nullptr, true, true);
  const auto start = std::chrono::steady_clock::now();
  try {
    const schema::SchemaDocument document(schema);
    Compiled compiled;
    compiled.program =
        grammar::schema_program(grammar::schema_rules(document), {task::JsonSpacing::compact, task::KeyOrder::any});
    compiled.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return compiled;
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(path + ": " + error.what());
  }
}

/// One line for each instance: {"line", "accepted"}, with "error" where the line is no JSON.
void test_instances(const Compiled& compiled, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("'" + path + "': cannot be read");
  grammar::InstanceCheck check(compiled.program);
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    host::Json verdict = {{"line", number}};
    try {
      verdict["accepted"] = check.accepts(line);
    } catch (const std::invalid_argument& error) {
      verdict["accepted"] = false;
      verdict["error"] = error.what();
    }
    std::cout << verdict.dump(-1, ' ', false, host::Json::error_handler_t::replace) << "\n";
  }
}

}  // namespace

int grammar_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("test", po::value<std::string>()->value_name("INSTANCES.jsonl"),
                        "says of each line, one JSON value, whether the grammar takes it: {\"line\": 1, \"accepted\": "
                        "true}; white space, the order of keys and the spelling of numbers do not matter")(
      "json", po::bool_switch(), "what was compiled, as JSON");
  hidden.add_options()("schema", po::value<std::string>()->required());
  positional.add("schema", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort grammar SCHEMA [options]",
       "Compiles a JSON Schema to a grammar of the values that fit it. A schema that has none (core/grammar/README.md "
       "lists the keywords) is refused with exit code 2 and the JSON pointer of what has no grammar.",
       "retort grammar schema.json --test instances.jsonl"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const Compiled compiled = compile((*variables)["schema"].as<std::string>());
  const grammar::Program& program = *compiled.program;
  if (variables->count("test") > 0) {
    test_instances(compiled, (*variables)["test"].as<std::string>());
  } else if ((*variables)["json"].as<bool>()) {
    std::cout << host::Json{{"compiled", true},
                            {"milliseconds", compiled.milliseconds},
                            {"instructions", program.code.size()},
                            {"objects", program.objects.size()},
                            {"lists", program.lists.size()}}
                     .dump()
              << "\n";
  } else {
    std::cout << "compiled in " << compiled.milliseconds << " ms: " << program.code.size() << " instructions, "
              << program.objects.size() << " objects, " << program.lists.size() << " lists\n";
  }
  return exit_success;
}

}  // namespace retort::apps
