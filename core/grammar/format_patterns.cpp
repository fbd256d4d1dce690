// The formats of JSON Schema (2020-12, validation 7.3) as patterns: RFC 3339, 5321, 1123, 4291, 3986, 4122, 6901.
#include <map>
#include <set>
#include <stdexcept>

#include "grammar/schema_rules.h"

namespace retort::grammar {
namespace {

std::string ipv6() {
  const std::string h = "[0-9A-Fa-f]{1,4}",
                    v4 = "((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
  std::string text = "^((" + h + ":){7}" + h + "|(" + h + ":){6}" + v4;
  for (int before = 0; before <= 6; ++before)  // groups before "::"
    text += "|" + (before == 0 ? std::string() : h + "(:" + h + "){" + std::to_string(before - 1) + "}") + "::(" + h +
            "(:" + h + "){0," + std::to_string(6 - before) + "})?";
  return text + "|::([fF]{4}:)?" + v4 + ")$";
}

}  // namespace

std::string format_pattern(const std::string& format) {
  static const std::string month_day =
      "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
  static const std::string leap = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29";
  static const std::string date = "([0-9]{4}-" + month_day + "|" + leap + ")";
  static const std::string time =
      "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([zZ]|[-+]([01][0-9]|2[0-3]):[0-5][0-9])";
  static const std::string label = "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?";
  static const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  static const std::string byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  static const std::string uri = "([A-Za-z0-9._~:/?@!$&'()*+,;=\\[\\]-]|%[0-9A-Fa-f]{2})";
  static const std::string uri_tail =
      "([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(#([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?";
  static const std::map<std::string, std::string> patterns = {
      {"date", "^" + date + "$"},
      {"time", "^" + time + "$"},
      {"date-time", "^" + date + "[tT]" + time + "$"},
      {"email", "^" + atom + "(\\." + atom + ")*@" + label + "(\\." + label + ")*$"},
      {"hostname", "^" + label + "(\\." + label + ")*$"},
      {"ipv4", "^(" + byte + "\\.){3}" + byte + "$"},
      {"ipv6", ipv6()},
      {"uuid", "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"},
      {"uri", "^[A-Za-z][A-Za-z0-9+.-]*:" + uri_tail + "$"},
      {"uri-reference", "^" + uri_tail + "$"},
      {"json-pointer", "^(/([^~/]|~[01])*)*$"}};
  static const std::set<std::string> unknown = {"duration", "idn-email",     "idn-hostname",
                                                "iri",      "iri-reference", "relative-json-pointer",
                                                "regex",    "uri-template"};
  if (const auto found = patterns.find(format); found != patterns.end()) return found->second;
  if (unknown.contains(format)) throw std::invalid_argument("the format \"" + format + "\" has no grammar");
  return "";
}

}  // namespace retort::grammar
