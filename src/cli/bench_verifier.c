// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench verifier: what the running kernel's verifier has to do for each
 * of our BPF programs.  Every object is loaded as its own loader does, for the
 * largest machine that there is room for, and nothing is attached.
 *
 * Leaves to others: comparing with the figures that were recorded (docs/verifier.md).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/harness.h"
#include "bench/in_kernel.h"
#include "core/policy.h"
#include "src/cli/cli.h"
#include "src/host/recorder.h"
#include "src/host/scx.h"
#include "src/nn/qnet_pack.h"
#include "src/util/array.h"
#include "src/util/error.h"

#include "bpf/qnet_test.skel.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cli_common *common = state->input;

	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = common;
	return 0;
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.parser = parse,
	.doc = "Loads each BPF object into the running kernel, attaches nothing, and prints how many "
	       "instructions the verifier processed for each program.\v"
	       "Objects are loaded as for the largest machine that there is room for: 1,024 CPUs "
	       "in 64 domains.  Needs root.  What this kernel cannot load is named with the "
	       "reason.",
	.children = children,
};

/* One object while it is loaded; @owner is what its loader made. */
struct loaded {
	const struct mls_topology *topology;
	const void *slot; /* a network that is not there */
	const struct bpf_object *object;
	void *owner;
};

static int open_scheduler(struct loaded *l, struct mlsched_error *err)
{
	struct mls_scx_options options = {
		.mode = MLS_POLICY_ACTIVE,
		.mechanisms = (1u << MLS_POLICY_MECHANISMS) - 1,
		.slot = l->slot,
	};
	struct bpf_object *object = NULL;
	struct mls_scx *scx = NULL;
	int ret = mls_scx_load(&options, l->topology, err, &scx, &object);

	l->owner = scx;
	l->object = object;
	return ret;
}

static void close_scheduler(struct loaded *l)
{
	mls_scx_close(l->owner);
}

static int open_recorder(struct loaded *l, struct mlsched_error *err)
{
	struct mls_recorder_options options = { .slot = l->slot };
	struct mls_recorder *recorder = NULL;
	struct bpf_object *object = NULL;
	int ret = mls_recorder_load(&options, l->topology, err, &recorder, &object);

	l->owner = recorder;
	l->object = object;
	return ret;
}

static void close_recorder(struct loaded *l)
{
	mls_recorder_close(l->owner);
}

static int open_qnet_test(struct loaded *l, struct mlsched_error *err)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct qnet_test_bpf *skel = qnet_test_bpf__open_and_load();
	int ret = skel ? 0 : -errno;

	libbpf_set_print(print);
	if (ret)
		return mls_error(err, ret, "cannot load it: %s", strerror(-ret));
	l->owner = skel;
	l->object = skel->obj;
	return 0;
}

static void close_qnet_test(struct loaded *l)
{
	qnet_test_bpf__destroy(l->owner);
}

static int open_qnet_bench(struct loaded *l, struct mlsched_error *err)
{
	struct bench_object *object = NULL;
	int ret = bench_object_load(l->topology, err, &object);

	if (ret)
		return ret;
	l->owner = object;
	l->object = bench_object_bpf(object);
	return 0;
}

static void close_qnet_bench(struct loaded *l)
{
	bench_object_close(l->owner);
}

static const struct object {
	const char *name;
	int (*open)(struct loaded *loaded, struct mlsched_error *err);
	void (*close)(struct loaded *loaded);
} objects[] = {
	{ "scheduler", open_scheduler, close_scheduler },
	{ "recorder", open_recorder, close_recorder },
	{ "qnet_test", open_qnet_test, close_qnet_test },
	{ "qnet_bench", open_qnet_bench, close_qnet_bench },
};

static int report_program(const struct cli_common *common, const char *object,
			  const struct bpf_program *program, json_t *list,
			  struct mlsched_error *err)
{
	const char *name = bpf_program__name(program);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int ret = bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size);

	if (ret)
		return mls_error(err, ret, "what the kernel knows of %s: %s", name, strerror(-ret));
	json_array_append_new(list, json_pack("{s:s,s:I,s:I,s:I}", "program", name,
					      "verified_insns", (json_int_t)info.verified_insns,
					      "insns", (json_int_t)info.xlated_prog_len / 8,
					      "jited_bytes", (json_int_t)info.jited_prog_len));
	if (!common->json)
		printf("%-10s  %-26s %9u %9u %9u\n", object, name, info.verified_insns,
		       info.xlated_prog_len / 8, info.jited_prog_len);
	return 0;
}

static int report_object(const struct cli_common *common, const struct object *object,
			 struct loaded *loaded, json_t *list, struct mlsched_error *err)
{
	json_t *programs = json_array(), *json = json_pack("{s:s}", "object", object->name);
	uint64_t begin = bench_now_ns();
	struct bpf_program *program;
	int ret = object->open(loaded, err);
	double ms = (double)(bench_now_ns() - begin) / 1e6;

	json_array_append_new(list, json);
	if (ret) {
		json_decref(programs);
		json_object_set_new(json, "unavailable", json_string(err->message));
		if (!common->json)
			printf("%-10s  not loaded: %s\n", object->name, err->message);
		/* That a kernel lacks something is a result; that we may not look is none. */
		return ret == -EPERM || ret == -ENOMEM ? ret : 0;
	}
	json_object_set_new(json, "load_ms", json_real(ms));
	json_object_set_new(json, "programs", programs);
	bpf_object__for_each_program(program, loaded->object)
	{
		if (ret == 0 && bpf_program__fd(program) >= 0)
			ret = report_program(common, object->name, program, programs, err);
	}
	object->close(loaded);
	return ret;
}

static int run(const struct cli_common *common, json_t *list, struct mlsched_error *err)
{
	struct mls_topology *topology = calloc(1, sizeof(*topology));
	void *slot = calloc(1, mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	int ret = 0;

	if (!topology || !slot) {
		ret = mls_error(err, -ENOMEM, "no memory for a topology");
		goto out;
	}
	bench_topology_make(topology, MLS_MAX_CPUS, MLS_MAX_DOMAINS, MLS_MAX_NODES);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(objects); i++) {
		struct loaded loaded = { .topology = topology, .slot = slot };

		ret = report_object(common, &objects[i], &loaded, list, err);
	}
out:
	free(slot);
	free(topology);
	return ret;
}

int cli_bench_verifier(int argc, char **argv)
{
	struct cli_common common = { .command = argv[0] };
	json_t *list = json_array();
	struct mlsched_error err = { 0 };
	struct utsname uts;

	if (cli_parse(&argp, argc, argv, &common) != 0) {
		json_decref(list);
		return CLI_USAGE;
	}
	if (uname(&uts) != 0)
		strcpy(uts.release, "?");
	if (!common.json)
		printf("Linux %s\n%-10s  %-26s %9s %9s %9s\n", uts.release, "object", "program",
		       "verified", "length", "JIT bytes");
	if (run(&common, list, &err) != 0) {
		json_decref(list);
		return cli_fail(&common, "%s", err.message);
	}
	if (common.json)
		cli_json(json_pack("{s:s,s:o}", "kernel", uts.release, "objects", list));
	else
		json_decref(list);
	return CLI_OK;
}
