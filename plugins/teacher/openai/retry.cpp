// See retry.h.
#include "retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

namespace retort::openai {

bool worth_retrying(long status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

std::optional<double> retry_after(std::string_view header, std::int64_t now) {
  const std::size_t begin = header.find_first_not_of(" \t"), end = header.find_last_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  header = header.substr(begin, end - begin + 1);
  double seconds = 0;
  const auto [rest, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (error == std::errc() && rest == header.data() + header.size())
    return std::isfinite(seconds) && seconds >= 0 ? std::optional<double>(seconds) : std::nullopt;
  const std::time_t date = curl_getdate(std::string(header).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  return std::max(0.0, static_cast<double>(date) - static_cast<double>(now));
}

std::optional<double> wait_before_retry(const RetryOptions& options, std::int64_t attempt, std::uint64_t index,
                                        std::optional<double> asked_for) {
  if (attempt >= options.retries) return std::nullopt;
  if (asked_for && *asked_for > options.longest_wait) return std::nullopt;
  const double whole = std::min(options.first_wait * std::pow(2.0, static_cast<double>(attempt)), options.longest_wait);
  // Fibonacci hashing spreads neighbouring indices over [0.5, 1).
  const double share = 0.5 + static_cast<double>((index * 0x9E3779B97F4A7C15ULL) >> 12U) * 0x1.0p-53;
  return std::max(whole * share, asked_for.value_or(0.0));
}

}  // namespace retort::openai
