// The parts of report.html, internal to report.cpp. Each returns HTML, or "" when the run has nothing for it.
#pragma once

#include <string>
#include <vector>

#include "host/report/run_results.h"

namespace retort::host {

std::string header_section(const RunFolder& folder, const RunResults& results);
std::string results_section(const RunResults& results);      ///< table and charts
std::string tools_section(const RunResults& results);        ///< exact match of each tool, teacher against final model
std::string groups_section(const RunResults& results);       ///< the same of each group of rows
std::string search_section(const RunResults& results);       ///< what stages of search measured, with the front
std::string sensitivity_section(const RunResults& results);  ///< what each layer costs and saves
std::string misses_section(const RunResults& results);       ///< the first 50 of each model
std::string losses_section(const RunFolder& folder, const RunResults& results);  ///< where calls were lost, and which
std::string training_section(const std::vector<Json>& metrics);
std::string rejected_section(const RunResults& results);  ///< rows left out, counted in the artifacts' rejected.jsonl
std::string lineage_section(const RunResults& results);
std::string record_section(const RunResults& results);  ///< versions, machine, resolved config

/// The last model of the table that was evaluated, else the last one.
const StageResult* final_model(const RunResults& results);

/// Rows of cells that are HTML already. `number_from`: the first column that holds figures; `emphasised`: a row, or -1.
std::string html_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                       std::size_t number_from = 99, int emphasised = -1);

}  // namespace retort::host
