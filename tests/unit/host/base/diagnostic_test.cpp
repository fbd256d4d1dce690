// Messages about a config, and guesses at what was meant.
#include "host/base/diagnostic.h"

#include <gtest/gtest.h>

namespace retort::host {
namespace {

TEST(Diagnostic, ReadsAsOneLine) {
  EXPECT_EQ(to_string({"/stages/2/epochs", "expected an integer, found \"3\"", "leave it out for the default 1"}),
            "/stages/2/epochs: expected an integer, found \"3\" (leave it out for the default 1)");
  EXPECT_EQ(to_string({"", "expected an object", ""}), "/: expected an object");
}

TEST(NearestName, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"temperature", "top_k", "distill.forward_kl", "distill.reverse_kl"};
  EXPECT_EQ(nearest_name("temprature", names), "temperature");
  EXPECT_EQ(nearest_name("tepmerature", names), "temperature");
  EXPECT_EQ(nearest_name("Top_K", names), "top_k");
  EXPECT_EQ(nearest_name("forward_kl", names), "distill.forward_kl");
  EXPECT_EQ(nearest_name("distill.revers_kl", names), "distill.reverse_kl");
}

TEST(NearestName, DoesNotGuessWildly) {
  EXPECT_EQ(nearest_name("seed", {"temperature", "top_k"}), "");
  EXPECT_EQ(nearest_name("", {"a"}), "");
  EXPECT_EQ(nearest_name("x", {}), "");
  EXPECT_EQ(nearest_name(std::string(100000, 'a'), {std::string(100000, 'a')}), "");
}

}  // namespace
}  // namespace retort::host
