# plugin_pipeline.sh BUILD WORK: a distillation loss built outside the tree drives a run of the installed Retort, with
# the training stages.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
build=$1 work=$2 prefix=$2/prefix

empty_folder "$work"
for component in runtime train sdk; do
  cmake --install "$build" --prefix "$prefix" --component $component >"$work/log" 2>&1 || fail "$(tail "$work/log")"
done
export PKG_CONFIG_PATH=$prefix/share/pkgconfig
"$CXX" -std=c++17 -O2 -shared -fPIC -fvisibility=hidden $(pkg-config --cflags retort-sdk) \
  "-Wl,--version-script=$(pkg-config --variable=version_script retort-sdk)" \
  -o "$work/my_kd.so" "$prefix/share/retort-sdk/templates/distill_cpp/my_kd.cpp"
cp "$(dirname "${BASH_SOURCE[0]}")/plugin_pipeline.json" "$work"

cd "$work"
"$prefix/bin/retort" run plugin_pipeline.json --run-dir run >log 2>&1 || fail "retort run: $(tail -n 30 log)"
expect_file run/stages/student/manifest.json
expect_contains "producer of the student" 'stage\.distill' "$(cat run/stages/student/manifest.json)"
# The plugin's own metric, once for each of the three steps.
metrics=$(cat run/metrics.jsonl)
expect_contains "metrics of the student" 'reverse_kl' "$metrics"

# A temperature that the plugin's schema forbids is refused before any work, by place and reason.
if refused=$("$prefix/bin/retort" run plugin_pipeline.json --run-dir refused --set student.algorithm.temperature=0 2>&1); then
  fail "expected a temperature of 0 to be refused; it said: $refused"
fi
expect_contains "refusal of temperature 0" '/stages/3/algorithm/temperature' "$refused"
[ ! -e refused/stages ] || fail "expected no work after a refused config, found $(ls refused/stages)"
