// What was spent at an account, kept on the disk, and limits that hold however many requests are under way: each try
// reserves the most that it can cost before it is sent, and gives back what it did not cost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "line_file.h"

namespace retort::openai {

struct Amount {
  std::int64_t requests = 0, input_tokens = 0, output_tokens = 0;
  Amount& operator+=(const Amount& other);
  bool operator==(const Amount&) const = default;
};

/// USD per million tokens; 0: free, as models of one's own are.
struct Prices {
  double input = 0, output = 0;
  double usd(const Amount& amount) const;
};

/// Of an account in a run, earlier starts of the run included. 0: no limit.
struct Budget {
  std::int64_t requests = 0, input_tokens = 0, output_tokens = 0;
  double usd = 0;
};

/// [any-thread]
class Spending {
 public:
  /// Lines {"sent": number, "input_tokens", "output_tokens"} before a try and {"done": number, "requests",
  /// "input_tokens", "output_tokens"} after it. A try of an earlier process that has no end was under way when that
  /// process was killed: it counts with all that it had reserved. Without a file: in memory alone.
  explicit Spending(const std::optional<std::filesystem::path>& file);

  enum class Verdict {
    reserved,
    wait,    ///< fits once tries that are under way have cost less than they could
    refused  ///< does not fit what was spent
  };
  /// `most`: of one try. The number of a reservation goes to `ticket`; it is on the disk when this returns.
  Verdict reserve(const Budget& budget, const Prices& prices, const Amount& most, std::int64_t& ticket);
  /// What the try did cost, in place of its reservation, which may be that of an earlier process.
  void settle(std::int64_t ticket, const Amount& cost);

  Amount spent() const;          ///< settled, and what counts of tries that were under way at a kill
  std::int64_t cut_off() const;  ///< tries that were under way when an earlier process was killed
  /// Which limit of `budget` does not let `most` pass, and what was spent of it and of the others.
  std::string shortage(const Budget& budget, const Prices& prices, const Amount& most) const;

 private:
  void load();

  mutable std::mutex mutex_;
  std::unique_ptr<teacher::LineFile> file_;
  std::map<std::int64_t, Amount> reserved_, cut_;  ///< cut_: of earlier processes
  Amount under_way_;                               ///< sum of reserved_
  Amount spent_;
  std::int64_t next_ = 0;
};

/// The account's object that this library has open, or a new one.
std::shared_ptr<Spending> shared_spending(const std::optional<std::filesystem::path>& file);

}  // namespace retort::openai
