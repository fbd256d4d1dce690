// One transfer with libcurl, with the settings that all requests of a teacher share.
#pragma once

#include <optional>
#include <string>

#include "curl_handles.h"

namespace retort::openai {

/// A handle of http and https that writes the answer to `received`, of 64 MiB at most, and why there is none to
/// `failure` (CURL_ERROR_SIZE bytes); both outlive it. `timeout`: seconds.
http::Easy new_transfer(double timeout, std::string& received, char* failure);
/// In libcurl's words, or that the answer was too long.
std::string failure_text(CURLcode code, const char* failure);
/// Seconds that the answer's Retry-After asks for.
std::optional<double> asked_wait(CURL* handle);

}  // namespace retort::openai
