#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Fixed point in NEON, cross-compiled by tests/tests.mk, in the emulator (or on
# the machine itself where that is AArch64).
set -u
program=${O:-build}/tests/arm64/check_qnet
skip_all() {
	echo "ok 1 - neon_gives_the_logit_of_the_reference # SKIP $1"
	echo "1..1"
	exit 0
}
[ -x "$program" ] || skip_all "no aarch64 compiler (package gcc-aarch64-linux-gnu)"
if [ "$(uname -m)" = aarch64 ]; then
	exec "$program"
fi
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) ||
	skip_all "no qemu-aarch64 (package qemu-user)"
exec "$emulator" "$program"
