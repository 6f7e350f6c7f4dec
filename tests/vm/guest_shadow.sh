#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched watches a load whose moves are known, between two
# counters of the kernel's own.  guest_shadow.sh ENGINE MODEL; results in /out.
set -u
read -r id </sys/kernel/tracing/events/sched/sched_migrate_task/id
mkfifo /tmp/documents
count_events /out/outer "$id" mlsched run -v --json --backend shadow --engine "$1" --model "$2" \
	>/tmp/documents 2>/out/stderr &
watcher=$!
exec 3</tmp/documents
# The first document comes when everything is attached.
if ! read -r first <&3; then
	cat /out/stderr >&2
	exit 1
fi
{ echo "$first"; cat <&3; } >/out/documents &
exec 3<&-
count_events /out/inner "$id" switcher 1 4 600 >/out/known || exit
kill -INT $watcher
wait $watcher || exit
wait
