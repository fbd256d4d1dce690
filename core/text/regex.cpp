// PCRE2 behind Regex. Tokenizer files are written for Oniguruma; where the two differ the pattern is adapted.
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <stdexcept>

namespace retort::text {
namespace {

constexpr std::size_t jit_stack_start = 32 * 1024;
constexpr std::size_t jit_stack_limit = 4 * 1024 * 1024;

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  if (pcre2_get_error_message(code, buffer.data(), buffer.size()) < 0) return "error " + std::to_string(code);
  return reinterpret_cast<const char*>(buffer.data());
}

/// Oniguruma's \s is the property White_Space; PCRE2's also holds U+180E.
std::string with_unicode_white_space(const std::string& pattern) {
  std::string adapted;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      adapted += pattern[i];
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's')
      adapted += "\\p{White_Space}";
    else if (escaped == 'S')
      adapted += "\\P{White_Space}";
    else
      adapted += {'\\', escaped};
  }
  return adapted;
}

/// What a match needs besides the pattern; one per thread, so that find() may be called from any.
struct Workspace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(jit_stack_start, jit_stack_limit, nullptr);

  Workspace() {
    if (data == nullptr || context == nullptr || stack == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Workspace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
};

}  // namespace

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  const std::string adapted = with_unicode_white_space(pattern);
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(adapted.data()), adapted.size(), PCRE2_UTF | PCRE2_UCP,
                                   &error, &place, nullptr);
  if (code == nullptr)
    throw std::invalid_argument("regular expression \"" + pattern + "\", near byte " + std::to_string(place) + ": " +
                                message_of(error));
  code_ = std::shared_ptr<const void>(code, [code](const void*) { pcre2_code_free(code); });
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter matches the same
}

std::optional<Match> Regex::find(std::string_view text, std::size_t from) const {
  thread_local const Workspace workspace;
  const int count = pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), from, PCRE2_NO_UTF_CHECK, workspace.data, workspace.context);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0)
    throw std::runtime_error("regular expression \"" + pattern_ + "\" on a text of " + std::to_string(text.size()) +
                             " bytes: " + message_of(count));
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(workspace.data);
  return Match{range[0], range[1]};
}

}  // namespace retort::text
