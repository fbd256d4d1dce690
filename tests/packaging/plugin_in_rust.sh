# plugin_in_rust.sh PREFIX WORK: the Rust template built with rustc alone, without any crate, checked and found by the
# installed command. Skipped (77) where there is no rustc: apt-get install rustc.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
prefix=$1 work=$2

if ! command -v rustc >/dev/null; then
  echo "SKIPPED: no rustc here; Debian's package rustc has it"
  exit 77
fi
empty_folder "$work"
source=$prefix/share/retort-sdk/templates/minimal_rust
rustc --edition 2021 --crate-type cdylib -O -D warnings "$source/plugin.rs" -o "$work/generalised_jsd.so" \
  2>"$work/log" || fail "compiling the Rust template: $(cat "$work/log")"
expect_one_symbol "$work/generalised_jsd.so"
expect_lacks "libraries that the plugin needs" 'retort|torch|std-' "$(readelf -d "$work/generalised_jsd.so" | grep NEEDED)"

checked=$("$prefix/bin/retort" plugins check "$work/generalised_jsd.so" 2>&1) ||
  fail "retort plugins check generalised_jsd: $checked"
expect_contains "retort plugins check generalised_jsd" 'passed .*gradient equals' "$checked"
listed=$("$prefix/bin/retort" plugins list --plugin-path "$work")
expect_contains "retort plugins list with the plugin" 'distill\.generalised_jsd' "$listed"
shown=$("$prefix/bin/retort" plugins show --plugin-path "$work" distill.generalised_jsd)
expect_contains "parameters of the plugin" 'beta' "$shown"
