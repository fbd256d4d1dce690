// See http_server.h.
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace retort::testing {
namespace {

std::size_t length_in(const std::string& head) {
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::size_t at = lower.find("content-length:");
  return at == std::string::npos ? 0 : std::stoul(lower.substr(at + 15));
}

bool read_request(int connection, HttpRequest& request) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end != std::string::npos && text.size() >= end + 4 + length_in(text.substr(0, end))) {
      request.head = text.substr(0, end);
      request.body = text.substr(end + 4);
      return true;
    }
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

bool send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t once = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (once <= 0) return false;  // the client has gone
    text.remove_prefix(static_cast<std::size_t>(once));
  }
  return true;
}

}  // namespace

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (socket_ < 0 || ::bind(socket_, generic, size) != 0 || ::listen(socket_, 512) != 0 ||
      ::getsockname(socket_, generic, &size) != 0)
    throw std::runtime_error("the test's server cannot listen on 127.0.0.1");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpServer::~HttpServer() {
  ending_ = true;
  release();
  ::shutdown(socket_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
  ::close(socket_);
}

void HttpServer::accept_all() {
  for (;;) {
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    connections_.emplace_back([this, connection] { serve(connection); });
  }
}

void HttpServer::serve(int connection) {
  HttpRequest request;
  if (read_request(connection, request)) {
    request.number = requests_++;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      log_.push_back(request);
      most_ = std::max<std::size_t>(most_, ++inside_);
    }
    changed_.notify_all();
    const HttpResponse response = handler_(request);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      --inside_;
    }
    deliver(connection, response);
  }
  ::close(connection);
}

void HttpServer::deliver(int connection, const HttpResponse& response) const {
  using Delivery = HttpResponse::Delivery;
  const std::string length =
      response.delivery == Delivery::endless ? "" : "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  std::string_view body = response.body;
  if (response.delivery == Delivery::cut) body = body.substr(0, body.size() / 2);
  bool going = send_all(connection, "HTTP/1.1 " + std::to_string(response.status) + " Status\r\nConnection: close\r\n" +
                                        response.headers + length + "\r\n") &&
               send_all(connection, body);
  while (going && response.delivery == Delivery::endless && !ending_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    going = send_all(connection, body);
  }
}

std::vector<HttpRequest> HttpServer::log() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return log_;
}

void HttpServer::hold() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return released_; });
}

void HttpServer::release() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
}

bool HttpServer::wait_for(std::size_t at_once) {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return inside_ >= at_once; });
}

}  // namespace retort::testing
