// Personal data in conversations, found by patterns and replaced by placeholders. Patterns find what looks like it, and
// nothing else: names and addresses need a reader.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

/// Used by one thread at a time.
class PersonalData {
 public:
  /// `kinds`: of "email", "phone", "card" (whose check digit is right), "ip"; `patterns`: further ones by name, PCRE2's
  /// syntax. Throws std::invalid_argument for an unknown kind, a name that is none, or a pattern that cannot be read.
  PersonalData(const std::vector<std::string>& kinds, const std::vector<std::pair<std::string, std::string>>& patterns);
  ~PersonalData();
  PersonalData(const PersonalData&) = delete;
  PersonalData& operator=(const PersonalData&) = delete;

  /// In texts of all messages, strings of arguments (also nested ones) and of metadata. The same value has the same
  /// placeholder, such as "[EMAIL_1]", all over the conversation, so that a call still says what was asked for. A
  /// number stays a number: those that look like personal data are counted apart. Returns how many were replaced, by
  /// kind.
  std::map<std::string, std::int64_t> replace(task::Conversation& conversation) const;
  static const std::vector<std::string>& kinds();

 private:
  struct Finder;
  std::vector<std::unique_ptr<Finder>> finders_;
};

/// Luhn's check of a number of 13 to 19 digits (ISO/IEC 7812-1); other characters are passed over.
bool has_card_check_digit(std::string_view text);

}  // namespace retort::data
