#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh PROGRAM [ARG...]: every table of docs/benchmarks.md, in its order.
set -eu
program=$1
shift
for table in inference load train; do
	"$program" bench "$table" "$@"
	echo
done
