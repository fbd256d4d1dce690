# install.sh BUILD PREFIX: installs the components of a build into an empty prefix, for the tests that follow.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
build=$1 prefix=$2

empty_folder "$prefix"
for component in runtime sdk; do
  cmake --install "$build" --prefix "$prefix" --component $component >"$prefix.log" 2>&1 || fail "$(tail "$prefix.log")"
done
# runtime and sdk alone, as on a machine without LibTorch; the training stages would come with component train.
expect_file "$prefix/bin/retort"
expect_file "$prefix/include/retort/sdk.hpp"
expect_file "$prefix/share/cmake/retort-sdk/retort-sdk-config.cmake"
expect_lacks "installed files" 'retort-train|stage_sft' "$(find "$prefix" -type f)"

library=$(find "$prefix" -name 'libretort-core.so.?')
expect_file "$library"
expect_file "$(dirname "$library")/retort/retort-plugin-scan"
expect_contains "libraries of the installed command" "$(dirname "$library")" "$(ldd "$prefix/bin/retort" | sed "s|/bin/\.\./|/|")"
listed=$("$prefix/bin/retort" plugins list) || fail "retort plugins list: exit status $?"
for id in environment.home teacher.rules reward.function_call distill.forward_kl stage.evaluate; do
  expect_contains "retort plugins list" "(^|[^a-z_.])$id([^a-z_.]|\$)" "$listed"
done
