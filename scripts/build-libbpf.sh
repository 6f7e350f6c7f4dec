#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# build-libbpf.sh BUILD_DIR: build libbpf 1.5.0 statically into BUILD_DIR/libbpf
# (include/, lib/libbpf.a).  The source is the distribution's own source
# package, fetched with apt from the mirror that this system uses and checked
# against the hash below.  The system's apt set-up stays as it is, and no root
# is needed.
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=$(mkdir -p "${1:-build}" && cd "${1:-build}" && pwd)

version=1.5.0
sha256=53492aff6dd47e4da04ef5e672d753b9743848bdb38e9d90eafbe190b7983c44
archive=libbpf_$version.orig.tar.gz
cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
cache=${MLSCHED_CACHE:-${cache:+$cache/mlsched}}
cache=${cache:-$build/cache}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
out=$build/libbpf

say() { echo "build-libbpf: $*"; }
die() { echo "build-libbpf: $*" >&2; exit 1; }

[ -s "$out/lib/libbpf.a" ] && [ "$(cat "$out/version" 2>/dev/null)" = "$version" ] && exit 0

command -v "${HOSTCC:-gcc}" >/dev/null || die "${HOSTCC:-gcc} is missing: run make install-deps"
good() { [ "$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1)" = "$sha256" ]; }

fetch() {
	local id codename suite keyring mirror apt=$cache/apt
	id=$(. /etc/os-release; echo "${ID:-}")
	codename=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
	case $id in
	debian) suite=trixie keyring=/usr/share/keyrings/debian-archive-keyring.gpg ;;
	ubuntu) suite=plucky keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
	*) die "$id: neither Debian nor Ubuntu; put $archive into $cache by hand" ;;
	esac
	mirror=${MLSCHED_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v c="$codename" -v i="$id" '$1 == c && $2 ~ i { print $2; exit }')}
	[ -n "$mirror" ] || die "apt knows no mirror of $id $codename; set MLSCHED_MIRROR"
	say "fetching $archive ($suite) with apt"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
	echo "deb-src [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
	local options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
		-o "Dir::State=$apt/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$apt/cache"
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
	if ! { apt-get "${options[@]}" -o APT::Update::Error-Mode=any update &&
		(cd "$cache" && apt-get "${options[@]}" source --download-only "libbpf/$suite" >/dev/null); }; then
		die "apt could not fetch it: without a network, put $archive into $cache by hand"
	fi
}

# Who builds packages may have a home that is not there.
if ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then cache=$build/cache; mkdir -p "$cache"; fi
good "$cache/$archive" || { rm -f "$cache/$archive"; fetch; }
good "$cache/$archive" || die "$cache/$archive: expected SHA-256 $sha256, found \
$(sha256sum "$cache/$archive" 2>/dev/null | cut -d' ' -f1 || echo 'no file')"

say "building libbpf $version into $out"
# Elsewhere, since libbpf's Makefile cannot do with a blank in its path, which ours may have.
work=$(mktemp -d)
new=$(mktemp -d "$build/libbpf-XXXXXX")
trap 'rm -rf "$work" "$new"' EXIT
tar -xzf "$cache/$archive" -C "$work" --strip-components=1
make -s -C "$work/src" -j"$(nproc)" BUILD_STATIC_ONLY=1 OBJDIR="$work/obj" DESTDIR="$work/inst" \
	PREFIX= INCLUDEDIR=/include LIBDIR=/lib UAPIDIR=/include \
	CC="${HOSTCC:-gcc}" CFLAGS='-O2 -g -fPIC' install install_uapi_headers >"$work/log" 2>&1 || {
	tail -n 30 "$work/log" >&2
	die "libbpf did not build"
}
cp -a "$work/inst/." "$new/"
chmod 755 "$new"
echo "$version" >"$new/version"
rm -rf "$out"
mv "$new" "$out"
