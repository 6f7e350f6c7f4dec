#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh PROGRAM [markdown]: every table of docs/benchmarks.md, in its order;
# with "markdown" the page itself (`make bench ARGS=markdown >docs/benchmarks.md`).
set -eu -o pipefail
cd "$(dirname "$0")/.."
program=$1
form=${2:-text}

table() {	# title, what it shows, command...
	local title=$1 what=$2
	shift 2
	if [ "$form" = markdown ]; then
		printf '\n## %s\n%s\n\n```\n$ %s\n' "$title" "$what" "mlsched ${*:2}"
		"$@"
		printf '```\n'
	else
		printf '== %s\n' "$title"
		"$@"
		echo
	fi
}

machine() {
	lscpu | awk -F': +' '/^Model name/ { name = $2 } /^CPU family/ { family = $2 } /^Model:/ { model = $2 }
		/^CPU\(s\)/ { n = $2 } /^Hypervisor/ { vm = ", in a virtual machine (" $2 ") that shares its host" }
		END { printf "%s CPUs: %s (family %s, model %s)%s", n, name, family, model, vm }'
	printf '; Linux %s; %s\n' "$(uname -r)" \
		"$("$(cut -d' ' -f1 "$(dirname "$program")/.flags")" --version | head -n 1)"
}

if [ "$form" = markdown ]; then
	cat <<-END
	# Benchmarks
	Made by \`make bench ARGS=markdown >docs/benchmarks.md\`, in one run, on real hardware:
	$(machine).
	Other programs may have run on the host at the same time. Absolute times differ from machine to machine; compare
	columns and ratios of one table. How whole schedulers compare, in virtual machines, is in [comparison.md](comparison.md).
	END
else
	machine
fi
mapfile -t fixtures < <(find tests/golden/savedmodel/models -maxdepth 2 -type d -name model \
	\( -path '*/tf2*-savedmodel/*' -o -path '*/hand-*' \) | sort)
[ -e src/model_dir/model_path/saved_model.pb ] && fixtures=(src/model_dir/model_path "${fixtures[@]}")

# Set on some machines for the sake of old OpenBLAS: it would not use all of the processor.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
table "Inference" "One forward pass, by every path of ours and by the runtimes of others. The answers of all are compared
before anything is timed; below each table stand the goals." "$program" bench inference
table "Inside the kernel" "The fixed-point network as a BPF program in the running kernel, and the features that it is
asked with, in cycles net of the loop around it. Every logit is compared with user space's before anything is timed." \
	"$program" bench kernel
table "Loading" "All checks included: structure, shapes, checksums, finiteness. Peak memory is that of
\`mlsched predict\` with one row, the whole process." "$program" bench load "${fixtures[@]}"
table "Runtimes" "What it takes to have the same models ready in the runtimes of others." \
	"$program" bench load --engine all
table "Simulation" "Events a second on one core." "$program" bench sim
table "Training" "Rows a second with the same rows, network, batch and optimiser." "$program" bench train
table "Recording" "Decisions a second into a recording: as fast as they go, at a steady 50,000, and at that rate the whole way:
a thread that the running kernel moves so often, \`mlsched record\` in a process of its own, the file." \
	"$program" bench record --kernel
# Written by hand, and kept: the page itself may be what this is written to.
[ "$form" != markdown ] || { echo && git show HEAD:docs/benchmarks.md | sed -n '/^## Reading the tables/,$p'; }
