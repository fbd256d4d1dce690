// report.html: one self-contained page about a run, for people. Every number in it is read from a file in the run
// directory; the page loads nothing.
#pragma once

#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/report/run_results.h"
#include "host/run/run_folder.h"

namespace retort::host {

/// Reads the run directory and writes folder.report() atomically. Throws as read_results and write_file_atomically do.
void write_report(const RunFolder& folder);

std::string render_report(const RunFolder& folder, const RunResults& results, const std::vector<Json>& metrics);

/// `text` with &, <, >, " and ' escaped, for content and for quoted attributes.
std::string escape_html(std::string_view text);

}  // namespace retort::host
