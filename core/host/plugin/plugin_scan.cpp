#include "host/plugin/plugin_scan.h"

#include "host/base/child_process.h"
#include "host/base/files.h"
#include "host/base/foreign_json.h"
#include "host/base/installation.h"
#include "host/plugin/plugin_description.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

ScanResult refusal(const std::filesystem::path& library, const std::string& reason, bool final) {
  ScanResult result;
  result.info.library = library;
  result.info.refusal = reason;
  result.final = final;
  return result;
}

}  // namespace

ScanResult scan_plugin(const FileIdentity& file, double seconds) {
  const std::filesystem::path library = file.path;
  try {
    const ChildResult child =
        run_child(scanner_executable(), {"scan", library.string()}, seconds, to_text(to_json(file)));
    if (!child.succeeded() || child.output.empty()) {
      ScanResult result =
          refusal(library,
                  "'" + library.string() + "' is quarantined: the process that scanned it " +
                      how_it_ended(child, seconds) + "; it is scanned again when the file changes, " +
                      (child.timed_out ? "in ten minutes, " : "") + "or by `retort plugins list --rescan`",
                  true);
      result.timed_out = child.timed_out;
      return result;
    }
    const Json report = parse_json(child.output, "the scan of '" + library.string() + "'");
    ScanResult result;
    result.info = plugin_info_from_json(report.at("plugin"));
    result.info.library = library;
    for (ComponentInfo& component : result.info.components) component.library = library;
    result.final = report.at("final");
    return result;
  } catch (const std::exception& error) {
    return refusal(library, "'" + library.string() + "' could not be scanned: " + error.what(), false);
  }
}

int scan_plugin_in_this_process(const std::filesystem::path& library, int descriptor) {
  PluginInfo info;
  bool final = false;  // until it is loaded, a library that it needs may be what is missing
  try {
    LibraryFile file(library);
    if (file.identity() != file_identity_from_json(parse_json(read_file("/dev/stdin"), "the scanned file")))
      throw std::runtime_error("'" + library.string() + "' was replaced while it was looked at; start again");
    const PluginLibrary loaded(std::move(file));
    final = true;
    info = describe_plugin(loaded);
  } catch (const std::exception& error) {
    info = PluginInfo{};
    info.library = library;
    info.refusal = error.what();
  }
  const Json report = {{"plugin", to_json(info)}, {"final", final}};
  const std::string text = report.dump(-1, ' ', false, Json::error_handler_t::replace);
  write_all(descriptor, text.data(), text.size());
  return 0;
}

}  // namespace retort::host
