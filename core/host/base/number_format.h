// Numbers for people: tables, report, axis labels. null and anything that is not a number become "–".
#pragma once

#include <string>

#include "host/base/json.h"

namespace retort::host {

std::string format_count(const Json& value);    ///< "1.24M", "812"
std::string format_bytes(const Json& value);    ///< decimal units: "1.24 MB", "812 B"
std::string format_percent(const Json& value);  ///< a share in [0,1]: "97.3%"
std::string format_ms(const Json& value);       ///< "1.84 ms"
std::string format_ratio(const Json& value);    ///< "31×", "2.4×"
std::string format_number(double value);        ///< shortest with at most four significant digits

}  // namespace retort::host
