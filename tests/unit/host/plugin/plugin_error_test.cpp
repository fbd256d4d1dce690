// The host's services as a plugin calls them.
#include "host/plugin/plugin_error.h"

#include <gtest/gtest.h>

namespace retort::host {
namespace {

TEST(HostServices, ErrorsCarryCodeAndMessage) {
  const retort_host& host = host_services();
  EXPECT_EQ(host.struct_size, sizeof(retort_host));
  EXPECT_EQ(host.abi_major, std::uint32_t{RETORT_ABI_MAJOR});
  retort_error* error = host.error_new(RETORT_ERROR_INTERNAL, to_abi("broken \xe2\x80\x9cthing\xe2\x80\x9d"));
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(host.error_code(error), RETORT_ERROR_INTERNAL);
  EXPECT_EQ(to_std(host.error_message(error)), "broken \xe2\x80\x9cthing\xe2\x80\x9d");
  host.error_free(error);
  host.error_free(nullptr);
}

TEST(HostServices, AnErrorThatDoesNotFitMemoryIsStillAnError) {
  static const char byte = 'x';
  retort_error* error = host_services().error_new(RETORT_ERROR_INTERNAL, {&byte, ~std::uint64_t{0}});
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(to_std(host_services().error_message(error)), "out of memory");
  host_services().error_free(error);
  EXPECT_EQ(to_std(host_services().error_message(error)), "out of memory");  // the stand-in is never freed
}

TEST(HostServices, ThrowIfError) {
  EXPECT_NO_THROW(throw_if_error(nullptr, "loss()"));
  try {
    throw_if_error(host_services().error_new(RETORT_ERROR_INVALID_ARGUMENT, to_abi("labels are missing")), "loss()");
    FAIL() << "nothing was thrown";
  } catch (const PluginError& error) {
    EXPECT_EQ(error.code(), RETORT_ERROR_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), "loss(): labels are missing");
  }
}

TEST(HostServices, StoppingIsSeenByPlugins) {
  EXPECT_EQ(host_services().should_stop(), 0);
  request_stop();
  EXPECT_EQ(host_services().should_stop(), 1);
  EXPECT_TRUE(stop_requested());
  clear_stop_request();
  EXPECT_EQ(host_services().should_stop(), 0);
}

TEST(HostServices, UnknownExtensionsAreNotOffered) {
  EXPECT_EQ(host_services().get_extension(to_abi("retort.clairvoyance/1")), nullptr);
}

TEST(TextSink, AppendsPieces) {
  std::string text = "a";
  const retort_text_sink sink = sink_into(text);
  sink.write(sink.context, to_abi("bc"));
  sink.write(sink.context, {nullptr, 0});
  sink.write(sink.context, to_abi(std::string_view("\0d", 2)));
  EXPECT_EQ(text, std::string("abc\0d", 5));
}

}  // namespace
}  // namespace retort::host
