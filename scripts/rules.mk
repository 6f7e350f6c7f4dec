# SPDX-License-Identifier: GPL-2.0
# How each kind of file is made.  Included by the Makefile.

# Objects depend on the flags that made them: a change of CC, CLANG, SANITIZE or CFLAGS rebuilds;
# whether a warning is an error makes no other object.
FLAGS_FILE := $(O)/.flags
FLAGS_NOW  := $(filter-out -Werror,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(CLANG))
ifneq ($(filter-out clean distclean help format lint,$(or $(MAKECMDGOALS),build)),)
ifneq ($(FLAGS_NOW),$(if $(wildcard $(FLAGS_FILE)),$(file <$(FLAGS_FILE))))
$(shell mkdir -p $(O))
$(file >$(FLAGS_FILE),$(FLAGS_NOW))
endif
endif

$(LIBBPF):
	$(call say,LIBBPF,$@)
	$(Q)scripts/build-libbpf.sh "$(O)"

$(O)/gen/src/formats/%.pb-c.c $(O)/gen/src/formats/%.pb-c.h &: src/formats/%.proto
	$(call say,PROTOC,$<)
	@mkdir -p $(O)/gen
	$(Q)$(PROTOC_C) --c_out=$(O)/gen $<

# Headers that do not exist before the first build; later the .d files know better.
$(LIB_OBJ): | $(PROTO_H)
$(HOST_OBJ) $(CLI_OBJ): | $(LIBBPF) $(SKELS)

$(O)/obj/%.o: %.c $(FLAGS_FILE)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(call isa_flags,$<) $(if $(filter src/formats/%,$<),$(FORMATS_CFLAGS)) $(FLAGS_$(basename $(notdir $<))) -MMD -MP -c -o $@ $<

$(O)/obj/gen/%.o: $(O)/gen/%.c $(FLAGS_FILE)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -w -MMD -MP -c -o $@ $<

# ---- the program that runs libhdf5, and the object that holds it ---------------------

$(O)/obj/hdf5-child/%.o: %.c $(FLAGS_FILE)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(PLAIN_CFLAGS) $(CFLAGS) -ffunction-sections -MMD -MP -c -o $@ $<

$(H5_PROGRAM): $(H5_OBJ)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -s -pie -Wl,--gc-sections -Wl,-z,now $(LDFLAGS) -o $@ $(H5_OBJ) -lm -ldl

$(O)/obj/src/formats/hdf5_program.o: $(H5_PROGRAM)

# What PyTorch is measured by, in the program.
$(O)/obj/bench/pytorch.o: bench/pytorch.py

$(LIB_A): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(LIB_SO): $(LIB_OBJ) src/libmlsched.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=src/libmlsched.map \
		$(if $(SANITIZE),,-Wl$(comma)--no-undefined) $(ALL_LDFLAGS) -o $@ $(LIB_OBJ) $(DEPS_LIBS) -lm -pthread
	$(Q)ln -sf $(notdir $@) $(O)/$(SONAME) && ln -sf $(SONAME) $(O)/libmlsched.so

$(PROGRAM): $(CLI_OBJ) $(HOST_OBJ) $(LIB_A) $(LIBBPF)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(CLI_OBJ) $(HOST_OBJ) $(LIB_A) $(LIBBPF) \
		$(DEPS_LIBS) $(NCURSES_LIBS) $(SQLITE_LIBS) -lelf -lz -lm -ldl -pthread

# ---- BPF: one object and one skeleton a file ------------------------------------

BPF_ARCH   := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))
# Line information names source files: not by the path of the build, which would make it another program.
BPF_CFLAGS := -O2 -g -ffile-prefix-map=$(CURDIR)=. -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wno-unused-function \
	$(if $(filter 1,$(WERROR)),-Werror) -I. -isystem $(O)/libbpf/include \
	-idirafter /usr/include/$(ARCH)-linux-gnu

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(FLAGS_FILE) | $(LIBBPF)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -c -o $@ $<
	$(Q)$(LLVM_STRIP) -g $@

# An older bpftool mentions that it leaves out struct_ops maps; the loader finds them by name.
$(O)/gen/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@ 2> $@.log || { cat $@.log >&2; rm -f $@; exit 1; }

.SECONDARY:
comma := ,

-include $(LIB_OBJ:.o=.d) $(H5_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.bpf.d)
