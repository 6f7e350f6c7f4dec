# SPDX-License-Identifier: GPL-2.0
# Fuzzing with libFuzzer.  Included by the Makefile.

# How long `make fuzz` runs, in seconds, and whether it keeps what it finds new.
FUZZ_SECONDS ?= 60
FUZZ_SANITIZE := address,undefined
FUZZ_O       := $(O)/fuzz
FUZZ_CORPUS  := tests/fuzz/corpus/savedmodel
FUZZ_MODELS  := $(wildcard tests/golden/savedmodel/models/*/model tests/golden/savedmodel/bad/*/model)

# Checksums do not stop the fuzzer: it could never guess one.
FUZZ_CFLAGS  := -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

.PHONY: fuzz
fuzz: ## the SavedModel reader under libFuzzer (FUZZ_SECONDS=600)
	@scripts/ensure-deps.sh "$(O)"
	@$(MAKE) --no-print-directory O="$(FUZZ_O)" CC="$(CLANG)" OPT=-O1 CFLAGS="$(FUZZ_CFLAGS)" \
		SANITIZE="fuzzer-no-link,$(FUZZ_SANITIZE)" "$(FUZZ_O)/libmlsched.a"
	$(Q)$(CLANG) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZE) \
		-fno-sanitize-recover=all -o $(FUZZ_O)/fuzz_savedmodel tests/fuzz/fuzz_savedmodel.c \
		$(FUZZ_O)/libmlsched.a $(DEPS_LIBS) -lm
	$(Q)python3 tests/fuzz/make_seeds.py $(FUZZ_O)/seeds $(FUZZ_MODELS)
	$(Q)mkdir -p $(FUZZ_O)/new $(FUZZ_CORPUS)
	$(FUZZ_O)/fuzz_savedmodel -max_total_time=$(FUZZ_SECONDS) -dict=tests/fuzz/savedmodel.dict \
		-timeout=10 -rss_limit_mb=2048 -max_len=131072 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_O)/ $(FUZZ_O)/new $(FUZZ_CORPUS) $(FUZZ_O)/seeds

.PHONY: fuzz-keep
fuzz-keep: ## put what the fuzzer found into tests/fuzz/corpus, as few files as cover the same
	$(Q)rm -rf $(FUZZ_O)/kept && mkdir -p $(FUZZ_O)/kept
	$(FUZZ_O)/fuzz_savedmodel -set_cover_merge=1 -max_len=16384 $(FUZZ_O)/kept \
		$(FUZZ_CORPUS) $(FUZZ_O)/new $(FUZZ_O)/seeds
	$(Q)rm -rf $(FUZZ_CORPUS) && mkdir -p $(FUZZ_CORPUS) && cp $(FUZZ_O)/kept/* $(FUZZ_CORPUS)/
