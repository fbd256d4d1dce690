// The protocol's texts as HTTP requests: each is posted, its answer is the body.
#pragma once

#include <string>
#include <utility>

#include "http_client.h"

namespace retort::environments {

/// Several threads at once.
class HttpExchange final : public Exchange {
 public:
  HttpExchange(HttpSettings settings, ShouldStop should_stop) : client_(std::move(settings), should_stop) {}
  std::string exchange(const std::string& text) override;
  void send(const std::string& text) override;
  bool alive() const override { return true; }
  bool concurrent() const override { return true; }
  [[noreturn]] void give_up(const std::string& why) override;

 private:
  HttpClient client_;
};

}  // namespace retort::environments
