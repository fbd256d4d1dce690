// See client.h. Specification: modelcontextprotocol.io, "Lifecycle" of 2025-11-25, "Versioning" of 2026-07-28, "Tools".
#include "client.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace retort::mcp {
namespace {

using environments::shown;
using environments::written;

constexpr const char* first_stateless = "2026-07-28";
constexpr int method_not_found = -32601, unsupported_version = -32022;
constexpr int most_pages = 1000;

Json client_info() {
  return {{"name", "retort"}, {"version", "1.0"}};
}

bool known(const std::string& version) {
  const auto& all = Client::versions();
  return std::find(all.begin(), all.end(), version) != all.end();
}

std::string known_versions() {
  std::string text;
  for (const std::string& one : Client::versions()) text += (text.empty() ? "" : ", ") + one;
  return text;
}

std::string text_of_error(const Json& error) {
  const Json message = error.is_object() ? error.value("message", Json()) : Json();
  return message.is_string() ? message.get<std::string>() : written(error);
}

/// One part of a result as text for a model.
std::string text_of_part(const Json& part) {
  const std::string type = part.value("type", Json()).is_string() ? part["type"].get<std::string>() : "part";
  if (type == "text" && part.value("text", Json()).is_string()) return part["text"];
  const Json resource = part.value("resource", Json());
  if (resource.is_object() && resource.value("text", Json()).is_string()) return resource["text"];
  std::string shape = "[" + type;
  for (const char* key : {"mimeType", "name", "uri"})
    if (part.value(key, Json()).is_string()) shape += " " + part[key].get<std::string>();
  return shape + "]";
}

ToolResult result_of(const Json& result) {
  if (result.value("resultType", Json("complete")) != "complete")
    return {false, "the server answers with \"" + written(result["resultType"]) +
                       "\" and waits for more, which nobody gives here"};
  ToolResult read{result.value("isError", Json(false)) != true, ""};
  const Json content = result.value("content", Json());
  if (content.is_array())
    for (const Json& part : content)
      if (part.is_object()) read.content += (read.content.empty() ? "" : "\n") + text_of_part(part);
  if (read.content.empty() && result.contains("structuredContent")) read.content = written(result["structuredContent"]);
  return read;
}

ServerTool tool_of(const Json& tool) {
  ServerTool read;
  Json parameters = tool.value("inputSchema", Json());
  if (!parameters.is_object()) parameters = Json::object();
  if (!parameters.contains("type")) parameters["type"] = "object";
  if (!parameters.contains("properties")) parameters["properties"] = Json::object();
  Json function = {{"name", tool["name"]}, {"parameters", parameters}};
  const Json description = tool.value("description", Json());
  function["description"] = description.is_string() ? description : tool.value("title", Json(""));
  read.definition = {{"type", "function"}, {"function", function}};
  const Json annotations = tool.value("annotations", Json());
  read.reads = annotations.is_object() && annotations.value("readOnlyHint", Json()) == true;
  return read;
}

}  // namespace

const std::vector<std::string>& Client::versions() {
  static const std::vector<std::string> all = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", first_stateless};
  return all;
}

Client::Client(std::unique_ptr<Transport> transport, const std::string& version)
    : transport_(std::move(transport)), version_(version) {
  if (!known(version_))
    throw std::invalid_argument("protocol_version: expected one of " + known_versions() + ", found \"" + version_ +
                                "\"");
  if (version_ != first_stateless)
    shake_hands();
  else if (!discover())
    throw std::runtime_error(std::string("the MCP server knows no version ") + first_stateless +
                             "; leave protocol_version as it is");
}

void Client::shake_hands() {
  const Json response = respond(
      "initialize", {{"protocolVersion", version_}, {"capabilities", Json::object()}, {"clientInfo", client_info()}});
  if (const auto error = response.find("error"); error != response.end()) {
    const Json code = error->is_object() ? error->value("code", Json()) : Json();
    if ((code == method_not_found || code == unsupported_version) && discover()) return;
    throw std::runtime_error("the MCP server refuses \"initialize\": " + text_of_error(*error));
  }
  const Json& result = response["result"];
  const Json theirs = result.is_object() ? result.value("protocolVersion", Json()) : Json();
  if (!theirs.is_string() || !known(theirs) || theirs == first_stateless)
    refuse("initialize", "a \"protocolVersion\" of " + known_versions(), result);
  version_ = theirs;
  if (const Json offered = result.value("capabilities", Json()); !offered.is_object() || !offered.contains("tools"))
    refuse("initialize", "\"capabilities\" with \"tools\", since tools are what is wanted of it", result);
  transport_->use_version(version_, false);
  transport_->notify({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}});
}

/// Whether the server speaks the version that goes without a handshake.
bool Client::discover() {
  version_ = first_stateless;
  stateless_ = true;
  transport_->use_version(version_, true);
  const Json response = respond("server/discover", Json::object());
  const Json result = response.value("result", Json());
  const Json offered = result.is_object() ? result.value("supportedVersions", Json()) : Json();
  return offered.is_array() && std::find(offered.begin(), offered.end(), version_) != offered.end();
}

Json Client::respond(const std::string& method, Json params) {
  if (stateless_)
    params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", version_},
                       {"io.modelcontextprotocol/clientCapabilities", Json::object()},
                       {"io.modelcontextprotocol/clientInfo", client_info()}};
  return transport_->request(
      {{"jsonrpc", "2.0"}, {"id", ++requests_}, {"method", method}, {"params", std::move(params)}});
}

Json Client::ask(const std::string& method, Json params) {
  Json response = respond(method, std::move(params));
  if (response.contains("error"))
    throw std::runtime_error("the MCP server refuses \"" + method + "\": " + text_of_error(response["error"]));
  return std::move(response["result"]);
}

void Client::refuse(const std::string& method, const std::string& expected, const Json& found) {
  throw std::runtime_error("the MCP server's answer to \"" + method + "\": expected " + expected + ", found " +
                           shown(written(found)));
}

std::vector<ServerTool> Client::tools() {
  std::vector<ServerTool> all;
  std::set<std::string> names, cursors;
  Json params = Json::object();
  for (int page = 0; page < most_pages; ++page) {
    const Json result = ask("tools/list", params);
    const Json list = result.is_object() ? result.value("tools", Json()) : Json();
    if (!list.is_array()) refuse("tools/list", "an array \"tools\"", result);
    for (const Json& tool : list) {
      if (!tool.is_object() || !tool.value("name", Json()).is_string())
        refuse("tools/list", "tools with a \"name\"", tool);
      if (!names.insert(tool["name"].get<std::string>()).second) refuse("tools/list", "each name once", tool["name"]);
      all.push_back(tool_of(tool));
    }
    const Json cursor = result.value("nextCursor", Json());
    if (!cursor.is_string() || cursor == "") return all;
    if (!cursors.insert(cursor.get<std::string>()).second) refuse("tools/list", "each \"nextCursor\" once", cursor);
    params["cursor"] = cursor;
  }
  refuse("tools/list", "at most " + std::to_string(most_pages) + " pages", params);
}

ToolResult Client::call(const std::string& name, const Json& arguments) {
  const Json response = respond("tools/call", {{"name", name}, {"arguments", arguments}});
  if (response.contains("error")) return {false, text_of_error(response["error"])};
  if (!response["result"].is_object()) refuse("tools/call", "an object", response["result"]);
  return result_of(response["result"]);
}

}  // namespace retort::mcp
