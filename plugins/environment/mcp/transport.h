// The two ways to an MCP server: a program's standard input and output, and streamable HTTP. JSON-RPC 2.0 messages go
// over either; what the server asks of its client meanwhile is answered here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http_client.h"
#include "json_text.h"
#include "line_process.h"

namespace retort::mcp {

using environments::Json;

/// Used by one thread at a time.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  /// Sends a request and returns the response of its id: an object with "result" or "error". Throws
  /// std::runtime_error where none comes in time, or a longer one than the limit; environments::StopRequested.
  virtual Json request(const Json& message) = 0;
  virtual void notify(const Json& message) = 0;
  /// The protocol's version once it is known, and whether it goes without sessions (2026-07-28).
  virtual void use_version(const std::string& /*version*/, bool /*stateless*/) {}
  virtual bool alive() const = 0;
};

std::unique_ptr<Transport> stdio_transport(environments::Settings settings, environments::ShouldStop should_stop);
std::unique_ptr<Transport> http_transport(environments::HttpSettings settings, environments::ShouldStop should_stop);

/// Whether `message` answers the request `id`; an array of messages (a batch of 2025-03-26) is searched.
const Json* response_to(const Json& message, const Json& id);
/// What a client without capabilities answers the server's own request: {} to a ping, else that it knows no such
/// method. Null for what asks nothing.
Json answer_to_server(const Json& message);

/// Takes server-sent events (WHATWG HTML, section 9.2) apart as they come.
class EventReader {
 public:
  /// The data of the events that `text` completes, where `text` is all that has come so far.
  std::vector<std::string> take(const std::string& text);
  /// The next text is another stream's, which goes on behind last_id().
  void restart();
  const std::string& last_id() const { return last_id_; }  ///< of whole events; empty: none had one
  double retry() const { return retry_; }                  ///< seconds to wait before a stream is taken up again

 private:
  void line(std::string text, std::vector<std::string>& events);
  std::size_t read_ = 0;
  std::string data_, last_id_, next_id_;
  double retry_ = 1.0;
  bool any_ = false;
};

}  // namespace retort::mcp
