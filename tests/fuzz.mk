# SPDX-License-Identifier: GPL-2.0
# Fuzzing with libFuzzer, and the replay of what it has kept.  Included by the Makefile.
# tests/fuzz/README.md says which target covers which parser.

# The target of `make fuzz`: tests/fuzz/fuzz_NAME.c.
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ ?= savedmodel
# How long `make fuzz` runs, in seconds.
FUZZ_SECONDS ?= 60
# More options of libFuzzer: FUZZ_ARGS="-jobs=2".
FUZZ_ARGS    ?=
FUZZ_SANITIZER := address,undefined,float-cast-overflow
FUZZ_O       := $(O)/fuzz
FUZZ_CORPUS  := tests/fuzz/corpus/$(FUZZ)
FUZZ_SEEDS   := $(FUZZ_O)/seeds/$(FUZZ)
FUZZ_NEW     := $(FUZZ_O)/new/$(FUZZ)
FUZZ_TARGET  := $(FUZZ_O)/fuzz_$(FUZZ)

# What begins a corpus, put into FUZZ_SEEDS.  A SavedModel is several files, which become one;
# ONNX and LiteRT models are single files; what is short lies in tests/fuzz/seeds.
FUZZ_MODELS_savedmodel := $(wildcard tests/golden/savedmodel/models/*/model tests/golden/savedmodel/bad/*/model)
FUZZ_SEED_savedmodel    = python3 tests/fuzz/make_seeds.py $(FUZZ_SEEDS) $(FUZZ_MODELS_savedmodel)
FUZZ_MODELS_onnx       := $(wildcard tests/golden/onnx/models/*/model.onnx tests/golden/onnx/bad/*/model.onnx)
FUZZ_SEED_onnx          = for f in $(FUZZ_MODELS_onnx); do cp $$f $(FUZZ_SEEDS)/$$(basename $$(dirname $$f)); done
FUZZ_MODELS_tflite     := $(wildcard tests/golden/tflite/models/*/model.tflite tests/golden/tflite/bad/*/model.tflite)
FUZZ_SEED_tflite        = for f in $(FUZZ_MODELS_tflite); do cp $$f $(FUZZ_SEEDS)/$$(basename $$(dirname $$f)); done
FUZZ_MODELS_keras      := $(wildcard $(addprefix tests/golden/keras/,models/*/*.h5 models/*/*.keras bad/*/*.h5 bad/*/*.keras))
FUZZ_SEED_keras         = $(FUZZ_O)/describe_keras $(FUZZ_SEEDS) $(FUZZ_MODELS_keras)
FUZZ_SEED_hdf5          = for f in $(FUZZ_MODELS_keras); do cp $$f $(FUZZ_SEEDS)/$$(basename $$(dirname $$f)); done
FUZZ_SEED               = $(or $(FUZZ_SEED_$(FUZZ)),cp tests/fuzz/seeds/$(FUZZ)/* $(FUZZ_SEEDS)/)

# Sources besides fuzz_NAME.c, options of the linker, and a program that makes seeds.
FUZZ_MORE_keras := $(addprefix tests/fuzz/,hdf5_inside.c hdf5_image.c) src/formats/hdf5_child/api.c
FUZZ_LINK_keras := $(addprefix -Wl$(comma)--wrap=mls_h5_process_,start ask distrust end)
FUZZ_LINK_hdf5_answers := $(addprefix -Wl$(comma)--wrap=,posix_spawn send recv poll waitid kill)
FUZZ_MORE_control := tests/fake/scx_without_kernel.c
FUZZ_LINK_control := $(addprefix -Wl$(comma)--wrap=,clock_gettime timerfd_settime \
		     $(addprefix mls_prepare_,start fd end cancel))
FUZZ_TOOL_keras := $(FUZZ_O)/describe_keras

# Most bytes of an input, where it is not this.
FUZZ_LENGTH := 131072
# Seconds for one input: of the clock, and a machine may be busy.  A process of libhdf5 has 120.
FUZZ_TIMEOUT := 60
FUZZ_TIMEOUT_hdf5 := 150
# Of an input that is kept.
FUZZ_KEPT_LENGTH := 16384

# Checksums do not stop the fuzzer: it could never guess one.
FUZZ_CFLAGS  := -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
FUZZ_LIBS    := $(DEPS_LIBS) $(NCURSES_LIBS) $(SQLITE_LIBS) -lelf -lz -lm -ldl -pthread
FUZZ_DICT     = $(wildcard tests/fuzz/$(FUZZ).dict)

# The directory of libbpf is what it would be: nothing in it is ours.
.PHONY: fuzz-build
fuzz-build:
	@scripts/ensure-deps.sh "$(O)"
	@mkdir -p $(FUZZ_O) && { [ -e $(FUZZ_O)/libbpf ] || cp -a $(O)/libbpf $(FUZZ_O)/libbpf; }
	@$(MAKE) --no-print-directory O="$(FUZZ_O)" CC="$(CLANG)" OPT=-O1 CFLAGS="$(FUZZ_CFLAGS)" \
		SANITIZE="fuzzer-no-link,$(FUZZ_SANITIZER)" "$(FUZZ_O)/libmlsched.a" "$(FUZZ_O)/parts.a"
	$(Q)$(CLANG) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -I$(FUZZ_O)/gen $(FUZZ_CFLAGS) -DMLS_SANITIZED=1 \
		-fsanitize=fuzzer,$(FUZZ_SANITIZER) -fno-sanitize-recover=all $(FUZZ_LINK_$(FUZZ)) -o $(FUZZ_TARGET) \
		tests/fuzz/fuzz_$(FUZZ).c $(FUZZ_MORE_$(FUZZ)) \
		$(FUZZ_O)/parts.a $(FUZZ_O)/libmlsched.a $(FUZZ_O)/libbpf/lib/libbpf.a $(FUZZ_LIBS)
	$(Q)$(if $(FUZZ_TOOL_$(FUZZ)),$(CLANG) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -fsanitize=$(FUZZ_SANITIZER) \
		-o $(FUZZ_TOOL_$(FUZZ)) $(FUZZ_TOOL_$(FUZZ):$(FUZZ_O)/%=tests/fuzz/%.c) $(FUZZ_O)/libmlsched.a $(FUZZ_LIBS))
	$(Q)mkdir -p $(FUZZ_NEW) $(FUZZ_SEEDS) $(FUZZ_CORPUS)
	$(Q)$(FUZZ_SEED)

FUZZ_RUN      = $(FUZZ_TARGET) -max_total_time=$(FUZZ_SECONDS) $(addprefix -dict=,$(FUZZ_DICT)) \
		-timeout=$(or $(FUZZ_TIMEOUT_$(FUZZ)),$(FUZZ_TIMEOUT)) -rss_limit_mb=2048 -max_len=$(FUZZ_LENGTH) -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_O)/$(FUZZ)- $(FUZZ_ARGS) $(FUZZ_NEW) $(FUZZ_CORPUS) $(FUZZ_SEEDS)

.PHONY: fuzz fuzz-run
# What is built already, as fuzz-campaign wants it.
fuzz-run:
	$(FUZZ_RUN)
fuzz: fuzz-build ## a parser under libFuzzer (FUZZ=savedmodel or another of tests/fuzz/README.md, FUZZ_SECONDS=600)
	$(FUZZ_RUN)

.PHONY: fuzz-regression
fuzz-regression: ## every target on what is kept for it, and on new inputs for a minute in all
	@O="$(O)" tests/run.sh tests/fuzz/regression.sh

# Of fuzz-campaign: of a CPU, for each target.
FUZZ_MINUTES ?= 30

.PHONY: fuzz-campaign
fuzz-campaign: ## fuzz every target in turn for FUZZ_MINUTES=30 of a CPU, and note it in tests/fuzz/campaign.tsv (FUZZ_TARGETS="csv onnx")
	@O="$(O)" tests/fuzz/campaign.sh $(FUZZ_MINUTES) $(FUZZ_TARGETS)

.PHONY: fuzz-keep
fuzz-keep: ## put what the fuzzer found into tests/fuzz/corpus, as few files as cover the same
	$(Q)rm -rf $(FUZZ_O)/kept && mkdir -p $(FUZZ_O)/kept
	$(FUZZ_TARGET) -set_cover_merge=1 -max_len=$(FUZZ_KEPT_LENGTH) $(FUZZ_O)/kept \
		$(FUZZ_CORPUS) $(FUZZ_NEW) $(FUZZ_SEEDS)
	$(Q)rm -rf $(FUZZ_CORPUS) && mkdir -p $(FUZZ_CORPUS) && cp $(FUZZ_O)/kept/* $(FUZZ_CORPUS)/

# ---- the replay: each target as a program that reads its corpus, for `make test` ----------

FUZZ_OBJ    := $(FUZZ_NAMES:%=$(O)/obj/tests/fuzz/fuzz_%.o)
FUZZ_BIN    := $(FUZZ_NAMES:%=$(O)/tests/fuzz/fuzz_%)
FUZZ_REPLAY := $(O)/obj/tests/fuzz/replay.o
FUZZ_MORE_O := $(patsubst %.c,$(O)/obj/%.o,$(foreach name,$(FUZZ_NAMES),$(FUZZ_MORE_$(name))))

$(FUZZ_OBJ) $(FUZZ_REPLAY) $(FUZZ_MORE_O): | $(PROTO_H) $(SKELS)

# Objects in front of the archives that they take from.
$(foreach name,$(FUZZ_NAMES),$(eval $(O)/tests/fuzz/fuzz_$(name): $(FUZZ_MORE_$(name):%.c=$(O)/obj/%.o)))
$(FUZZ_BIN): $(O)/tests/fuzz/fuzz_%: $(O)/obj/tests/fuzz/fuzz_%.o $(FUZZ_REPLAY) $(PARTS_A) $(LIB_A) $(LIBBPF)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(FUZZ_LINK_$*) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(FUZZ_LIBS)

tests-build: $(FUZZ_BIN)

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_REPLAY:.o=.d) $(FUZZ_MORE_O:.o=.d)
