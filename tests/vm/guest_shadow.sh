#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched watches a load whose moves are known, between two
# counters of the kernel's own.  guest_shadow.sh ENGINE MODEL; results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

read -r id </sys/kernel/tracing/events/sched/sched_migrate_task/id
# The first document comes when everything is attached.
start documents count_events /out/outer "$id" mlsched run -v --json --backend shadow --engine "$1" --model "$2"
count_events /out/inner "$id" switcher 1 4 600 >/out/known || exit
end
[ "$(cat /out/documents.status)" = 0 ]
