// Names that say nothing, so that a model learns to read descriptions (Lin et al. 2024, "Hammer", arXiv 2410.04587,
// section 3.2: function masking).
#pragma once

#include "draws.h"
#include "task/conversation.h"

namespace retort::stages {

/// Gives the conversation's own tools and their arguments (of the first level) names of random letters, in definitions
/// and in calls alike; descriptions stay. Where a tool or an argument has no description, its name stays too, since
/// nothing else says what it is for. Returns how many names were masked.
std::size_t mask_names(task::Conversation& conversation, Draws& draws);

/// The conversation's own tools in another order.
void shuffle_tools(task::Conversation& conversation, Draws& draws);

}  // namespace retort::stages
