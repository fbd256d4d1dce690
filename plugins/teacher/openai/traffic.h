// When a request may be sent, and where to: limits a minute, endpoints in rotation, and as many requests at once as
// each endpoint takes. No sockets; time is given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace retort::openai {

using Clock = std::chrono::steady_clock;

/// At most `per_minute` in the long run; up to ten seconds' worth at once. 0: no limit.
class TokenBucket {
 public:
  explicit TokenBucket(double per_minute) : rate_(per_minute / 60), capacity_(per_minute / 6), level_(capacity_) {}
  /// Seconds until `cost` may be taken, 0: now. What costs more than the bucket holds waits until it is full.
  double wait(double cost, Clock::time_point now);
  /// May leave less than nothing: what is taken late, or taken without waiting, is waited for by the next.
  void take(double cost) { level_ -= rate_ > 0 ? cost : 0; }

 private:
  double rate_, capacity_, level_;
  std::optional<Clock::time_point> filled_;
};

/// Additive increase, multiplicative decrease (AIMD; Chiu and Jain 1989) of the requests at once. Before the first
/// refusal it grows by one an answer, then by one a round of answers.
class Window {
 public:
  explicit Window(std::size_t most);
  std::size_t size() const { return static_cast<std::size_t>(size_); }
  void grow();
  /// Halves, once for all requests that were sent before it last did.
  void shrink(Clock::time_point sent, Clock::time_point now);

 private:
  double most_, size_;
  bool refused_ = false;
  Clock::time_point shrunk_ = Clock::time_point::min();
};

struct TrafficOptions {
  std::size_t endpoints = 1;
  std::size_t concurrency = 8;  ///< of each endpoint at most
  double requests_per_minute = 0, input_tokens_per_minute = 0, output_tokens_per_minute = 0;  ///< 0: no limit
};

class Traffic {
 public:
  explicit Traffic(const TrafficOptions& options);

  struct Turn {
    std::optional<std::size_t> endpoint;  ///< where to send now; nothing: not now
    double wait = 0;                      ///< seconds, at most, until it is worth asking again
  };
  /// Whose turn it is, for a request of so many tokens. Takes nothing.
  Turn turn(double input_tokens, double output_tokens, Clock::time_point now);
  void begin(std::size_t endpoint, double input_tokens, double output_tokens);

  enum class Outcome { answered, refused, failed };  ///< refused: status 429; failed: 5xx or no answer
  /// `more_*`: what the tokens were beyond those that begin() took. `asked`: the server's Retry-After.
  void end(std::size_t endpoint, Outcome outcome, Clock::time_point sent, Clock::time_point now,
           std::optional<double> asked, double more_input, double more_output);

  std::size_t window(std::size_t endpoint) const { return endpoints_[endpoint].window.size(); }

 private:
  struct Endpoint {
    Window window;
    std::size_t under_way = 0, failures = 0;
    Clock::time_point pause = Clock::time_point::min();
  };
  std::vector<Endpoint> endpoints_;
  std::size_t next_ = 0;
  TokenBucket requests_, input_tokens_, output_tokens_;
};

}  // namespace retort::openai
