// Secrets stay out of texts.
#include "host/base/redaction.h"

#include <gtest/gtest.h>

namespace retort::host {
namespace {

TEST(Redaction, ReplacesEveryOccurrenceOfEverySecret) {
  redact("tulip-4711");
  redact("tulip-4711-long");
  redact("");
  EXPECT_EQ(redacted(std::string("a tulip-4711 and tulip-4711-long, tulip-4711tulip-4711")), "a *** and ***, ******");
  EXPECT_EQ(redacted(std::string("a tulip-471")), "a tulip-471");
}

TEST(Redaction, GoesIntoJson) {
  redact("rose-0815");
  const Json json = {{"a", {"x rose-0815", 5}}, {"b", {{"c", "rose-0815"}}}};
  EXPECT_EQ(redacted(json), Json({{"a", {"x ***", 5}}, {"b", {{"c", "***"}}}}));
}

}  // namespace
}  // namespace retort::host
