# SPDX-License-Identifier: GPL-2.0
# How tests are built and run.  Included by the Makefile.
#
# A test is a program that prints TAP ("ok N - name", "not ok N - name",
# "ok N - name # SKIP why"): C files of tests/unit, tests/property and
# tests/golden are built with cmocka and linked with what they need of
# everything but the program's main(); *.sh and *.py are run as they are.

TEST_C_DIRS := tests/unit tests/property tests/golden
TEST_LIB    := $(wildcard tests/lib/*.c)
TEST_LIB_O  := $(TEST_LIB:%.c=$(O)/obj/%.o)
TEST_SRC    := $(wildcard $(addsuffix /test_*.c,$(TEST_C_DIRS)))
TEST_BIN    := $(TEST_SRC:%.c=$(O)/%)
TEST_OBJ    := $(TEST_SRC:%.c=$(O)/obj/%.o)
TEST_CLI_O  := $(filter-out $(O)/obj/src/cli/main.o,$(CLI_OBJ))

$(TEST_OBJ) $(TEST_LIB_O): | $(PROTO_H) $(SKELS)

# test_forward counts what the forward pass would have to call to allocate or to lock.
TEST_LDFLAGS_test_forward := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free aligned_alloc \
	posix_memalign mmap pthread_mutex_lock pthread_rwlock_rdlock pthread_spin_lock)

# test_recording lets reads come short: its own by this, those of SQLite by SQLite's own means.
TEST_LDFLAGS_test_recording := -Wl,--wrap=pread

# test_hdf5 does something just before the process is started.
TEST_LDFLAGS_test_hdf5 := -Wl,--wrap=posix_spawn

# test_train_alloc lets each of these fail.
TEST_LDFLAGS_test_train_alloc := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc pthread_create)

# What is no part of the library, as an archive: a test takes of it what it needs.
PARTS_A := $(O)/parts.a

$(PARTS_A): $(HOST_OBJ) $(TEST_CLI_O) $(O)/obj/tests/lib/qnet_infer_128.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(TEST_BIN): $(O)/tests/%: $(O)/obj/tests/%.o $(TEST_LIB_O) $(PARTS_A) $(LIB_A) $(LIBBPF)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(TEST_LDFLAGS_$(notdir $@)) -o $@ $< $(TEST_LIB_O) $(PARTS_A) $(LIB_A) $(LIBBPF) \
		-lcmocka $(DEPS_LIBS) $(NCURSES_LIBS) $(SQLITE_LIBS) -lelf -lz -lm -ldl -pthread

# `mlsched run` as it is seen from outside, with a kernel that only seems to be there: for tests/cli/test_control.sh.
FAKE_SCX   := $(O)/tests/fake/fake_scx
FAKE_O     := $(addprefix $(O)/obj/tests/fake/,fake_scx.o scx_without_kernel.o)
FAKE_PARTS := $(FAKE_O) $(O)/obj/tests/lib/qnet_infer_128.o $(TEST_CLI_O) \
	      $(filter-out $(addprefix $(O)/obj/src/host/,scx.o scx_slots.o scx_records.o),$(HOST_OBJ)) $(LIB_A)

$(FAKE_O): | $(PROTO_H) $(SKELS)

$(FAKE_SCX): $(FAKE_PARTS) $(LIBBPF)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(FAKE_PARTS) $(LIBBPF) \
		$(DEPS_LIBS) $(NCURSES_LIBS) $(SQLITE_LIBS) -lelf -lz -lm -ldl -pthread

# A libhdf5 that crashes, hangs and lies, for tests/unit/test_hdf5.c: as the real one no part of what is sanitized.
FAKE_H5     := $(O)/tests/fake/hdf5/libhdf5_serial.so.103
FAKE_H5_SRC := tests/fake/fake_hdf5.c tests/fake/fake_hdf5_rest.c

$(FAKE_H5): $(FAKE_H5_SRC) src/formats/hdf5_child/api.h src/formats/hdf5_protocol.h
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(PLAIN_CFLAGS) -shared -o $@ $(FAKE_H5_SRC)

# What the C libraries of TensorFlow and ONNX Runtime would be given: for tests/cli/test_engine_tensorflow.sh and
# tests/cli/test_bench_runtimes.sh.
FAKE_TF  := $(O)/tests/fake/libfake_tensorflow.so
FAKE_ORT := $(O)/tests/fake/libfake_onnxruntime.so

$(FAKE_TF): src/host/tensorflow_api.h
$(FAKE_ORT): bench/onnxruntime_api.h

$(FAKE_TF) $(FAKE_ORT): $(O)/tests/fake/libfake_%.so: tests/fake/fake_%.c $(LIB_A)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -shared $(ALL_LDFLAGS) -Wl,--exclude-libs,ALL -o $@ $< $(LIB_A) \
		$(DEPS_LIBS) -lm -ldl -pthread

# The forward passes for AArch64, by a cross compiler if there is one; tests/unit/test_*neon.sh run them.
ARM64_CC    ?= $(if $(filter aarch64,$(ARCH)),$(CC),$(shell command -v aarch64-linux-gnu-gcc))
ARM64_CHECK := $(if $(ARM64_CC),$(addprefix $(O)/tests/arm64/,check_neon check_qnet check_train))
ARM64_SRC   := tests/lib/networks.c src/util/error.c src/util/crc32c.c \
	       $(filter-out $(X86_ONLY),$(wildcard src/nn/forward_*.c src/nn/pack.c src/nn/model.c))
ARM64_SRC_check_qnet := $(wildcard core/*.c tests/lib/qnet_*.c) src/util/random.c src/nn/qmodel.c \
	       src/nn/qnet_scalar.c src/nn/qnet_neon.c src/nn/qnet_pack.c
ARM64_SRC_check_train := $(addprefix src/nn/train/,train.c kernels_base.c) tests/lib/train_cases.c \
	       src/util/random.c src/util/pool.c $(addprefix src/data/,dataset.c synthetic.c schema.c)

$(O)/tests/arm64/%: tests/arm64/%.c $(ARM64_SRC) $(ARM64_SRC_check_qnet) \
		$(ARM64_SRC_check_train) $(wildcard core/*.h core/*.def src/nn/*.h src/nn/train/*.h src/data/*.h src/util/*.h include/mlsched/*.h tests/lib/*.h)
	$(call say,ARM64,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) -std=gnu11 -O2 -g -ffp-contract=off -fno-math-errno $(WARN) -D_GNU_SOURCE -Iinclude -I. \
		-static -o $@ $< $(ARM64_SRC) $(ARM64_SRC_$*) -lm -pthread

# Calls that test_alloc_failure lets fail.
TEST_WRAPPED := malloc calloc realloc aligned_alloc free open openat close stat fstat pread write fsync \
	mkdirat flock renameat renameat2 fdopendir closedir memfd_create socketpair posix_spawn send recv poll
TEST_LDFLAGS_test_alloc_failure := $(addprefix -Wl$(comma)--wrap=,$(TEST_WRAPPED))
TEST_LDFLAGS_test_reader_failures := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc free strdup fstat read pread)
TEST_LDFLAGS_test_memory := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc free)
TEST_LDFLAGS_test_quantize_alloc := $(addprefix -Wl$(comma)--wrap=,malloc calloc aligned_alloc free)

.PHONY: tests-build
tests-build: build $(TEST_BIN) $(FAKE_SCX) $(FAKE_H5) $(FAKE_TF) $(FAKE_ORT) $(ARM64_CHECK)

# What `make test` runs, in this order.  TESTS="tests/cli/test_predict.sh" runs one.
TESTS_TOGETHER := unit property golden fuzz cli interop
# They look at the whole machine, which the others keep busy.
TESTS_ALONE    := live
TESTS ?= $(TESTS_TOGETHER) $(TESTS_ALONE)
# So many files at a time: as many as there are CPUs, four at most, for some take gigabytes.
TESTS_AT_A_TIME ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))

.PHONY: test
test: ## build and run all tests (TESTS="unit cli" or single files; TESTS_AT_A_TIME=1)
	@scripts/ensure-deps.sh "$(O)" $(if $(findstring interop,$(TESTS)),interop,test)
	@$(MAKE) --no-print-directory tests-build
	@failed=0; \
	case "$(TESTS)" in *interop*) scripts/install-deps-tf.sh --for-tests "$(O)" && \
		scripts/install-deps-tf.sh --onnx --for-tests "$(O)" && \
		scripts/install-deps-tf.sh --litert --for-tests "$(O)" && \
		scripts/install-deps-tf.sh --python --for-tests "$(O)" || failed=1 ;; esac; \
	O="$(O)" tests/run.sh -j $(TESTS_AT_A_TIME) $(TESTS) && exit $$failed

-include $(TEST_OBJ:.o=.d) $(TEST_LIB_O:.o=.d) $(FAKE_O:.o=.d)
