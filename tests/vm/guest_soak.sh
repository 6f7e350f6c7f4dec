#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched schedules while stress-ng does its worst and one model
# after the other takes over.  guest_soak.sh SECONDS STRESSOR...; results in /out.
#
# The models are in /models.  Those whose names begin with "bad" must be refused.
set -u
seconds=$1
shift

state() { cat /sys/kernel/sched_ext/state; }
# Seconds of the guest's clock, which is another one than the host's when time is counted.
now() { cut -d. -f1 /proc/uptime; }

stress-ng --timeout "${seconds}s" --metrics-brief --temp-path /tmp "$@" >/out/stress 2>&1 &
stress=$!
end=$(($(now) + seconds))

# Loading takes the verifier seconds of a processor: niced, or all the time would go
# into that.  Each run is one model's; its summary says what the longest wait was.
turns=0
while [ "$(now)" -lt "$end" ]; do
	for path in /models/*; do
		[ "$(now)" -lt "$end" ] || break
		model=${path##*/}
		case $model in
		bad*)
			nice -n -20 mlsched run --backend scx --quiet --model "$path" --duration 1 >/dev/null 2>"/out/refused.$model"
			echo "$? $model" >>/out/refusals
			continue
			;;
		esac
		turns=$((turns + 1))
		: >/tmp/run
		nice -n -20 mlsched run --backend scx --json --interval 1 --model "$path" >/tmp/run 2>>/out/stderr &
		job=$!
		# It has attached when it says the first word.
		until [ -s /tmp/run ] || ! kill -0 $job 2>/dev/null; do sleep 0.2; done
		# A random time between two and five seconds, or until it ends by itself.
		stay=$(($(now) + 2 + $(od -An -N1 -tu1 /dev/urandom) % 4))
		while [ "$(now)" -lt $stay ] && kill -0 $job 2>/dev/null; do sleep 0.2; done
		[ "$(state)" = enabled ] || echo "turn $turns, $model: $(state)" >>/out/lost
		# Every third is killed: the kernel must cope without being asked.
		if [ $((turns % 3)) -eq 0 ]; then
			kill -KILL $job
			wait $job
			until [ "$(state)" = disabled ]; do sleep 0.1; done
		else
			kill -INT $job
			wait $job
			echo "$? $model" >>/out/endings
		fi
		# What it said last: a summary, or of one that was killed the last interval.
		tail -n 1 /tmp/run | sed "s/^{/{\"of\": \"$model\", /" >>/out/runs
	done
done
echo $turns >/out/turns
wait $stress
echo $? >/out/stress.status
