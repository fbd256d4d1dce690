#!/usr/bin/env bash
# compile_with_clang.sh ROOT: the SDK's headers, its templates and a plugin of every interface by clang, in the languages
# that they promise; 77 where there is no clang.
set -euo pipefail
root=$1
cpp= c=
for version in "" -19 -20 -18 -17 -16; do
  if command -v "clang++$version" "clang$version" >/dev/null; then cpp=clang++$version c=clang$version; break; fi
done
[ -n "$cpp" ] || { echo "no clang here"; exit 77; }
flags=(-fsyntax-only -Wall -Wextra -Werror -pedantic-errors -I"$root/sdk/include")
"$c" -std=c11 "${flags[@]}" "$root/tests/abi/headers_c11.c"
"$c" -std=c11 "${flags[@]}" "$root/sdk/templates/minimal_c/plugin.c"
for standard in 17 20; do
  "$cpp" -std=c++$standard -DRETORT_TEST_STANDARD=$standard "${flags[@]}" "$root/tests/abi/headers_cpp.cpp"
  "$cpp" -std=c++$standard "${flags[@]}" "$root/sdk/templates/distill_cpp/my_kd.cpp"
done
"$cpp" -std=c++20 "${flags[@]}" "$root/tests/abi/today_plugin.cpp"
