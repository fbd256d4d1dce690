// The Porter stemmer as NLTK has it by default (M. Porter, "An algorithm for suffix stripping", Program 14.3, 1980,
// with NLTK's irregular forms and its rules for short words), since ROUGE scores of others are computed with it.
#pragma once

#include <string>

namespace retort::sim_rl {

/// Of a word in lower-case ASCII.
std::string porter_stem(const std::string& word);

}  // namespace retort::sim_rl
