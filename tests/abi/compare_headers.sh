#!/usr/bin/env bash
# compare_headers.sh KEPT.tar.gz INCLUDE CC: fails where today's ABI headers in INCLUDE differ from the kept ones in a
# struct, a function or a constant. Exit code 77: abidiff (abigail-tools) is not installed.
set -euo pipefail

archive=$1 include=$2 cc=$3
command -v abidiff >/dev/null || { echo "abidiff is not installed: packaging/setup does that"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/headers"
tar -xzf "$archive" -C "$work/headers"

for side in kept today; do
  folder=$include
  [ $side = today ] || folder=$work/headers/include
  "$cc" -std=c11 -g -fno-eliminate-unused-debug-types -shared -fPIC -I"$folder" "$here/all_types.c" -o "$work/$side.so"
  # Constants leave no trace in the object.
  "$cc" -std=c11 -E -dM -I"$folder" "$here/all_types.c" | grep -E '^#define RETORT_' | sort >"$work/$side.constants"
done

status=0
diff -u "$work/kept.constants" "$work/today.constants" || status=1
abidiff --no-show-locs "$work/kept.so" "$work/today.so" || status=1
if [ $status -ne 0 ]; then
  echo "The ABI differs from the kept one of $(basename "$(dirname "$archive")"). If that is meant (before 1.0.0 only):"
  echo "write a line into sdk/CHANGES.md and renew what is kept with tests/abi/renew, in one commit."
fi
exit $status
