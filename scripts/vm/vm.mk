# SPDX-License-Identifier: GPL-2.0
# A real kernel with sched_ext in a virtual machine.  Included by the Makefile.

# Of vm-run: which kernel (scripts/vm/run --list), which machine (nodes x last-level
# caches x cores), and CMD, a command to run instead of mlsched.
KERNEL   ?=
TOPOLOGY ?=
CMD      ?=
# Of vm-test: versions, or "all".
KERNELS  ?=

.PHONY: vm-run
vm-run: ## boot a sched_ext kernel and run `mlsched run` on a load in it (ARGS="--duration 10", CMD="uname -a", KERNEL=7.1.13, TOPOLOGY=2x1x4)
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory build $(O)/vm/mls-workload
	@[ -e $(MODEL)/saved_model.pb ] || $(MAKE) --no-print-directory model ARGS=
	@KERNEL="$(KERNEL)" TOPOLOGY="$(TOPOLOGY)" CMD="$(CMD)" scripts/vm/run-mlsched.sh "$(O)" "$(MODEL)" $(ARGS)

.PHONY: vm-test
vm-test: ## run the tests that need a sched_ext kernel in virtual machines (KERNELS="6.18.15 7.1.13" or all; MLSCHED_VM_GUESTS=2 at a time)
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory tests-build $(O)/vm/mls-workload
	@O="$(O)" MLSCHED_VM_KERNELS="$(KERNELS)" tests/run.sh -j "$${MLSCHED_VM_GUESTS:-1}" vm

.PHONY: vm-test-large
vm-test-large: ## schedule on 72 CPUs in a virtual machine (TOPOLOGY=2x4x9, up to 2x1x72; minutes)
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory build $(O)/vm/mls-workload
	@O="$(O)" MLSCHED_VM_KERNELS="$(or $(KERNELS),6.18.15)" MLSCHED_VM_TOPOLOGIES="$(or $(TOPOLOGY),2x4x9)" \
		tests/run.sh tests/vm/test_topologies.sh

# Of vm-soak: how long it lasts.
MINUTES ?= 10

.PHONY: vm-soak
vm-soak: ## schedule for MINUTES=10 in a virtual machine while stress-ng does its worst and models change
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory build
	@O="$(O)" MLSCHED_VM_KERNELS="$(KERNELS)" MLSCHED_SOAK_MINUTES="$(MINUTES)" tests/run.sh tests/vm/soak.sh

.PHONY: verifier-table
verifier-table: ## make docs/verifier.md anew: what each kernel's verifier has to do for each BPF program
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory build
	@scripts/verifier-table.sh "$(PROGRAM)"

# Static: its processes start anew all the time, and a guest has no library cache.
$(O)/vm/mls-workload: $(wildcard bench/vm/*.c) bench/vm/workload.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -static -pthread -o $@ $(filter %.c,$^)

# Models that always refuse or always accept, for bench/vm-compare.
$(O)/vm/constant_model: tests/live/constant_model.c $(LIB_A)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(LIB_A) $(DEPS_LIBS) -lm -pthread

# What vm-compare appends to and shows: of the synthetic loads, and of the real compile.
RESULTS ?= bench/results/vm-compare.jsonl
COMPILE_RESULTS ?= bench/results/vm-compile.jsonl

.PHONY: vm-compare
vm-compare: ## compare schedulers in deterministic virtual machines and write docs/comparison.md (hours; ARGS="--reps 1", RESULTS=file)
	@scripts/ensure-deps.sh "$(O)" vm
	@$(MAKE) -s --no-print-directory build
	@[ -e $(MODEL)/saved_model.pb ] || $(MAKE) --no-print-directory model ARGS=
	@bench/peers/build-schedulers.sh
	bench/vm-compare run -o $(RESULTS) $(ARGS)
	bench/vm-compare run $(ARGS) --profiles compile --topologies 1x2x2 --schedulers eevdf,heuristic,model,peers -o $(COMPILE_RESULTS)
	bench/vm-compare page --compile $(COMPILE_RESULTS) $(RESULTS)
