// Bytes as hexadecimal digits and back.
#include "host/base/hexadecimal.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::host {
namespace {

TEST(Hexadecimal, EveryByteComesBack) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  EXPECT_EQ(from_hexadecimal(to_hexadecimal(bytes)), bytes);
  EXPECT_EQ(to_hexadecimal(std::string("\x00\x0f\xa5\xff", 4)), "000fa5ff");
  EXPECT_EQ(from_hexadecimal(""), "");
}

TEST(Hexadecimal, RefusesOtherText) {
  for (const char* text : {"0", "0g", "FF", "00 ", "é0"}) EXPECT_THROW(from_hexadecimal(text), std::invalid_argument);
}

}  // namespace
}  // namespace retort::host
