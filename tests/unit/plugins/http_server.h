// A small HTTP server on 127.0.0.1 for tests: one thread a connection, one request a connection.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace retort::testing {

struct HttpRequest {
  std::string head;  ///< request line and headers
  std::string body;
  std::size_t number = 0;  ///< of this server's requests, from 0
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string headers;  ///< further ones, each with its line end
  enum class Delivery {
    whole,
    cut,     ///< half of the body, then the connection is closed
    endless  ///< the body again and again, until the client or the server goes
  };
  Delivery delivery = Delivery::whole;
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  explicit HttpServer(Handler handler);
  ~HttpServer();  ///< wakes hold() and waits for all connections
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::size_t requests() const { return requests_; }
  /// The most requests that were in the handler at once.
  std::size_t most_at_once() const { return most_; }
  std::vector<HttpRequest> log() const;

  /// For handlers: returns when release() or the destructor is called.
  void hold();
  void release();
  /// Waits until so many requests are in the handler; false after ten seconds.
  bool wait_for(std::size_t at_once);

 private:
  void accept_all();
  void serve(int connection);
  void deliver(int connection, const HttpResponse& response) const;

  Handler handler_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> requests_{0}, most_{0};
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t inside_ = 0;
  bool released_ = false;
  std::vector<HttpRequest> log_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace retort::testing
