# needed_libraries.sh PREFIX: nothing in the runtime component needs LibTorch, not even through another library.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
prefix=$1

checked=0
while read -r file; do
  readelf -h "$file" >/dev/null 2>&1 || continue
  needed=$(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  loaded=$(ldd "$file")
  expect_lacks "libraries needed by $file" 'libtorch|libc10|libcaffe' "$needed $loaded"
  expect_lacks "libraries of $file" 'not found' "$loaded"
  checked=$((checked + 1))
done < <(find "$prefix" -type f \( -perm -u+x -o -name '*.so*' \))
[ "$checked" -ge 5 ] || fail "expected at least the command, its library, the scanner and some plugins; found $checked"
