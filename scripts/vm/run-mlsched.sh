#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# run-mlsched.sh BUILD_DIR MODEL [OPTION...]: what `make vm-run` does.  Boots a guest
# with a load that goes on, and runs `mlsched run OPTION...` in it, live; on a
# terminal Ctrl+C ends it as usual.  KERNEL, TOPOLOGY: the guest's.  CMD: a command
# to run there instead.
set -eu
cd "$(dirname "$0")/../.."
build=$1 model=$2
shift 2

# Default models are none that somebody named, in the guest neither: they lie where they are looked for.
named=()
place=/root/$model
[ "$model" = src/model_dir/model_path ] || { named=(--model /model); place=/model; }
guest=(scripts/vm/run --limit 86400 -p "$build/mlsched" -p "$build/vm/mls-workload" -f "$model=$place"
	-f models/default=/root/models/default)
[ -z "${KERNEL:-}" ] || guest+=(--kernel "$KERNEL")
[ -z "${TOPOLOGY:-}" ] || guest+=(--topology "$TOPOLOGY")
[ ! -t 0 ] || [ ! -t 1 ] || guest+=(--interactive)
if [ -n "${CMD:-}" ]; then
	exec "${guest[@]}" -- "$CMD"
fi
# Without a terminal nobody could end it.
[ -t 0 ] || case " $* " in *" --duration"* | *" -d"*) ;; *) set -- --duration 10 "$@" ;; esac
set -- ${named[@]+"${named[@]}"} "$@"
exec "${guest[@]}" -- "while mls-workload mixed >/dev/null; do :; done & exec mlsched run ${*@Q}"
