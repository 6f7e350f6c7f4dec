#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# ensure-deps.sh BUILD_DIR: call install-deps.sh if something that a build needs
# is missing; quick and silent when nothing is.
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
. scripts/packages.sh

if [ -s "$build/libbpf/lib/libbpf.a" ] &&
	dpkg-query -W -f '${Status}\n' "${build_packages[@]}" "${test_packages[@]}" 2>/dev/null |
	awk '!/^install ok installed/ { bad = 1 } END { exit bad || NR != n }' \
		n=$((${#build_packages[@]} + ${#test_packages[@]})); then
	exit 0
fi
exec scripts/install-deps.sh "$build"
