// The version check and the thread count of the oneDNN engine.
#include "runtime/kernels/onednn_engine.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::runtime {
namespace {

TEST(OneDnnVersionCheck, AcceptsTheCompiledReleaseAndNewerOfTheSameMajor) {
  EXPECT_NO_THROW(check_onednn_version({3, 7, 2}, {3, 7, 2}));
  EXPECT_NO_THROW(check_onednn_version({3, 7, 2}, {3, 7, 3}));
  EXPECT_NO_THROW(check_onednn_version({3, 7, 2}, {3, 12, 0}));
}

TEST(OneDnnVersionCheck, RefusesOlderReleasesAndOtherMajors) {
  EXPECT_THROW(check_onednn_version({3, 7, 2}, {3, 7, 1}), std::runtime_error);
  EXPECT_THROW(check_onednn_version({3, 7, 2}, {3, 6, 9}), std::runtime_error);
  EXPECT_THROW(check_onednn_version({3, 7, 2}, {4, 0, 0}), std::runtime_error);
  EXPECT_THROW(check_onednn_version({3, 7, 2}, {2, 7, 2}), std::runtime_error);
  try {
    check_onednn_version({3, 7, 2}, {3, 6, 9});
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("3.7.2"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("3.6.9"), std::string::npos) << error.what();
  }
}

TEST(OneDnnEngine, TakesAtMostTheMachinesProcessorsAndSaysSo) {
  const OneDnnEngine engine(100000);
  EXPECT_GE(engine.threads(), 1);
  EXPECT_LT(engine.threads(), 100000);
  EXPECT_NE(engine.description().find("100000 requested"), std::string::npos) << engine.description();
  EXPECT_EQ(OneDnnEngine(1).description().find("requested"), std::string::npos);
}

TEST(OneDnnEngine, TrustsInt8OnlyWithVnni) {
  using dnnl::cpu_isa;
  for (const cpu_isa isa : {cpu_isa::sse41, cpu_isa::avx2, cpu_isa::avx512_core}) {
    EXPECT_FALSE(multiplies_int8_exactly(isa)) << static_cast<int>(isa);
  }
  for (const cpu_isa isa : {cpu_isa::avx2_vnni, cpu_isa::avx2_vnni_2, cpu_isa::avx512_core_vnni,
                            cpu_isa::avx512_core_bf16, cpu_isa::avx512_core_amx}) {
    EXPECT_TRUE(multiplies_int8_exactly(isa)) << static_cast<int>(isa);
  }
}

TEST(OneDnnEngine, RefusesLessThanOneThread) {
  EXPECT_THROW(OneDnnEngine(0), std::invalid_argument);
  EXPECT_THROW(OneDnnEngine(-2), std::invalid_argument);
}

}  // namespace
}  // namespace retort::runtime
