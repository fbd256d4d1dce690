# plugin_with_pkg_config.sh PREFIX WORK: the templates, and a plugin in C for another interface, with a compiler and
# pkg-config alone; and what a plugin that breaks its contract gets.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
prefix=$1 work=$2

empty_folder "$work"
export PKG_CONFIG_PATH=$prefix/share/pkgconfig
expect_equal "abi_major of retort-sdk.pc" 1 "$(pkg-config --variable=abi_major retort-sdk)"

# build NAME COMPILER STANDARD SOURCES…
build() {
  $2 -std="$3" -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden $(pkg-config --cflags retort-sdk) \
    -Wl,--no-undefined "-Wl,--version-script=$(pkg-config --variable=version_script retort-sdk)" \
    -o "$work/$1.so" "${@:4}" 2>"$work/log" || fail "compiling $1: $(cat "$work/log")"
  expect_one_symbol "$work/$1.so"
}
# check NAME: sets `checked`
check() { checked=$("$prefix/bin/retort" plugins check "$work/$1.so" 2>&1); }

templates=$prefix/share/retort-sdk/templates
build my_kd "$CXX" c++17 "$templates"/distill_cpp/*.cpp
check my_kd || fail "retort plugins check my_kd: $checked"
expect_contains "retort plugins check my_kd" 'passed .*gradient equals' "$checked"
build logit_mse "$CC" c11 "$templates"/minimal_c/*.c
check logit_mse || fail "retort plugins check logit_mse: $checked"
expect_contains "retort plugins check logit_mse" 'passed .*gradient equals' "$checked"
build reinforce "$CC" c11 "$(dirname "${BASH_SOURCE[0]}")/reinforce.c"
check reinforce || fail "retort plugins check reinforce: $checked"
expect_contains "retort plugins check reinforce" 'passed .*gradient equals' "$checked"

# A loss whose gradient is not the gradient of its value is refused by the same check.
cat >"$work/wrong.cpp" <<'SOURCE'
#include <retort/sdk.hpp>
namespace {
struct Wrong : retort::DistillStrategy {
  using Params = retort::NoParams;
  explicit Wrong(Params) {}
  static auto schema() { return retort::params<Params>(); }
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    double value = 0;
    for (std::int64_t n = 0; n < batch.rows(); ++n)
      for (std::int64_t v = 0; v < batch.vocabulary(); ++v) {
        const double weight = batch.mask ? batch.mask[n] : 1.0, z = batch.student_logits(n, v);
        value += weight * z * z;
        if (gradient.logits) gradient.logits(n, v) = static_cast<float>(weight * z);  // half of what it is
      }
    return {value, {}};
  }
};
}  // namespace
RETORT_PLUGIN(Wrong, "distill.wrong", "1.0.0", "a loss with a wrong gradient");
SOURCE
build wrong "$CXX" c++17 "$work/wrong.cpp"
! check wrong || fail "expected retort plugins check to refuse a wrong gradient; it said: $checked"
expect_contains "retort plugins check of a wrong gradient" 'failed .*gradient equals' "$checked"
