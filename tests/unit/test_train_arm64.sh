#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The trainer, cross-compiled by tests/tests.mk, in the emulator (or on the
# machine itself where that is AArch64): the same bits as on x86-64.
set -u
program=${O:-build}/tests/arm64/check_train
skip_all() {
	echo "ok 1 - training_gives_the_same_bits_on_arm64 # SKIP $1"
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
