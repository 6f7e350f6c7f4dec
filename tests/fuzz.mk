# SPDX-License-Identifier: GPL-2.0
# Fuzzing with libFuzzer.  Included by the Makefile.

# Whose reader `make fuzz` feeds: savedmodel, onnx or tflite.
FUZZ ?= savedmodel
# How long `make fuzz` runs, in seconds, and whether it keeps what it finds new.
FUZZ_SECONDS ?= 60
FUZZ_SANITIZE := address,undefined
FUZZ_O       := $(O)/fuzz
FUZZ_CORPUS  := tests/fuzz/corpus/$(FUZZ)
FUZZ_SEEDS   := $(FUZZ_O)/seeds/$(FUZZ)
FUZZ_NEW     := $(FUZZ_O)/new/$(FUZZ)
FUZZ_TARGET  := $(FUZZ_O)/fuzz_$(FUZZ)
# A SavedModel is several files, which become one; ONNX and LiteRT models are single files.
FUZZ_MODELS_savedmodel := $(wildcard tests/golden/savedmodel/models/*/model tests/golden/savedmodel/bad/*/model)
FUZZ_SEED_savedmodel    = python3 tests/fuzz/make_seeds.py $(FUZZ_SEEDS) $(FUZZ_MODELS_savedmodel)
FUZZ_MODELS_onnx       := $(wildcard tests/golden/onnx/models/*/model.onnx tests/golden/onnx/bad/*/model.onnx)
FUZZ_SEED_onnx          = for f in $(FUZZ_MODELS_onnx); do cp $$f $(FUZZ_SEEDS)/$$(basename $$(dirname $$f)); done
FUZZ_MODELS_tflite     := $(wildcard tests/golden/tflite/models/*/model.tflite tests/golden/tflite/bad/*/model.tflite)
FUZZ_SEED_tflite        = for f in $(FUZZ_MODELS_tflite); do cp $$f $(FUZZ_SEEDS)/$$(basename $$(dirname $$f)); done

# Checksums do not stop the fuzzer: it could never guess one.
FUZZ_CFLAGS  := -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

.PHONY: fuzz
fuzz: ## a reader under libFuzzer (FUZZ=savedmodel, onnx or tflite, FUZZ_SECONDS=600)
	@scripts/ensure-deps.sh "$(O)"
	@$(MAKE) --no-print-directory O="$(FUZZ_O)" CC="$(CLANG)" OPT=-O1 CFLAGS="$(FUZZ_CFLAGS)" \
		SANITIZE="fuzzer-no-link,$(FUZZ_SANITIZE)" "$(FUZZ_O)/libmlsched.a"
	$(Q)$(CLANG) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZE) \
		-fno-sanitize-recover=all -o $(FUZZ_TARGET) tests/fuzz/fuzz_$(FUZZ).c \
		$(FUZZ_O)/libmlsched.a $(DEPS_LIBS) -lm
	$(Q)mkdir -p $(FUZZ_NEW) $(FUZZ_SEEDS) $(FUZZ_CORPUS)
	$(Q)$(FUZZ_SEED_$(FUZZ))
	$(FUZZ_TARGET) -max_total_time=$(FUZZ_SECONDS) -dict=tests/fuzz/$(FUZZ).dict \
		-timeout=10 -rss_limit_mb=2048 -max_len=131072 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_O)/ $(FUZZ_NEW) $(FUZZ_CORPUS) $(FUZZ_SEEDS)

.PHONY: fuzz-keep
fuzz-keep: ## put what the fuzzer found into tests/fuzz/corpus, as few files as cover the same
	$(Q)rm -rf $(FUZZ_O)/kept && mkdir -p $(FUZZ_O)/kept
	$(FUZZ_TARGET) -set_cover_merge=1 -max_len=16384 $(FUZZ_O)/kept \
		$(FUZZ_CORPUS) $(FUZZ_NEW) $(FUZZ_SEEDS)
	$(Q)rm -rf $(FUZZ_CORPUS) && mkdir -p $(FUZZ_CORPUS) && cp $(FUZZ_O)/kept/* $(FUZZ_CORPUS)/
