#!/usr/bin/env bash
# PyTorch as Debian 13 packages it, unpacked into a cache folder (nothing is installed), to measure training beside ours.
# It runs on the LibTorch that this machine has installed: both sides share one build of LibTorch, oneDNN and BLAS.
#   torch-peer.sh setup          unpack, once
#   torch-peer.sh run ARGS…      its python3 with ARGS
# The mirror is the one that this machine's own apt sources name. Cache: TORCH_PEER_CACHE, default ~/.cache/torch-peer
# (about 300 MB).
set -euo pipefail
cache=${TORCH_PEER_CACHE:-$HOME/.cache/torch-peer}
root=$cache/root
packages=(python3-torch python3.13-minimal libpython3.13-minimal libpython3.13-stdlib python3-typing-extensions
  python3-filelock python3-sympy python3-mpmath python3-networkx python3-jinja2 python3-markupsafe python3-fsspec
  python3-packaging python3-yaml python3-numpy python3-psutil libexpat1 libffi8 libssl3t64 libsqlite3-0 libtorch-test)

fail() { printf >&2 'torch-peer: %s\n' "$*"; exit 1; }
setup() {
  [ -e "$cache/ready" ] && return
  command -v dpkg-query >/dev/null || fail "expected a Debian system with apt and dpkg"
  local installed; installed=$(dpkg-query -W -f '${Version}' libtorch2.6 2>/dev/null) ||
    fail "expected the package libtorch2.6, found none; 'make setup' installs it"
  mkdir -p "$cache"/apt/{lists,cache/archives}/partial "$cache/debs"
  local mirror
  mirror=$(grep -hoE 'https?://[^ ]+/debian/? ' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1 | tr -d ' ' || true)
  [ -n "$mirror" ] || mirror=$(grep -hE '^URIs:.*/debian/?$' /etc/apt/sources.list.d/*.sources | head -1 | cut -d' ' -f2)
  [ -n "$mirror" ] || fail "expected a Debian mirror in /etc/apt, found none"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$cache/apt/sources.list"
  local apt=(-oDir::State::Lists="$cache/apt/lists" -oDir::Etc::SourceList="$cache/apt/sources.list"
    -oDir::Etc::SourceParts=/dev/null -oDir::Cache="$cache/apt/cache" -oAPT::Default-Release=trixie)
  apt-get "${apt[@]}" update -qq
  local wanted=() package
  for package in "${packages[@]}"; do
    case $package in
      python3-torch | libtorch-test) wanted+=("$package=$installed") ;;
      *) wanted+=("$package/trixie") ;;
    esac
  done
  (cd "$cache/debs" && apt-get "${apt[@]}" download "${wanted[@]}" >/dev/null)
  local deb
  for deb in "$cache"/debs/*.deb; do dpkg -x "$deb" "$root"; done
  local library name
  for library in "$root"/usr/lib/python3/dist-packages/torch/lib/*.so; do  # they lead to LibTorch's, beside the package
    name=$(basename "$(readlink "$library")")
    ln -sf "/usr/lib/x86_64-linux-gnu/$name" "$root/usr/lib/x86_64-linux-gnu/$name"
  done
  touch "$cache/ready"
}
run() {
  # Libraries of the unpacked packages follow the system's, which are the ones that our side uses.
  LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" PYTHONHOME="$root/usr" PYTHONNOUSERSITE=1 \
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root/usr/lib/python3/dist-packages" exec "$root/usr/bin/python3.13" "$@"
}
case ${1:-} in
  setup) setup ;;
  run) shift; setup; run "$@" ;;
  *) sed -n '2,7p' "$0"; exit 2 ;;
esac
