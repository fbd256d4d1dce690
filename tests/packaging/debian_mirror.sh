# debian_mirror.sh SCRIPT WORK: which mirror and keyring packaging/debian-mirror reads from apt's sources, in both of
# their formats. apt runs on folders of this test and on archives in files; nothing of the machine is read or changed.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
script=$1 work=$2
command -v apt-get >/dev/null || fail "expected apt-get: these tests need Debian"

empty_folder "$work"
architecture=$(dpkg --print-architecture)

# archive NAME ORIGIN: an archive of one package for suite bookworm
archive() {
  local dists=$work/$1/dists/bookworm
  local packages=main/binary-$architecture/Packages
  mkdir -p "$dists/$(dirname $packages)"
  printf 'Package: nothing\nVersion: 1\nArchitecture: all\nFilename: nothing.deb\nSize: 1\nSHA256: %064d\n\n' 0 >"$dists/$packages"
  {
    [ -z "$2" ] || printf 'Origin: %s\nLabel: %s\n' "$2" "$2"
    printf 'Suite: oldstable\nCodename: bookworm\nComponents: main\nArchitectures: %s\nDate: %s\nSHA256:\n %s %s %s\n' \
      "$architecture" "$(LC_ALL=C date -u -R -d yesterday)" "$(sha256sum <"$dists/$packages" | cut -d' ' -f1)" \
      "$(wc -c <"$dists/$packages")" "$packages"
  } >"$dists/Release"
}
archive debian Debian
archive other Other
archive unnamed ""

# mirror_of SOURCES FILE-NAME: what the script prints for a machine with these sources
mirror_of() {
  local apt=$work/apt
  empty_folder "$apt"
  mkdir -p "$apt"/{etc/{sources.list.d,apt.conf.d,preferences.d},state/lists/partial,cache/archives/partial}
  printf '%s\n' "$1" >"$apt/etc/sources.list.d/$2"
  printf '%s\n' "Dir::Etc \"$apt/etc\";" "Dir::State \"$apt/state\";" "Dir::Cache \"$apt/cache\";" \
    'APT::Sandbox::User "root";' 'Acquire::Languages "none";' >"$apt/apt.conf"
  export APT_CONFIG=$apt/apt.conf
  apt-get -qq update >"$apt/log" 2>&1 || fail "apt-get update on the test's sources: $(cat "$apt/log")"
  bash "$script" bookworm 2>"$apt/error"
}

one_line="# deb [trusted=yes] file:$work/unnamed bookworm main
deb [trusted=yes] file:$work/other bookworm main
deb-src [trusted=yes] file:$work/unnamed bookworm main
deb [arch=$architecture trusted=yes] file:$work/debian bookworm main"
expect_equal "one-line format" "file:$work/debian/ -" "$(mirror_of "$one_line" a.list)"

signed="deb [ signed-by=/usr/share/keyrings/some.gpg trusted=yes ] file:$work/debian bookworm main"
expect_equal "one-line format with signed-by" "file:$work/debian/ /usr/share/keyrings/some.gpg" "$(mirror_of "$signed" a.list)"

deb822="Enabled: no
Types: deb
URIs: file:$work/unnamed
Suites: bookworm
Components: main
Trusted: yes

# a comment
suites: bookworm
types: deb
components: main contrib
uris: file:$work/debian
trusted: yes
signed-by: /usr/share/keyrings/other.gpg"
expect_equal "deb822 format" "file:$work/debian/ /usr/share/keyrings/other.gpg" "$(mirror_of "$deb822" b.sources)"

expect_equal "an archive without a name" "file:$work/unnamed/ -" \
  "$(mirror_of "deb [trusted=yes] file:$work/unnamed bookworm main" a.list)"

# Somebody else's archive with a suite of the same name is not Debian's.
! mirror_of "deb [trusted=yes] file:$work/other bookworm main" a.list || fail "expected exit status 1 without a Debian mirror"
expect_contains "message without a mirror" 'no apt source for suite bookworm' "$(cat "$work/apt/error")"
