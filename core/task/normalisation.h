// Input normalisation as part of a task: the same in training and at run time, stored in the package. Off by default.
//
// User messages are normalised before a model sees them. So are strings in the calls that it learns, for a value that
// stands in the text must have the same tokens there and here; but not where the schema lists or describes the value
// (enum, const, pattern, format). At run time a value of a call that stands in what the user wrote, but for
// normalisation, gets the user's spelling back (in lower case where `values` asks for it). A label spelled in another
// way than the utterance ("Rome" for "rome") stays what the text says. System texts, tool results and earlier answers
// are left as they are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "task/conversation.h"

namespace retort::task {

struct NormalisationOptions {
  std::string letters = "keep";  ///< "lower": simple lower case of every character
  std::string unicode =
      "keep";                  ///< "nfc" or "nfkc" (UAX #15); nfkc turns full-width forms and ligatures into plain ones
  std::string marks = "keep";  ///< "plain": typographic quotes, apostrophes, dashes and spaces become ' " - and a space
  std::string ends = "keep";   ///< "strip": no white space at either end, no . ! ? … , ; : at the end
  std::string numbers = "keep";      ///< "spaced": "7pm" → "7 pm", "10%" → "10 %"; "joined": the other way round
  std::string apostrophes = "keep";  ///< "drop": those between letters, "what's" → "whats"
  std::string values = "said";  ///< spelling of what calls take from the text: "said", as the user wrote it, or "lower"
  bool operator==(const NormalisationOptions&) const = default;
  bool off() const { return *this == NormalisationOptions(); }
};

/// Throws std::invalid_argument for a word that is none of the above.
NormalisationOptions normalisation_from_json(const nlohmann::json& json, const std::string& origin);
nlohmann::json to_json(const NormalisationOptions& options);

/// What a model sees of `text`. Invalid UTF-8 is left as it is.
std::string normalised(std::string_view text, const NormalisationOptions& options);
Conversation normalised(Conversation conversation, const NormalisationOptions& options);
/// The strings of calls as text without its ends stripped, where their schemas leave them free.
std::vector<Call> normalised(std::vector<Call> calls, const std::vector<Tool>& tools,
                             const NormalisationOptions& options);
/// The same strings in the spelling of `asked`'s user messages, the last first.
std::vector<Call> restored(std::vector<Call> calls, const std::vector<Tool>& tools, const Conversation& asked,
                           const NormalisationOptions& options);

}  // namespace retort::task
