// What typing, dictating and hurry do to an utterance of wide speech: fillers, contractions, abbreviations, slips,
// capitals and final marks. The words of copied values may change too, and their marks go on standing around them;
// slips and abbreviations leave them alone.
#pragma once

#include <string>

#include "random.h"

namespace retort::home {

/// Shares in [0, 1]; 0 leaves that out.
struct SurfaceOptions {
  double fillers = .12;        ///< utterances with a wake word or a filler ("um", "so")
  double contractions = .75;   ///< utterances that contract what can be contracted ("what's")
  double no_apostrophes = .2;  ///< of these, those that leave the apostrophes out ("whats")
  double abbreviations = .1;   ///< utterances with "pls", "tmrw", "&", or without "the"
  double slips = .02;          ///< utterances with two letters swapped, one left out or one doubled
  double capitals = .35;       ///< utterances that are not all in lower case
  double marks = .4;           ///< utterances that end with . ! or ?
};

struct Surface {
  std::string text;    ///< with the marks of marks.h
  bool noisy = false;  ///< more than a contraction and a final mark happened to it
};

Surface with_surface(std::string text, const SurfaceOptions& options, Random& random);

/// Whether a text in lower case is put as a question.
bool asks(const std::string& text);

}  // namespace retort::home
