// Components whose C++ code throws: in create() and in a call.
#include <retort/sdk.hpp>
#include <stdexcept>

namespace {

struct ThrowsInCreate : retort::DistillStrategy {
  using Params = retort::NoParams;
  explicit ThrowsInCreate(Params) { throw std::runtime_error("cannot open /nowhere/weights.bin"); }
  retort::Loss loss(const retort::DistillBatch&, const retort::Gradient&) override { return {}; }
};

struct ThrowsInCall : retort::DistillStrategy {
  using Params = retort::NoParams;
  explicit ThrowsInCall(Params) {}
  retort::Loss loss(const retort::DistillBatch&, const retort::Gradient&) override {
    throw std::invalid_argument("labels are missing");
  }
};

struct ThrowsAnInteger : retort::DistillStrategy {
  using Params = retort::NoParams;
  explicit ThrowsAnInteger(Params) { throw 42; }
  retort::Loss loss(const retort::DistillBatch&, const retort::Gradient&) override { return {}; }
};

}  // namespace

RETORT_PLUGIN_LIST("throwing", "1.0.0", "Apache-2.0",
                   retort::component<ThrowsInCreate>("distill.throws_in_create", "1.0.0", "throws in create()"),
                   retort::component<ThrowsInCall>("distill.throws_in_call", "1.0.0", "throws in loss()"),
                   retort::component<ThrowsAnInteger>("distill.throws_an_integer", "1.0.0",
                                                      "throws no std::exception"));
