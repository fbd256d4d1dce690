// What the conformance checks of quantizers and sparsifiers let pass and what they refuse: components that are right,
// and the same ones with one thing wrong.
#include <gtest/gtest.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/sparsifier.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/plugin/conformance_checks.h"

namespace retort::host {
namespace {

/// Element (row, column) of a view with strides.
template <typename T>
T& at(const retort_tensor& tensor, std::int64_t row, std::int64_t column) {
  return reinterpret_cast<T*>(static_cast<char*>(tensor.data) +
                              tensor.byte_offset)[row * tensor.strides[0] + column * tensor.strides[1]];
}

struct Fault {
  double scale_factor = 1;     ///< on the scales that are written, after the codes were chosen
  double coarseness = 1;       ///< on the scale that codes are chosen with as well
  bool smooths_apart = false;  ///< query heads of one kv head get different factors
  bool negative_factor = false;
  bool clips = false;  ///< every code at an end of its range
  bool unknown_signal = false;
  bool changes_its_mind = false;  ///< another scheme every time
  bool spares_the_small = false;  ///< a sparsifier's mask turned around
  bool lies_about_its_share = false;
};

struct TestComponent {
  std::int32_t bits = 4, symmetric = 1;
  std::int64_t group_size = 64;
  Fault fault;
  int asked = 0;

  static TestComponent& self(retort_instance* instance) { return *reinterpret_cast<TestComponent*>(instance); }

  static retort_error* quantize_requirements(retort_instance* instance, retort_quantize_requirements* out) {
    out->signals = self(instance).fault.unknown_signal ? RETORT_SIGNAL_LABELS : RETORT_SIGNAL_INPUT_ABSOLUTE_MAX;
    out->samples = 64;
    return nullptr;
  }
  static retort_error* scheme(retort_instance* instance, const retort_site*, retort_quantize_scheme* out) {
    TestComponent& me = self(instance);
    out->bits = me.bits + (me.fault.changes_its_mind ? me.asked++ % 2 : 0);
    out->symmetric = me.symmetric;
    out->group_size = me.group_size;
    return nullptr;
  }
  static retort_error* smooth(retort_instance* instance, const retort_site* site, const retort_tensor* factors,
                              const retort_metric_sink*) {
    for (std::int64_t i = 0; i < site->columns; ++i) {
      const std::int64_t shared = site->shared_heads, width = site->channel_group;
      const std::int64_t channel = site->producer == RETORT_PRODUCER_VALUE && !self(instance).fault.smooths_apart
                                       ? i / (width * shared) * width + i % width
                                       : i;
      static_cast<float*>(factors->data)[factors->byte_offset / sizeof(float) + static_cast<std::uint64_t>(i)] =
          (self(instance).fault.negative_factor ? -1.0F : 1.0F) * (0.75F + 0.125F * static_cast<float>(channel % 5));
    }
    return nullptr;
  }
  static retort_error* quantize(retort_instance* instance, const retort_site* site, std::uint64_t index,
                                const retort_quantize_scheme* scheme, const retort_quantize_output* output,
                                const retort_metric_sink*) {
    const Fault& fault = self(instance).fault;
    const retort_site_module& module = site->modules[index];
    const std::int64_t width = scheme->group_size > 0 ? scheme->group_size : module.columns;
    const double levels = std::exp2(scheme->bits) - 1;
    const bool symmetric = scheme->symmetric != 0;
    for (std::int64_t row = 0; row < module.rows; ++row)
      for (std::int64_t begin = 0; begin < module.columns; begin += width) {
        double low = 0, high = 0;
        for (std::int64_t i = begin; i < begin + width; ++i) {
          low = std::min(low, double{at<const float>(*module.weight, row, i)});
          high = std::max(high, double{at<const float>(*module.weight, row, i)});
        }
        double scale = symmetric ? std::max(-low, high) / std::floor(levels / 2) : (high - low) / levels;
        if (scale == 0) scale = 1;
        scale *= fault.coarseness;
        const double zero = symmetric ? 0 : std::clamp(std::nearbyint(-low / scale), 0.0, levels);
        const double first = symmetric ? -std::ceil(levels / 2) : 0;
        at<float>(*output->scales, row, begin / width) = static_cast<float>(scale * fault.scale_factor);
        if (!symmetric) at<std::int32_t>(*output->zero_points, row, begin / width) = static_cast<std::int32_t>(zero);
        for (std::int64_t i = begin; i < begin + width; ++i) {
          double code = std::nearbyint(at<const float>(*module.weight, row, i) / scale) + zero;
          if (fault.clips) code = code < zero ? first : first + levels;
          code = std::clamp(code, first, first + levels);
          if (symmetric)
            at<std::int8_t>(*output->codes, row, i) = static_cast<std::int8_t>(code);
          else
            at<std::uint8_t>(*output->codes, row, i) = static_cast<std::uint8_t>(code);
        }
      }
    return nullptr;
  }

  static retort_error* sparsify_requirements(retort_instance*, retort_sparsify_requirements*) { return nullptr; }
  /// Half of every row, by magnitude.
  static retort_error* sparsify(retort_instance* instance, const retort_site* site, std::uint64_t index,
                                const retort_sparsify_output* output, const retort_metric_sink* metrics) {
    const Fault& fault = self(instance).fault;
    const retort_site_module& module = site->modules[index];
    for (std::int64_t row = 0; row < module.rows; ++row) {
      std::vector<std::int64_t> order;
      for (std::int64_t i = 0; i < module.columns; ++i) order.push_back(i);
      const auto size = [&](std::int64_t i) { return std::abs(at<const float>(*module.weight, row, i)); };
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return size(a) < size(b); });
      if (fault.spares_the_small) std::reverse(order.begin(), order.end());
      for (std::size_t rank = 0; rank < order.size(); ++rank) {
        at<std::uint8_t>(*output->mask, row, order[rank]) = rank < order.size() / 2 ? 0 : 1;
        at<float>(*output->weight, row, order[rank]) = at<const float>(*module.weight, row, order[rank]);
      }
    }
    metrics->metric(metrics->context, {"sparsity", 8}, fault.lies_about_its_share ? 0.6 : 0.5);
    return nullptr;
  }
};

/// The checks that failed, as "name: detail".
std::vector<std::string> failures(const std::function<void(CheckLog&)>& body) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  CheckLog log(ends[1]);
  body(log);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  close(ends[0]);
  std::vector<std::string> failed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const Json json = Json::parse(line); json.at("outcome") == "failed")
      failed.push_back(json.at("check").get<std::string>() + ": " + json.at("detail").get<std::string>());
  return failed;
}

std::string failure_of_quantizer(TestComponent component) {
  static const retort_quantizer_v1 table = {RETORT_QUANTIZER_V1_SIZE,
                                            0,
                                            &TestComponent::quantize_requirements,
                                            &TestComponent::scheme,
                                            &TestComponent::smooth,
                                            &TestComponent::quantize};
  const std::vector<std::string> failed = failures([&](CheckLog& log) {
    check_quantizer(log, {"quantize.test", reinterpret_cast<retort_instance*>(&component), &table});
  });
  return failed.empty() ? "" : failed.front();
}

std::string failure_of_sparsifier(TestComponent component) {
  static const retort_sparsifier_v1 table = {RETORT_SPARSIFIER_V1_SIZE, 0, &TestComponent::sparsify_requirements,
                                             &TestComponent::sparsify};
  const std::vector<std::string> failed = failures([&](CheckLog& log) {
    check_sparsifier(log, {"sparsify.test", reinterpret_cast<retort_instance*>(&component), &table});
  });
  return failed.empty() ? "" : failed.front();
}

TEST(ConformanceOfQuantizers, PassesEveryScheme) {
  for (const std::int32_t symmetric : {0, 1})
    for (const auto& [bits, group] : {std::pair{8, 0}, {4, 32}, {4, 64}, {4, 128}, {4, 0}, {3, 64}, {2, 32}, {6, 256}})
      EXPECT_EQ(failure_of_quantizer({.bits = bits, .symmetric = symmetric, .group_size = group}), "")
          << bits << " " << group << " " << symmetric;
}

TEST(ConformanceOfQuantizers, RefusesScalesThatAreWrong) {
  for (const std::int32_t symmetric : {0, 1})
    for (const auto& [bits, group] : {std::pair{8, 0}, {4, 32}, {4, 128}, {3, 64}}) {
      for (const double factor : {1.9, 0.5, -1.0}) {
        Fault wrong{.scale_factor = factor};
        EXPECT_NE(failure_of_quantizer({bits, symmetric, group, wrong}).find("dequantised weight is near"),
                  std::string::npos)
            << bits << " " << factor;
      }
      EXPECT_NE(failure_of_quantizer({bits, symmetric, group, {.coarseness = 1.9}}).find("dequantised weight is near"),
                std::string::npos)
          << bits << " " << group << " " << symmetric;
    }
}

TEST(ConformanceOfQuantizers, RefusesEveryOtherFault) {
  const auto failure = [](const Fault& fault) { return failure_of_quantizer({.fault = fault}); };
  EXPECT_NE(failure({.clips = true}), "");
  EXPECT_NE(failure({.smooths_apart = true}).find("must be equal"), std::string::npos);
  EXPECT_NE(failure({.negative_factor = true}).find("positive"), std::string::npos);
  EXPECT_NE(failure({.unknown_signal = true}).find("LABELS"), std::string::npos);
  EXPECT_NE(failure({.changes_its_mind = true}).find("two schemes"), std::string::npos);
}

TEST(ConformanceOfSparsifiers, PassesMagnitudeAndRefusesItTurnedAround) {
  EXPECT_EQ(failure_of_sparsifier({}), "");
  EXPECT_NE(failure_of_sparsifier({.fault = {.spares_the_small = true}}).find("at random"), std::string::npos);
  EXPECT_NE(failure_of_sparsifier({.fault = {.lies_about_its_share = true}}).find("sparsity"), std::string::npos);
}

}  // namespace
}  // namespace retort::host
