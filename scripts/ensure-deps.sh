#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# ensure-deps.sh BUILD_DIR [build|test|interop|vm]: call install-deps.sh if something is
# missing that a build (or, with "test", the tests and benchmarks, with "vm" the
# virtual machines) needs; quick and silent when nothing is.
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
what=${2:-build}
. scripts/packages.sh

packages_for "$what"
if [ -s "$build/libbpf/lib/libbpf.a" ]; then
	# Not a Debian: whoever put libbpf there looks after the rest, too.
	command -v dpkg-query >/dev/null || exit 0
	installed=$(dpkg-query -W -f '${Status}\n' "${packages[@]}" 2>/dev/null |
		grep -c '^install ok installed' || true)
	[ "$installed" -ne ${#packages[@]} ] || exit 0
fi
exec scripts/install-deps.sh "$build" "$what"
