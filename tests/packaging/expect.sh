# Assertions of the packaging tests; to be sourced. Each ends the test with what was expected and found.
set -euo pipefail
umask 022

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# expect_equal WHAT EXPECTED FOUND
expect_equal() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }

# expect_contains WHAT PATTERN TEXT (an extended regular expression)
expect_contains() { grep -Eq -- "$2" <<<"$3" || fail "$1: expected a match of '$2' in: $3"; }

# expect_lacks WHAT PATTERN TEXT
expect_lacks() { ! grep -Eq -- "$2" <<<"$3" || fail "$1: expected no match of '$2', found: $(grep -E -- "$2" <<<"$3")"; }

expect_file() { [ -e "$1" ] || fail "expected the file $1"; }

# The plugin exports its entry and nothing else.
expect_one_symbol() {
  expect_equal "symbols exported by $1" retort_plugin_entry_v1 \
    "$(nm -D --defined-only "$1" | awk '{ print $3 }' | sed 's/@.*//' | tr '\n' ' ' | sed 's/ $//')"
}

empty_folder() { rm -rf "$1" && mkdir -p "$1"; }
