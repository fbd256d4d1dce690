// What a component returned as an error, as the exception that stages let through: the code stays, so that a caller's
// mistake and a request to stop remain what they are.
#pragma once

#include <retort/abi/base.h>

#include <string>

namespace retort::host {

/// Called after every call of a component: first restores what it did to the processor's floating point settings.
/// Then does nothing for NULL. Otherwise frees the error and throws "`what`: message": std::invalid_argument for
/// INVALID_ARGUMENT, retort::Stopped for STOPPED, std::runtime_error for the others.
void throw_component_failure(retort_error* error, const std::string& what);

}  // namespace retort::host
