#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# as-root.sh COMMAND...: run a command as root: directly, by sudo, or say that
# it needs root and run it as it is, so that it can say what it lacks.
set -eu
if [ "$(id -u)" -eq 0 ]; then
	exec "$@"
elif command -v sudo >/dev/null; then
	echo "needs root to load BPF programs: sudo $*" >&2
	exec sudo "$@"
fi
exec "$@"
