// Which failures of a request are worth another try, and how long to wait before it. No sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace retort::openai {

struct RetryOptions {
  std::int64_t retries = 5;    ///< tries after the first; 0 is off
  double first_wait = 1.0;     ///< seconds before the first of them; doubles each time
  double longest_wait = 60.0;  ///< seconds; a server that asks for more is not asked again
};

/// 408, 409, 425, 429 and 5xx: the same request may succeed later.
bool worth_retrying(long status);

/// Seconds that a Retry-After header asks for: a number of seconds or an HTTP date (RFC 9110 section 10.2.3), counted
/// from `now` (seconds since 1970). Nothing for another text.
std::optional<double> retry_after(std::string_view header, std::int64_t now);

/// Seconds to wait before try `attempt` + 1 (attempts count from 0), or nothing when there is no other try. Between
/// half and the whole of first_wait·2^attempt, so that requests that failed together do not come back together; the
/// share follows from `index`, not from chance. Not less than what the server asked for.
std::optional<double> wait_before_retry(const RetryOptions& options, std::int64_t attempt, std::uint64_t index,
                                        std::optional<double> asked_for);

}  // namespace retort::openai
