#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# install-deps.sh BUILD_DIR [build|test|interop|vm]: install the Debian packages that
# mlsched needs (for "build" without those of the tests, for "vm" with those of the
# virtual machines) and build libbpf into BUILD_DIR.  Does nothing that is done already.
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
what=${2:-test}
. scripts/packages.sh

say() { echo "install-deps: $*"; }
die() { echo "install-deps: $*" >&2; exit 1; }

packages_for "$what"
command -v dpkg-query >/dev/null || die "this is neither Debian nor Ubuntu: install by hand what
these packages hold: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
		missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	say "all ${#packages[@]} packages are installed"
else
	root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "packages are missing, and you are neither root nor is there sudo.
As root: apt-get install --no-install-recommends ${missing[*]}"
		root=(sudo)
	fi
	say "installing with apt-get: ${missing[*]}"
	log=$(mktemp)
	apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300)
	if ! { "${root[@]}" "${apt[@]}" update &&
		"${root[@]}" "${apt[@]}" --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		die "apt-get failed; its whole output is in $log"
	fi
	rm -f "$log"
fi
scripts/build-libbpf.sh "$build"
