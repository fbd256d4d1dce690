// See traffic.h.
#include "traffic.h"

#include <algorithm>
#include <cmath>

namespace retort::openai {
namespace {

constexpr double first_window = 8;
constexpr double longest_set_aside = 30;  ///< seconds that an endpoint which failed is left alone while others work

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Clock::time_point after(Clock::time_point now, double wait) {
  return now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wait));
}

}  // namespace

double TokenBucket::wait(double cost, Clock::time_point now) {
  if (rate_ <= 0) return 0;
  if (filled_) level_ = std::min(capacity_, level_ + rate_ * seconds(now - *filled_));
  filled_ = now;
  const double needed = std::min(cost, capacity_);
  return level_ >= needed - 1e-9 ? 0 : (needed - level_) / rate_;
}

Window::Window(std::size_t most)
    : most_(static_cast<double>(std::max<std::size_t>(most, 1))), size_(std::min(first_window, most_)) {}

void Window::grow() {
  size_ = std::min(most_, size_ + (refused_ ? 1 / size_ : 1));
}

void Window::shrink(Clock::time_point sent, Clock::time_point now) {
  if (sent < shrunk_) return;
  size_ = std::max(1.0, size_ / 2);
  refused_ = true;
  shrunk_ = now;
}

Traffic::Traffic(const TrafficOptions& options)
    : endpoints_(std::max<std::size_t>(options.endpoints, 1), Endpoint{Window(options.concurrency)}),
      requests_(options.requests_per_minute),
      input_tokens_(options.input_tokens_per_minute),
      output_tokens_(options.output_tokens_per_minute) {}

Traffic::Turn Traffic::turn(double input_tokens, double output_tokens, Clock::time_point now) {
  const double wait = std::max(
      {requests_.wait(1, now), input_tokens_.wait(input_tokens, now), output_tokens_.wait(output_tokens, now)});
  if (wait > 0) return {std::nullopt, wait};
  double shortest = 3600;
  for (std::size_t k = 0; k < endpoints_.size(); ++k) {
    const std::size_t at = (next_ + k) % endpoints_.size();
    const Endpoint& endpoint = endpoints_[at];
    if (endpoint.pause > now) {
      shortest = std::min(shortest, seconds(endpoint.pause - now));
    } else if (endpoint.under_way < endpoint.window.size()) {
      return {at, 0};
    }
  }
  return {std::nullopt, shortest};
}

void Traffic::begin(std::size_t endpoint, double input_tokens, double output_tokens) {
  ++endpoints_[endpoint].under_way;
  next_ = (endpoint + 1) % endpoints_.size();
  requests_.take(1);
  input_tokens_.take(input_tokens);
  output_tokens_.take(output_tokens);
}

void Traffic::end(std::size_t at, Outcome outcome, Clock::time_point sent, Clock::time_point now,
                  std::optional<double> asked, double more_input, double more_output) {
  Endpoint& endpoint = endpoints_[at];
  --endpoint.under_way;
  input_tokens_.take(more_input);
  output_tokens_.take(more_output);
  if (outcome == Outcome::answered) {
    endpoint.failures = 0;
    endpoint.window.grow();
    return;
  }
  if (outcome == Outcome::refused) endpoint.window.shrink(sent, now);
  double pause = asked.value_or(0);
  if (outcome == Outcome::failed && endpoints_.size() > 1)
    pause = std::max(pause, std::min(longest_set_aside, std::pow(2.0, static_cast<double>(endpoint.failures++))));
  if (pause > 0) endpoint.pause = std::max(endpoint.pause, after(now, pause));
}

}  // namespace retort::openai
