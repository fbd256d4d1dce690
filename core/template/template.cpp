// See template.h.
#include "template/template.h"

#include <ctime>
#include <stdexcept>

#include "template/interpreter.h"
#include "template/parser.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return time;
}

}  // namespace

struct Template::State {
  std::string origin;
  Block block;
};

Template::Template(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Template Template::parse(std::string_view source, const std::string& origin) {
  return Template(std::make_unique<const State>(State{origin, jinja::parse(source, origin)}));
}

std::string Template::render(const nlohmann::ordered_json& variables, const RenderOptions& options) const {
  if (!variables.is_object())
    throw std::invalid_argument("expected an object of variables, found " + std::string(variables.type_name()));
  Interpreter interpreter(state_->origin, options.limits, options.dialect, options.clock ? options.clock : local_time);
  auto context = options.functions;
  for (const auto& [name, value] : variables.items())
    context.emplace_back(name, value_from_json(interpreter, value, "/" + name));
  return interpreter.run(state_->block, context);
}

}  // namespace retort::jinja
