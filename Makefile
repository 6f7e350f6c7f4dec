# SPDX-License-Identifier: GPL-2.0
# mlsched: `make help` lists the targets.

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION := $(shell sed -n 's/^\#define MLSCHED_VERSION  *"\(.*\)"/\1/p' include/mlsched/version.h)

# ---- settings that a user may give ------------------------------------------

O        ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
SANITIZE ?=
WERROR   ?= 0
V        ?= 0
# What `make run`, `make test` and `make bench` hand on to the program.
ARGS     ?=

# clang-19 made the fastest forward pass (docs/benchmarks.md), and BPF needs it anyway.
ifeq ($(origin CC),default)
CC := $(if $(shell command -v clang-19 2>/dev/null),clang-19,gcc)
endif
ifeq ($(CC),clang)
CC := $(if $(shell command -v clang 2>/dev/null),clang,clang-19)
endif
CLANG      ?= $(if $(shell command -v clang-19 2>/dev/null),clang-19,clang)
LLVM_STRIP ?= $(patsubst clang%,llvm-strip%,$(CLANG))
AR         ?= ar
BPFTOOL    ?= $(or $(shell command -v bpftool 2>/dev/null),$(wildcard /usr/sbin/bpftool),bpftool)
PROTOC_C   ?= protoc-c
PKG_CONFIG ?= pkg-config
ARCH       := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)

ifneq ($(words $(O)),1)
$(error O="$(O)": expected one directory without blanks in its path; a relative one may lie below a path that has them)
endif

ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
else
Q :=
say = @:
endif

# ---- flags ----------------------------------------------------------------------

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
WARN   += $(if $(filter 1,$(WERROR)),-Werror)
DEPS_CFLAGS := $(shell $(PKG_CONFIG) --cflags jansson libprotobuf-c 2>/dev/null)
NCURSES_LIBS := $(shell $(PKG_CONFIG) --libs ncursesw 2>/dev/null || echo -lncursesw -ltinfo)
DEPS_LIBS   := $(shell $(PKG_CONFIG) --libs jansson libprotobuf-c 2>/dev/null || echo -ljansson -lprotobuf-c)
SQLITE_LIBS := $(shell $(PKG_CONFIG) --libs sqlite3 2>/dev/null || echo -lsqlite3)
OPT    ?= -O2
# No contraction of a*b+c behind our back: every path says itself where it wants a fused multiply-add.
BASE_CFLAGS := -std=gnu11 $(OPT) -g -fPIC -fno-semantic-interposition -ffp-contract=off -fno-math-errno \
	$(WARN) -D_GNU_SOURCE -Iinclude -I. -I$(O)/gen -isystem $(O)/libbpf/include $(DEPS_CFLAGS)
BASE_LDFLAGS :=
# Without sanitizers: their memory would be more than the reader of HDF5 may take.
PLAIN_CFLAGS := $(BASE_CFLAGS)
ifneq ($(SANITIZE),)
BASE_CFLAGS  += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -DMLS_SANITIZED=1
BASE_LDFLAGS += -fsanitize=$(SANITIZE)
# Sizes out of files: what wraps round there without a word is a mistake.  Only clang looks at it.
ifneq ($(and $(findstring undefined,$(SANITIZE)),$(findstring clang,$(CC))),)
FORMATS_CFLAGS := -fsanitize=unsigned-integer-overflow
endif
endif
ALL_CFLAGS  = $(BASE_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(BASE_LDFLAGS) $(LDFLAGS)

# A file's name says which instructions it may use; it is reached only after a look at the processor.
ISA_avx2       := -mavx2 -mfma -mbmi
ISA_avx512     := -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mbmi -mprefer-vector-width=512
ISA_avx512vnni := $(ISA_avx512) -mavx512vnni
isa_flags = $(ISA_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

# ---- sources --------------------------------------------------------------------

X86_ONLY := %_avx2.c %_avx512.c %_avx512vnni.c
ARM_ONLY := %_neon.c
ifeq ($(ARCH),x86_64)
FOREIGN := $(ARM_ONLY)
else ifeq ($(ARCH),aarch64)
FOREIGN := $(X86_ONLY)
else
FOREIGN := $(X86_ONLY) $(ARM_ONLY)
endif

PROTOS    := $(wildcard src/formats/*.proto)
PROTO_C   := $(PROTOS:src/formats/%.proto=$(O)/gen/src/formats/%.pb-c.c)
PROTO_H   := $(PROTO_C:.c=.h)
BPF_SRC   := $(wildcard bpf/*.bpf.c)
SKELS     := $(BPF_SRC:bpf/%.bpf.c=$(O)/gen/bpf/%.skel.h)

# Recordings need SQLite, which users of the library need not have; nor do they simulate.
STORE_SRC := $(wildcard $(addprefix src/data/,recording*.c label.c offpolicy.c))
SIM_SRC   := $(wildcard src/sim/*.c)
LIB_SRC   := $(filter-out $(FOREIGN) $(STORE_SRC),$(wildcard core/*.c src/util/*.c src/nn/*.c \
	     src/nn/train/*.c src/formats/*.c src/data/*.c))
HOST_SRC  := $(wildcard src/host/*.c) $(STORE_SRC) $(SIM_SRC)
CLI_SRC   := $(wildcard src/cli/*.c)
# A program of its own that is part of the library: src/formats/hdf5_process.c says why.
H5_SRC    := $(wildcard src/formats/hdf5_child/*.c) src/formats/arena.c src/formats/files.c src/util/error.c src/util/read.c
BENCH_SRC := $(filter-out $(FOREIGN),$(wildcard bench/*.c))

LIB_OBJ   := $(LIB_SRC:%.c=$(O)/obj/%.o) $(PROTO_C:$(O)/gen/%.c=$(O)/obj/gen/%.o)
HOST_OBJ  := $(HOST_SRC:%.c=$(O)/obj/%.o)
CLI_OBJ   := $(CLI_SRC:%.c=$(O)/obj/%.o) $(BENCH_SRC:%.c=$(O)/obj/%.o)

H5_OBJ    := $(H5_SRC:%.c=$(O)/obj/hdf5-child/%.o)
H5_PROGRAM := $(O)/gen/hdf5-child
FLAGS_hdf5_program = -DMLS_H5_PROGRAM='"$(H5_PROGRAM)"'

LIBBPF    := $(O)/libbpf/lib/libbpf.a
LIB_A     := $(O)/libmlsched.a
SONAME    := libmlsched.so.0
LIB_SO    := $(O)/libmlsched.so.$(VERSION)
PROGRAM   := $(O)/mlsched

# ---- the face of the project ------------------------------------------------

.PHONY: build
build: $(PROGRAM) $(LIB_SO) ## library, program and BPF objects (the default)

include scripts/rules.mk
include tests/tests.mk
include tests/fuzz.mk
include scripts/vm/vm.mk

.PHONY: install-deps
install-deps: ## install the Debian packages and build libbpf into $(O), as root or by sudo
	@scripts/install-deps.sh "$(O)"

.PHONY: install-deps-tf
install-deps-tf: ## TensorFlow into a virtual environment ($(O)/tensorflow), for `make model BY=keras` and the interop tests
	@scripts/install-deps-tf.sh "$(O)"

.PHONY: install-runtimes
install-runtimes: ## the runtimes of others that `make bench` compares with: TensorFlow, ONNX Runtime, LiteRT, PyTorch, OpenBLAS
	@scripts/ensure-deps.sh "$(O)" interop
	@scripts/install-deps-tf.sh "$(O)"
	@scripts/install-deps-tf.sh --onnx "$(O)"
	@scripts/install-deps-tf.sh --litert "$(O)"

# The model that `mlsched run` uses in shadow when none is named; `make run MODEL=...` names one.
MODEL := src/model_dir/model_path
MODEL_OPTION := $(if $(filter command,$(origin MODEL)),--model "$(MODEL)")

# Trained in the simulator, for our own scheduler, where `mlsched run` takes it: in shadow of the kernel's
# half of its inputs are not known.
TRAINED := models/default
BY    ?= c

.PHONY: model
model: ## put a model into src/model_dir/model_path: BY=c from made-up data, BY=keras with TensorFlow, BY=sim models/default (kernels with sched_ext)
ifeq ($(BY),sim)
	@scripts/ensure-deps.sh "$(O)" build
	@$(MAKE) --no-print-directory build
	@$(PROGRAM) convert $(TRAINED) $(MODEL)
	@echo "installed  $(MODEL)"
else ifeq ($(BY),keras)
	@scripts/install-deps-tf.sh "$(O)"
	$(O)/tensorflow/bin/python src/model_dir/model_export.py --output $(MODEL) $(ARGS)
else
	@scripts/ensure-deps.sh "$(O)" build
	@$(MAKE) --no-print-directory build
	$(PROGRAM) train --synthetic seed10 --output $(O)/model $(ARGS)
	@! grep -q '"interrupted"' $(O)/model/assets/mlsched.json || \
		{ echo "make model: interrupted; $(MODEL) stays as it was" >&2; exit 1; }
	@$(PROGRAM) convert $(O)/model $(MODEL)
	@echo "installed  $(MODEL)"
endif

# Which of two seeds, and why: docs/simulator.md, "Chance of training".
TRAIN_DEFAULT := $(PROGRAM) train --from sim --seed 1

.PHONY: trained-model
trained-model: build ## train models/default anew, a minute on two cores
	$(TRAIN_DEFAULT) --output $(TRAINED) $(ARGS)

.PHONY: trained-model-check
trained-model-check: build ## train it into $(O)/trained, and compare byte for byte
	$(TRAIN_DEFAULT) --output $(O)/trained
	diff -r $(TRAINED) $(O)/trained
	@echo "$(TRAINED): the same"

.PHONY: run
run: ## install what is missing, build, make a model if there is none, and schedule (ARGS="--duration 10")
	@scripts/ensure-deps.sh "$(O)" build
	@$(MAKE) --no-print-directory build
	@[ -e $(MODEL)/saved_model.pb ] || $(MAKE) --no-print-directory model ARGS=
	@scripts/as-root.sh "$(PROGRAM)" run $(MODEL_OPTION) $(ARGS)

.PHONY: bench
bench: ## print the tables of docs/benchmarks.md (ARGS=markdown prints the page itself)
	@scripts/ensure-deps.sh "$(O)" test >&2
	@$(MAKE) --no-print-directory build >&2
	@scripts/bench.sh "$(PROGRAM)" $(ARGS)

.PHONY: format
format: ## rewrite the C sources in the project's style
	clang-format-19 -i $(shell git ls-files '*.c' '*.h')

.PHONY: lint
lint: ## style, shell and manual pages: what CI checks besides the tests
	@scripts/lint.sh

.PHONY: install
install: build ## program, model, libraries, headers, pkg-config file, systemd unit, manual pages below $(DESTDIR)$(PREFIX)
	@scripts/install.sh "$(O)" "$(DESTDIR)" "$(PREFIX)" "$(VERSION)"

.PHONY: clean
clean: ## remove what was built in $(O), but not libbpf and TensorFlow
	$(Q)rm -rf $(O)/obj $(O)/gen $(O)/bpf $(O)/tests $(O)/fuzz $(O)/examples $(O)/vm $(O)/mlsched $(O)/libmlsched*

.PHONY: distclean
distclean: ## remove $(O) altogether
	$(Q)rm -rf $(O)

.PHONY: help
help: ## this list
	@printf 'mlsched %s: make [TARGET] [O=dir] [CC=clang|gcc] [SANITIZE=address,undefined] [WERROR=1] [V=1]\n\n' '$(VERSION)'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort -u | \
		while IFS="$$(printf '\t')" read -r target text; do printf '  %-16s %s\n' "$$target" "$$text"; done
