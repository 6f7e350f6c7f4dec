#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: one mlsched schedules while stress-ng does its worst, and one model
# after the other is swapped in.  guest_soak.sh SECONDS TURN STRESSOR...; results in /out.
#
# Each model is in charge for up to TURN seconds.  The models are in /models.  Those whose
# names begin with "bad" must be refused, and the one before goes on.
set -u
seconds=$1 turn=$2
shift 2

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# Seconds of the guest's clock, which is another one than the host's when time is counted.
now() { cut -d. -f1 /proc/uptime; }

stats() { mlsched stats --json; }
# From what stats said.
path_in() { echo "$1" | sed 's/.*"active_path": *"\([^"]*\)".*/\1/'; }

# Each CPU has run one of our tasks since the swap: no decision of the model before is
# under way any more, for those cannot be interrupted.
settle() {
	for cpu in $cpus; do
		taskset -c "$cpu" true
	done
}

# in_charge NAME HOW: lets it decide for a while.  "last" is from before the swap: waits
# that end during it are this turn's; its decisions are counted from "from" on.
in_charge() {
	turns=$((turns + 1))
	settle
	from=$(stats)
	stay=$(($(now) + 1 + $(od -An -N1 -tu1 /dev/urandom) % turn))
	while [ "$(now)" -lt $stay ]; do sleep 0.1; done
	to=$(stats)
	printf '{"of": "%s", "how": "%s", "last": %s, "from": %s, "to": %s}\n' "$1" "$2" "$last" "$from" "$to" >>/out/turns
	last=$to
	[ "$(state)" = enabled ] || echo "turn $turns, $1: $(state)" >>/out/lost
}

# done_with HOW WANTED STATUS ANSWER: keeps what was said, and who decides now.
done_with() {
	was=$is
	is=$(path_in "$(stats)")
	printf '{"how": "%s", "wanted": %s, "status": %s, "was": "%s", "is": "%s", "answer": %s}\n' \
		"$1" "$2" "$3" "$was" "$is" "${4:-null}" >>/out/swaps
}
# swap HOW STATUS OPTION... PATH: one that must end so.
swap() {
	how=$1 wanted=$2
	shift 2
	answer=$(mlsched model swap --json "$@" 2>>/out/messages)
	done_with "$how" "$wanted" $? "$answer"
}
roll_back() {	# HOW
	answer=$(mlsched model rollback --json 2>>/out/messages)
	done_with "$1" 0 $? "$answer"
}

# A trial that nothing but a broken model fails.
generous="--trial 1 --watch-after 0 --min-decisions 0 --max-disagreement 100 --max-refusals 100"

# take_over PATH: by one of the ways that there are.
take_over() {
	model=${1##*/}
	case $((turns % 4)) in
	1)	# shellcheck disable=SC2086
		swap trial 0 $generous "$1"
		in_charge "$model" trial
		;;
	3)
		swap now 0 --now --watch-after 0 "$1"
		in_charge "$model" now
		roll_back back
		in_charge "${is##*/}" back
		;;
	*)
		swap now 0 --now --watch-after 0 "$1"
		in_charge "$model" now
		;;
	esac
}

# Whoever asks must not wait in the crowd that it asks about.
renice -n -20 $$ >/dev/null
cpus=$(seq 0 $(($(nproc) - 1)))
start run mlsched run --json --backend scx --interval 100000 --model /models/refuse

nice -n 20 stress-ng --timeout "${seconds}s" --metrics-brief --temp-path /tmp "$@" >/out/stress 2>&1 &
stress=$!
end=$(($(now) + seconds))
: >/out/lost
turns=0
last=$(stats) is=/models/refuse
in_charge refuse start
# On a host that is slow one round may take longer than that.
rounds=0
goes_on() { { [ $rounds -eq 0 ] || [ "$(now)" -lt "$end" ]; } && kill -0 $job; }
while goes_on; do
	for path in /models/*; do
		goes_on || break
		case ${path##*/} in
		bad*) swap broken 1 --now --watch-after 0 "$path" ;;
		accept)
			take_over "$path"
			swap begun 0 --no-wait --trial 1000 /models/refuse
			roll_back cancelled
			;;
		refuse)
			# More refusals than the default allows.
			swap refused 3 --trial 1 --min-decisions 1 --max-disagreement 100 "$path"
			take_over "$path"
			;;
		*) take_over "$path" ;;
		esac
	done
	rounds=$((rounds + 1))
done
wait $stress
echo $? >/out/stress.status
state >/out/run.still
end
