#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# install-deps.sh BUILD_DIR: install every Debian package that mlsched needs
# and build libbpf into BUILD_DIR.  Does nothing that is done already.
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
. scripts/packages.sh

say() { echo "install-deps: $*"; }
die() { echo "install-deps: $*" >&2; exit 1; }

command -v dpkg-query >/dev/null || die "this is neither Debian nor Ubuntu: install these by hand:
${build_packages[*]} ${test_packages[*]}"

missing=()
for package in "${build_packages[@]}" "${test_packages[@]}"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
		missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	say "all packages are installed"
else
	root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "packages are missing and you are not root; as root:
  apt-get install ${missing[*]}"
		root=(sudo)
	fi
	say "installing with apt-get: ${missing[*]}"
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
		--no-install-recommends install "${missing[@]}" >"${TMPDIR:-/tmp}/mlsched-apt.$$.log" 2>&1 || {
		tail -n 20 "${TMPDIR:-/tmp}/mlsched-apt.$$.log" >&2
		die "apt-get install failed (see above)"
	}
	rm -f "${TMPDIR:-/tmp}/mlsched-apt.$$.log"
fi
scripts/build-libbpf.sh "$build"
