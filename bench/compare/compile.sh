#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest of bench/vm-compare, the load "compile": builds the source in /compile with
# make and gcc, and leaves in /out what the kernel's scheduler did meanwhile (traced.sh).
#
# compile.sh SEED [JOBS [FLAGS]]: SEED is the order in which make takes what is ready, JOBS how many
# at a time (1.5 for each CPU), FLAGS for gcc behind those of the Makefile (-O0: emulated CPUs are
# slow enough as it is).
#
# Everything is in memory from the start: tools and sources come with the initramfs, what is
# written goes to a tmpfs.
set -eu
seed=$1 jobs=${2:-$(($(nproc) * 3 / 2))} flags=${3:--O0}
root=/compile

mount -t tmpfs build $root/tmp
cp -r $root/source/src $root/tmp/src
mknod -m 666 $root/dev/null c 1 3

traced.sh chroot $root /usr/bin/make --silent --shuffle="$seed" -j "$jobs" -C /tmp/src posix MYCFLAGS="$flags" \
	>/out/build 2>&1 || { tail -n 5 /out/build >&2; exit 1; }

# What was built works.
said=$(chroot $root /tmp/src/lua -e 'local n = 0 for i = 1, 1000 do n = n + i end print(_VERSION, n)')
[ "$said" = "Lua 5.4	500500" ] || { echo "the program that was built says \"$said\"" >&2; exit 1; }
