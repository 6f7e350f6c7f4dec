#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What libmlsched.so exports: every function that a public header declares, and
# nothing else.
. "$(dirname "$0")/../lib/tap.sh"

# A declared function: mlsched_name( outside of comments, where the names also carry parentheses.
declared=$(cat include/mlsched/*.h | sed -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' |
	grep -oE '\bmlsched_[a-z0-9_]+\(' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$O/libmlsched.so" | sed -n 's/.* T \(.*\)@@.*/\1/p' | sort -u)
check "some functions are declared" test "$(echo "$declared" | wc -l)" -gt 20
same "libmlsched_so_exports_the_declared_functions_and_nothing_else" "$declared" "$exported"
finish
