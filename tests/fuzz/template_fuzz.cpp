// Chat templates: the text up to a zero byte is the template, what follows is its data as JSON (none: a conversation).
// Whatever they are, parsing and rendering end within their limits; a prompt is valid UTF-8 of at most that size.
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "host/base/utf8.h"
#include "task/chat_template.h"

namespace {

constexpr std::string_view conversation =
    R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U ü"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
         "function": {"name": "f", "arguments": {"a": [1, 2.5, true, null]}}}]}, {"role": "tool", "content": "4"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})";

void require(bool condition) {
  if (!condition) std::abort();
}

retort::jinja::RenderOptions options(retort::jinja::Dialect dialect) {
  retort::jinja::RenderOptions options;
  options.dialect = dialect;
  options.clock = retort::task::clock_at("2025-07-10T12:00Z");
  options.limits.steps = 200'000;
  options.limits.bytes = std::size_t{4} << 20U;
  options.limits.output = std::size_t{1} << 20U;
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace retort;
  using namespace retort::task;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const auto zero = input.find('\0');
  const std::string_view data = zero == std::string_view::npos ? conversation : input.substr(zero + 1);
  try {
    const auto parsed = jinja::Template::parse(input.substr(0, zero), "template");
    const ChatInput chat = parse_chat_input(data, "data");
    nlohmann::ordered_json variables = chat.variables;
    variables["messages"] = chat.messages;
    variables["tools"] = chat.tools;
    variables["add_generation_prompt"] = chat.add_generation_prompt;
    for (const auto dialect : {jinja::Dialect::python, jinja::Dialect::javascript}) {
      try {
        const std::string prompt = parsed.render(variables, options(dialect));
        require(prompt.size() <= options(dialect).limits.output);
        require(retort::host::replace_invalid_utf8(prompt) == prompt);
      } catch (const std::invalid_argument&) {
      }
    }
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
