# plugin_with_cmake.sh PREFIX WORK: an author starts from the installed template, finds the SDK with find_package, builds
# outside the tree and tests with the installed command.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
prefix=$1 work=$2

empty_folder "$work"
cp -r "$prefix/share/retort-sdk/templates/distill_cpp" "$work/source"
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_INSTALL_PREFIX="$work/installed" \
  >"$work/log" 2>&1 || fail "configuring the template: $(tail "$work/log")"
expect_contains "the command that the SDK found" "^RETORT_EXECUTABLE:FILEPATH=$prefix/bin/retort\$" \
  "$(cat "$work/build/CMakeCache.txt")"
cmake --build "$work/build" >"$work/log" 2>&1 || fail "building the template: $(tail -n 30 "$work/log")"
plugin=$(find "$work/build" -name '*.so')
expect_file "$plugin"
expect_one_symbol "$plugin"
expect_lacks "libraries that the plugin needs" 'retort|torch' "$(readelf -d "$plugin" | grep NEEDED)"

# retort_add_plugin added the conformance test; it must have run, not just not failed.
tested=$(cd "$work/build" && ctest --output-on-failure --no-tests=error 2>&1) || fail "conformance: $tested"
expect_contains "the template's tests" '\.conformance .*Passed' "$tested"

cmake --install "$work/build" >"$work/log" 2>&1 || fail "installing the plugin: $(tail "$work/log")"
installed=$(find "$work/installed" -name '*.so')
expect_contains "where the plugin was installed" '/retort/plugins/[^/]+\.so$' "$installed"
listed=$("$prefix/bin/retort" plugins list --plugin-path "$(dirname "$installed")")
expect_contains "retort plugins list with the plugin" 'distill\.my_kd' "$listed"
