# debian_packages.sh BUILD WORK: builds the Debian packages and checks their relations and contents.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
build=$1 work=$2

empty_folder "$work"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work" >"$work/cpack.log" 2>&1 || fail "$(tail "$work/cpack.log")"
field() { dpkg-deb -f "$work/$1"_[0-9]*.deb "$2"; }
contents() { dpkg-deb -c "$work/$1"_[0-9]*.deb | awk '$1 !~ /^d/ { print $6 }'; }
architecture=$(dpkg --print-architecture)

version=$(field retort Version)
expect_contains "Version of retort" '^[0-9]+\.[0-9]+' "$version"
expect_equal "Architecture of retort" "$architecture" "$(field retort Architecture)"
expect_equal "Provides of retort" retort-plugin-abi-1 "$(field retort Provides)"
expect_contains "Depends of retort" 'libdnnl3' "$(field retort Depends)"
expect_lacks "Depends of retort" 'torch' "$(field retort Depends)"
expect_contains "contents of retort" '^\./usr/bin/retort$' "$(contents retort)"
expect_contains "contents of retort" '^\./usr/lib/[^/]+/libretort-core\.so\.0$' "$(contents retort)"
expect_contains "contents of retort" '^\./usr/lib/[^/]+/retort/retort-plugin-scan$' "$(contents retort)"
expect_contains "contents of retort" '^\./usr/lib/[^/]+/retort/plugins/teacher_rules\.so$' "$(contents retort)"
expect_contains "contents of retort" '^\./usr/share/retort/configs/quickstart\.json$' "$(contents retort)"
expect_lacks "contents of retort" 'retort-train|stage_sft|include/' "$(contents retort)"

if [ -n "$(find "$build/lib" -name 'libretort-train.so*')" ]; then
  expect_contains "Depends of retort-train" "(^|, )retort \(= $version\)" "$(field retort-train Depends)"
  expect_contains "Depends of retort-train" 'libtorch' "$(field retort-train Depends)"
  expect_contains "contents of retort-train" '^\./usr/lib/[^/]+/libretort-train\.so\.0$' "$(contents retort-train)"
  expect_contains "contents of retort-train" '^\./usr/lib/[^/]+/retort/plugins/stage_sft\.so$' "$(contents retort-train)"
fi

expect_equal "Architecture of retort-sdk" all "$(field retort-sdk Architecture)"
expect_equal "Depends of retort-sdk" "" "$(field retort-sdk Depends)"
expect_contains "contents of retort-sdk" '^\./usr/include/retort/abi/plugin\.h$' "$(contents retort-sdk)"
expect_contains "contents of retort-sdk" '^\./usr/share/pkgconfig/retort-sdk\.pc$' "$(contents retort-sdk)"
expect_contains "contents of retort-sdk" '^\./usr/share/retort-sdk/templates/distill_cpp/' "$(contents retort-sdk)"
expect_lacks "contents of retort-sdk" '\.so' "$(contents retort-sdk)"
expect_contains "contents of retort-doc" '^\./usr/share/doc/retort-doc/README\.md$' "$(contents retort-doc)"

# No two packages may hold the same file.
expect_equal "files in two packages" "" "$(for p in "$work"/*.deb; do dpkg-deb -c "$p" | awk '$1 !~ /^d/ { print $6 }'; done | sort | uniq -d)"

# Unpacked at another place it still finds its library and plugins.
dpkg-deb -x "$work"/retort_[0-9]*.deb "$work/root"
expect_contains "plugins of the unpacked package" 'teacher\.rules' "$("$work/root/usr/bin/retort" plugins list)"
