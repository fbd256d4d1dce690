// Python's operators on numbers, texts and lists (its language reference, section 6.7).
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/session.h"

namespace retort::text::jinja {

// Throw std::invalid_argument: types that have no such operator, division by zero, results beyond 64 bits.

Value arithmetic(Session& session, Binary::Operator operation, const Value& left, const Value& right);
Value negative(const Value& operand);
Value positive(const Value& operand);

}  // namespace retort::text::jinja
