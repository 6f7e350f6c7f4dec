#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the Makefile promises: out-of-tree builds, nothing rebuilt without need,
# everything rebuilt that a header touches and nothing else, a change of flags
# noticed, a parallel build from clean.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

tree=$tap_tmp/tree
out=$tap_tmp/out
mkdir -p "$tree" "$out"
git ls-files -z | xargs -0 cp --parents -t "$tree" || exit 1
cp -a "$O/libbpf" "$out/"
cd "$tree" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL O
# How fast the code is matters to nobody here.
build() { make --no-print-directory -j2 O="$out" CFLAGS="-O0 -g0" "$@"; }
# Some are compiled twice: into the library, and into the program that runs libhdf5.
compiled() { sed -n 's/^  \(CC\|BPF\) *//p' "$1" | sort -u; }
# What a build with these arguments would compile: what make decides, without the work.
would_compile() { build -n "$@" | sed -n "s/^printf '  %-8s %s\\\\n' '\(CC\|BPF\)' '\(.*\)'\$/\2/p" | sort -u; }

started=$SECONDS
check "out-of-tree parallel build from clean" build
echo "# from clean in $((SECONDS - started)) s"
same "the source tree stays clean" "" "$(find . -name '*.o' -o -name build)"

build >"$tap_tmp/log" 2>&1
same "a second build compiles nothing" "" "$(compiled "$tap_tmp/log")"

for header in include/mlsched/schema.h src/util/crc32c.h src/cli/cli.h; do
	expected=$(grep -lr --include='*.d' -E "(^| )$header( |\$)" "$out/obj" |
		sed -e "s|^$out/obj/||" -e 's|^hdf5-child/||' -e 's|\.d$|.c|' | grep -v '^tests/' | sort -u)
	touch -r "$header" "$tap_tmp/before"
	touch "$header"
	same "touching $header rebuilds what includes it and nothing else" "$expected" "$(would_compile)"
	touch -r "$tap_tmp/before" "$header"
done
touch src/util/crc32c.h
check "what a header touches is built anew" build
same "and then a build compiles nothing" "" "$(would_compile)"

same "other flags rebuild every object" \
	"$(find core src bench -name '*.c' -not -name '*_neon.c' -not -path 'src/model_dir/*' -not -path 'bench/vm/*' | sort)" \
	"$(would_compile CFLAGS=-DMLS_SOME_FLAG | grep -v -e '/gen/' -e 'bpf.c$')"
# Its sizes are a file's: what wraps round is looked at under clang's sanitizer, and by no other compiler.
wraps() { build -n V=1 "$@" | grep unsigned-integer-overflow | grep -oE ' [^ ]+\.c$' | tr -d ' ' | sort -u; }
same "under sanitizers src/formats is looked at for sums that wrap round, and nothing else" \
	"$(find src/formats -maxdepth 1 -name '*.c' | sort)" "$(wraps SANITIZE=address,undefined CC=clang-19)"
same "gcc has no such sanitizer" "" "$(wraps SANITIZE=address,undefined CC=gcc)$(wraps CC=clang-19)"

make --no-print-directory O="$tap_tmp/o ut" >"$tap_tmp/log" 2>&1
same "a build directory with a blank in its path is refused" 2 $?
check "and the message says why" grep -q 'expected one directory without blanks' "$tap_tmp/log"
check "make help lists every public target" sh -c \
	'for t in build run test bench model install-deps install-deps-tf install-runtimes lint format install clean help; do
		make help | grep -q "^  $t " || { echo "$t is missing"; exit 1; }
	done'
finish
