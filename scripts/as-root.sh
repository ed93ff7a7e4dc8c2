#!/bin/sh
# Runs a command as root with the project's own Node first in PATH: network namespaces, port 67 and loop
# devices need it.
set -eu
if [ "$(id -u)" = 0 ]; then
  exec "$@"
fi
command -v sudo >/dev/null 2>&1 || {
  printf 'rekindle: run this as root, or install sudo\n' >&2
  exit 2
}
exec sudo env "PATH=$PATH" "$@"
