// A client of one MCP server: agreement on a version, the list of tools, calls of them. No threads of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "transport.h"

namespace retort::mcp {

struct ToolResult {
  bool ok = false;
  std::string content;  ///< the texts of the result's parts; other parts are named
};

struct ServerTool {
  Json definition;     ///< of OpenAI's kind: {"type": "function", "function": {…}}
  bool reads = false;  ///< annotation "readOnlyHint": calls leave the world as it is
};

/// Used by one thread at a time.
class Client {
 public:
  /// Agrees on a version: asks for `version`, and accepts any that is known. A version from 2026-07-28 on needs no
  /// handshake; where a server knows no "initialize", that is tried too. Throws std::runtime_error where there is no
  /// agreement, or the server offers no tools.
  Client(std::unique_ptr<Transport> transport, const std::string& version);

  /// All pages of "tools/list", in the server's order. Throws std::runtime_error for answers that are none.
  std::vector<ServerTool> tools();
  /// "tools/call". What the server refuses or reports with "isError" is a result with ok = false; throws
  /// std::runtime_error where it fails as a whole.
  ToolResult call(const std::string& name, const Json& arguments);
  const std::string& version() const { return version_; }
  bool alive() const { return transport_->alive(); }

  static const std::vector<std::string>& versions();  ///< known ones, oldest first

 private:
  void shake_hands();
  bool discover();
  Json ask(const std::string& method, Json params);
  /// The response whole, "result" or "error".
  Json respond(const std::string& method, Json params);
  [[noreturn]] static void refuse(const std::string& method, const std::string& expected, const Json& found);

  std::unique_ptr<Transport> transport_;
  std::string version_;
  bool stateless_ = false;
  std::int64_t requests_ = 0;
};

}  // namespace retort::mcp
