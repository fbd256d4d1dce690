// Oniguruma and PCRE2 behind Regex.
#include "text/regex.h"

#include <oniguruma.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <stdexcept>

#include "text/shared_patterns.h"

namespace retort::text {
namespace {

constexpr std::size_t jit_stack_start = 32 * 1024;
constexpr std::size_t jit_stack_limit = 4 * 1024 * 1024;
// Oniguruma's own limit on steps back at one place, one for all places of a search, and one on what it may remember
// (some 40 bytes each).
constexpr unsigned long greatest_retries = 10'000'000;
constexpr unsigned long greatest_retries_in_search = 100'000'000;
constexpr unsigned int greatest_stack = 4'000'000;

const OnigUChar* bytes_of(std::string_view text) {
  return reinterpret_cast<const OnigUChar*>(text.data());
}

std::string message_of_oniguruma(int code, OnigErrorInfo* info) {
  std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN> buffer{};
  const int length =
      info == nullptr ? onig_error_code_to_str(buffer.data(), code) : onig_error_code_to_str(buffer.data(), code, info);
  return std::string(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(std::max(length, 0)));
}

std::string message_of_pcre2(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  if (pcre2_get_error_message(code, buffer.data(), buffer.size()) < 0) return "error " + std::to_string(code);
  return reinterpret_cast<const char*>(buffer.data());
}

std::shared_ptr<const void> compile_oniguruma(const std::string& pattern) {
  static std::mutex mutex;  // compiling fills tables of the library
  const std::scoped_lock lock(mutex);
  static const bool initialised = [] {
    std::array<OnigEncoding, 1> encodings = {ONIG_ENCODING_UTF8};
    onig_set_warn_func(onig_null_warn);
    onig_set_verb_warn_func(onig_null_warn);
    return onig_initialize(encodings.data(), 1) == ONIG_NORMAL;
  }();
  if (!initialised) throw std::runtime_error("Oniguruma could not be initialised");
  regex_t* code = nullptr;
  OnigErrorInfo info{};
  const int error = onig_new(&code, bytes_of(pattern), bytes_of(pattern) + pattern.size(), ONIG_OPTION_NONE,
                             ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (error != ONIG_NORMAL)
    throw std::invalid_argument("regular expression \"" + pattern + "\": " + message_of_oniguruma(error, &info));
  return {code, [](const void* compiled) { onig_free(static_cast<regex_t*>(const_cast<void*>(compiled))); }};
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

std::shared_ptr<const void> compile_pcre2(const std::string& pattern) {
  const std::string adapted = with_unicode_white_space(pattern);
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(adapted.data()), adapted.size(), PCRE2_UTF | PCRE2_UCP,
                                   &error, &place, nullptr);
  if (code == nullptr)
    throw std::invalid_argument("regular expression \"" + pattern + "\", near byte " + std::to_string(place) + ": " +
                                message_of_pcre2(error));
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter matches the same
  return {code, [](const void* compiled) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(compiled))); }};
}

/// What a match needs besides the pattern; one per thread, so that searches may run on any.
struct Workspace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(jit_stack_start, jit_stack_limit, nullptr);
  OnigRegion* region = onig_region_new();
  OnigMatchParam* limits = onig_new_match_param();

  Workspace() {
    if (data == nullptr || context == nullptr || stack == nullptr || region == nullptr || limits == nullptr)
      throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
    onig_initialize_match_param(limits);
    onig_set_retry_limit_in_match_of_match_param(limits, greatest_retries);
    onig_set_retry_limit_in_search_of_match_param(limits, greatest_retries_in_search);
    onig_set_match_stack_limit_size_of_match_param(limits, greatest_stack);
  }
  ~Workspace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
    onig_region_free(region, 1);
    onig_free_match_param(limits);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
};

const Workspace& workspace() {
  thread_local const Workspace own;
  return own;
}

std::size_t character_end(std::string_view text, std::size_t place) {
  ++place;
  while (place < text.size() && (static_cast<unsigned char>(text[place]) & 0xC0U) == 0x80U) ++place;
  return place;
}

}  // namespace

Regex::Regex(const std::string& pattern, Engine engine) : pattern_(pattern) {
  if (engine == Engine::pcre2 || (engine == Engine::of_the_pattern && is_shared_pattern(pattern)))
    pcre2_ = compile_pcre2(pattern);
  else
    oniguruma_ = compile_oniguruma(pattern);
}

std::optional<Match> Regex::find_oniguruma(std::string_view text, std::size_t from) const {
  const Workspace& work = workspace();
  const OnigUChar* begin = bytes_of(text);
  const OnigUChar* end = begin + text.size();
  const int place = onig_search_with_param(static_cast<regex_t*>(const_cast<void*>(oniguruma_.get())), begin, end,
                                           begin + from, end, work.region, ONIG_OPTION_NONE, work.limits);
  if (place == ONIG_MISMATCH) return std::nullopt;
  if (place < 0)
    throw std::runtime_error("regular expression \"" + pattern_ + "\" on a text of " + std::to_string(text.size()) +
                             " bytes: " + message_of_oniguruma(place, nullptr));
  return Match{static_cast<std::size_t>(work.region->beg[0]), static_cast<std::size_t>(work.region->end[0])};
}

std::optional<Match> Regex::find_pcre2(std::string_view text, std::size_t from) const {
  const Workspace& work = workspace();
  const int count = pcre2_match(static_cast<const pcre2_code*>(pcre2_.get()), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), from, PCRE2_NO_UTF_CHECK, work.data, work.context);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0)
    throw std::runtime_error("regular expression \"" + pattern_ + "\" on a text of " + std::to_string(text.size()) +
                             " bytes: " + message_of_pcre2(count));
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(work.data);
  return Match{range[0], range[1]};
}

Regex::Matches::Matches(const Regex& regex, std::string_view text) : regex_(regex), text_(text) {}

std::optional<Match> Regex::Matches::next() {
  while (from_ <= text_.size() && !text_.empty()) {
    const auto match = regex_.runs_on_pcre2() ? regex_.find_pcre2(text_, from_) : regex_.find_oniguruma(text_, from_);
    if (!match) return std::nullopt;
    if (match->begin == match->end && last_end_ == match->end) {
      from_ = character_end(text_, from_);
      continue;
    }
    from_ = match->end;
    last_end_ = match->end;
    return match;
  }
  return std::nullopt;
}

}  // namespace retort::text
