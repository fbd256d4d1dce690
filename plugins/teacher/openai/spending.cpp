// See spending.h.
#include "spending.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

namespace retort::openai {
namespace {

using nlohmann::json;

struct Limit {
  const char* name;
  double allowed, spent, asked;
};

std::array<Limit, 4> limits(const Budget& budget, const Prices& prices, const Amount& spent, const Amount& most) {
  return {{{"budget.requests", static_cast<double>(budget.requests), static_cast<double>(spent.requests),
            static_cast<double>(most.requests)},
           {"budget.input_tokens", static_cast<double>(budget.input_tokens), static_cast<double>(spent.input_tokens),
            static_cast<double>(most.input_tokens)},
           {"budget.output_tokens", static_cast<double>(budget.output_tokens), static_cast<double>(spent.output_tokens),
            static_cast<double>(most.output_tokens)},
           {"budget.usd", budget.usd, prices.usd(spent), prices.usd(most)}}};
}

/// The first limit that `most` on top of `spent` breaks.
std::optional<Limit> broken(const Budget& budget, const Prices& prices, const Amount& spent, const Amount& most) {
  for (const Limit& limit : limits(budget, prices, spent, most))
    if (limit.allowed > 0 && limit.spent + limit.asked > limit.allowed * (1 + 1e-12)) return limit;
  return std::nullopt;
}

Amount amount_of(const json& line) {
  return {line.value("requests", std::int64_t{1}), line.value("input_tokens", std::int64_t{0}),
          line.value("output_tokens", std::int64_t{0})};
}

Amount negative(const Amount& amount) {
  return {-amount.requests, -amount.input_tokens, -amount.output_tokens};
}

std::string shown(double number) {
  std::ostringstream out;
  out.precision(10);
  out << number;
  return out.str();
}

}  // namespace

Amount& Amount::operator+=(const Amount& other) {
  requests += other.requests;
  input_tokens += other.input_tokens;
  output_tokens += other.output_tokens;
  return *this;
}

double Prices::usd(const Amount& amount) const {
  return (input * static_cast<double>(amount.input_tokens) + output * static_cast<double>(amount.output_tokens)) / 1e6;
}

Spending::Spending(const std::optional<std::filesystem::path>& file) {
  if (!file) return;
  file_ = std::make_unique<teacher::LineFile>(*file);
  load();
}

void Spending::load() {
  file_->read_new([&](std::uint64_t, std::string_view text) {
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object()) return;
    const bool sent = line.contains("sent");
    const json number = line.value(sent ? "sent" : "done", json());
    if (!number.is_number_integer()) return;
    next_ = std::max(next_, number.get<std::int64_t>() + 1);
    if (sent) {
      cut_[number] = amount_of(line);
    } else if (cut_.erase(number) > 0) {
      spent_ += amount_of(line);
    }
  });
  for (const auto& [number, amount] : cut_) spent_ += amount;
}

Spending::Verdict Spending::reserve(const Budget& budget, const Prices& prices, const Amount& most,
                                    std::int64_t& ticket) {
  const std::lock_guard lock(mutex_);
  Amount with_reserved = under_way_;
  with_reserved += spent_;
  if (broken(budget, prices, with_reserved, most))
    return broken(budget, prices, spent_, most) ? Verdict::refused : Verdict::wait;
  ticket = next_++;
  if (file_)
    file_->append(
        json{{"sent", ticket}, {"input_tokens", most.input_tokens}, {"output_tokens", most.output_tokens}}.dump());
  reserved_[ticket] = most;
  under_way_ += most;
  return Verdict::reserved;
}

void Spending::settle(std::int64_t ticket, const Amount& cost) {
  const std::lock_guard lock(mutex_);
  if (const auto earlier = cut_.find(ticket); earlier != cut_.end()) {
    spent_ += negative(earlier->second);
    cut_.erase(earlier);
  } else if (const auto reserved = reserved_.find(ticket); reserved != reserved_.end()) {
    under_way_ += negative(reserved->second);
    reserved_.erase(reserved);
  } else {
    return;
  }
  spent_ += cost;
  if (file_)
    file_->append(json{{"done", ticket},
                       {"requests", cost.requests},
                       {"input_tokens", cost.input_tokens},
                       {"output_tokens", cost.output_tokens}}
                      .dump());
}

Amount Spending::spent() const {
  const std::lock_guard lock(mutex_);
  return spent_;
}

std::int64_t Spending::cut_off() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(cut_.size());
}

std::string Spending::shortage(const Budget& budget, const Prices& prices, const Amount& most) const {
  const std::lock_guard lock(mutex_);
  const auto limit = broken(budget, prices, spent_, most);
  if (!limit) return "";
  return std::string(limit->name) + " allows " + shown(limit->allowed) + " and " + shown(limit->spent) +
         " are spent; the next request may cost " + shown(limit->asked) +
         " (spent in all: " + std::to_string(spent_.requests) + " requests, " + std::to_string(spent_.input_tokens) +
         " input and " + std::to_string(spent_.output_tokens) + " output tokens, " + shown(prices.usd(spent_)) +
         " USD)";
}

std::shared_ptr<Spending> shared_spending(const std::optional<std::filesystem::path>& file) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::weak_ptr<Spending>> open;
  if (!file) return std::make_shared<Spending>(std::nullopt);
  const std::filesystem::path path = std::filesystem::absolute(*file).lexically_normal();
  const std::lock_guard lock(mutex);
  std::shared_ptr<Spending> spending = open[path].lock();
  if (!spending) open[path] = spending = std::make_shared<Spending>(path);
  return spending;
}

}  // namespace retort::openai
