// See pattern.h.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "schema/pattern.h"

#include <pcre2.h>

#include <array>
#include <new>
#include <stdexcept>

namespace retort::schema {

struct Pattern::Code {
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, &pcre2_code_free};
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match{nullptr, &pcre2_match_data_free};
};

Pattern::Pattern(const std::string& pattern)
    : text_(pattern), expression_(parse_regular_expression(pattern)), code_(std::make_unique<Code>()) {
  const std::string perl = to_pcre2(expression_);
  int error = 0;
  std::size_t place = 0;
  code_->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(perl.data()), perl.size(),
      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF, &error, &place, nullptr));
  if (!code_->code) {
    std::array<PCRE2_UCHAR, 128> reason{};
    pcre2_get_error_message(error, reason.data(), reason.size());
    throw std::invalid_argument("regular expression \"" + pattern + "\": " + reinterpret_cast<char*>(reason.data()));
  }
  code_->match.reset(pcre2_match_data_create(1, nullptr));
  if (!code_->match) throw std::bad_alloc();
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;

bool Pattern::search(std::string_view text) const {
  return pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                     code_->match.get(), nullptr) >= 0;
}

}  // namespace retort::schema
