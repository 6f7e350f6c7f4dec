#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# build-schedulers.sh [NAME-VERSION...]: builds the published schedulers that
# bench/vm-compare sets ours against, each from its crate on crates.io with the
# versions of its own lock file, into MLSCHED_CACHE/peers/NAME-VERSION/bin.
#
# Needs a Rust toolchain (1.91 or later); without one it says so and ends with
# status 0.  What is there already is not built again.  4 to 10 minutes each on
# one core.  Nothing of them comes into this repository.
set -eu -o pipefail

peers=(scx_rusty-1.0.8p scx_rusty-1.1.4 scx_lavd-1.1.4 scx_bpfland-1.1.4)
packages=(clang-19 llvm-19 libclang-19-dev libelf-dev zlib1g-dev libseccomp-dev libssl-dev protobuf-compiler pkg-config)
to=${MLSCHED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mlsched}/peers

say() { echo "build-schedulers: $*"; }
die() { echo "build-schedulers: $*" >&2; exit 1; }

[ $# -eq 0 ] || peers=("$@")
missing=()
for peer in "${peers[@]}"; do
	[[ $peer =~ ^scx_[a-z]+-[0-9]+\.[0-9]+\.[0-9]+p?$ ]] || die "$peer: expected NAME-VERSION, like scx_lavd-1.1.4"
	[ -x "$to/$peer/bin/${peer%-*}" ] || missing+=("$peer")
done
[ ${#missing[@]} -gt 0 ] || { say "all are in $to: ${peers[*]}"; exit 0; }
command -v cargo >/dev/null || {
	say "skipped ${missing[*]}: there is no Rust toolchain (cargo); the comparison goes without them"
	exit 0
}

if command -v dpkg-query >/dev/null; then
	absent=()
	for package in "${packages[@]}"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || absent+=("$package")
	done
	if [ ${#absent[@]} -gt 0 ]; then
		root=()
		[ "$(id -u)" -eq 0 ] || root=(sudo)
		say "installing with apt-get: ${absent[*]}"
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
			--no-install-recommends install "${absent[@]}" >/dev/null
	fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BPF_CLANG=clang-19 LIBCLANG_PATH=/usr/lib/llvm-19/lib
# Dependencies that they share are compiled once.  Optimising over all of them at
# link time takes minutes, for user space that hardly runs.
export CARGO_TARGET_DIR=$work/target CARGO_PROFILE_RELEASE_LTO=off

# fetch_source NAME VERSION: a copy of the crate in $work/NAME.  Cargo checks its hash.
fetch_source() {
	local source
	mkdir -p "$work/fetch"
	printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\n%s = "=%s"\n' \
		"$1" "$2" >"$work/fetch/Cargo.toml"
	: >"$work/fetch/lib.rs"
	cargo fetch -q --manifest-path "$work/fetch/Cargo.toml"
	source=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 2 -maxdepth 2 -name "$1-$2" | head -n 1)
	[ -n "$source" ] || die "cargo has fetched $1 $2, but its source is not in ${CARGO_HOME:-$HOME/.cargo}/registry/src"
	cp -r "$source" "$work/$1"
}

# scx_rusty 1.0.8 is of a time when kernel functions had other names, which 6.18 no
# longer has: "1.0.8p" is the same with the new names.
port() {
	sed -i '1i #define scx_bpf_consume scx_bpf_dsq_move_to_local\n#define scx_bpf_dispatch scx_bpf_dsq_insert\n#define scx_bpf_dispatch_vtime scx_bpf_dsq_insert_vtime' \
		"$1/src/bpf/main.bpf.c"
}

for peer in "${missing[@]}"; do
	name=${peer%-*} version=${peer##*-}
	say "building $name $version: minutes"
	if [ "$version" != "${version%p}" ]; then
		fetch_source "$name" "${version%p}"
		port "$work/$name"
		from=(--path "$work/$name")
	else
		from=("$name" --version "$version")
	fi
	cargo install -q --locked --no-track --root "$to/$peer" "${from[@]}" >"$work/log" 2>&1 || {
		tail -n 40 "$work/log" >&2
		die "$name $version does not build"
	}
	say "$to/$peer/bin/$name"
done
