// Python's operators on numbers, texts and lists (its language reference, section 6.7).
#pragma once

#include "template/ast.h"
#include "template/session.h"

namespace retort::jinja {

// Throw std::invalid_argument: types that have no such operator, division by zero, results beyond 64 bits.

Value arithmetic(Session& session, Binary::Operator operation, const Value& left, const Value& right);
Value negative(const Value& operand);
Value positive(const Value& operand);

}  // namespace retort::jinja
