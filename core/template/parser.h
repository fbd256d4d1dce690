// Template text → AST. The grammar is Jinja2's (documentation, "Template Designer Documentation"), with break and
// continue, and Transformers' {% generation %}. What is not supported is refused here, with its place.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "template/ast.h"

namespace retort::jinja {

/// Throws TemplateError. The result's height is bounded, so that recursion over it is safe.
Block parse(std::string_view source, const std::string& origin);

}  // namespace retort::jinja
