#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest of bench/vm-compare, the load "compile": builds the source in /compile with
# make and gcc, and leaves in /out what the kernel's scheduler did meanwhile.
#
# compile.sh SEED [JOBS [FLAGS]]: SEED is the order in which make takes what is ready, JOBS how many
# at a time (1.5 for each CPU), FLAGS for gcc behind those of the Makefile (-O0: emulated CPUs are
# slow enough as it is).
#
# Everything is in memory from the start: tools and sources come with the initramfs, what is
# written goes to a tmpfs.  compare/schedtrace.py reads what is left.
set -eu
seed=$1 jobs=${2:-$(($(nproc) * 3 / 2))} flags=${3:--O0}
root=/compile tracing=/sys/kernel/tracing
events="sched_switch sched_wakeup sched_wakeup_new sched_migrate_task sched_process_fork sched_process_exec
	sched_process_exit"

mount -t tmpfs build $root/tmp
cp -r $root/source/src $root/tmp/src
mknod -m 666 $root/dev/null c 1 3

for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
	node=$(echo "$cpu"/node[0-9]*)
	echo "${cpu##*/cpu} $(cat "$cpu/cache/index3/shared_cpu_list") ${node##*/node}"
done >/out/cpus

# One clock for all CPUs; room for all events, for whatever is lost makes the run worthless.
echo mono >$tracing/trace_clock
echo 16384 >$tracing/buffer_size_kb
for event in $events; do
	echo 1 >"$tracing/events/sched/$event/enable"
done
# A process of its own, whose number is known before it becomes make: the build is that and its descendants.
sh -c 'echo $$ >/out/pid; exec chroot "$@"' sh $root /usr/bin/make --silent --shuffle="$seed" -j "$jobs" -C /tmp/src \
	posix MYCFLAGS="$flags" >/out/build 2>&1 || { tail -n 5 /out/build >&2; exit 1; }
echo 0 >$tracing/tracing_on

# What was built works.
said=$(chroot $root /tmp/src/lua -e 'local n = 0 for i = 1, 1000 do n = n + i end print(_VERSION, n)')
[ "$said" = "Lua 5.4	500500" ] || { echo "the program that was built says \"$said\"" >&2; exit 1; }
lost=$(cat $tracing/per_cpu/cpu*/stats | awk '/^(overrun|commit overrun|dropped events):/ { n += $NF } END { print n + 0 }')
[ "$lost" = 0 ] || { echo "$lost events of the kernel were lost" >&2; exit 1; }
cat $tracing/trace >/out/trace
