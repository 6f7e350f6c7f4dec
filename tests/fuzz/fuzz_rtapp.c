// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the reader of rt-app's workloads.  The first byte chooses the machine
 * and the scheduler on which what was read is simulated for a while, the rest is the file.
 */
#include <errno.h>

#include "src/sim/policy.h"
#include "src/sim/rtapp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A simulation of more tasks, or of more events, would only be slow. */
#define MOST_TASKS 200
#define MOST_STEPS 2000

static bool has_object(const struct sim_instruction *i)
{
	return i->op >= SIM_LOCK && i->op <= SIM_TIMER;
}

static void check_workload(const struct sim_workload *w)
{
	must(w->n_starts >= 1 && w->n_starts <= SIM_MAX_STARTS);
	must(w->n_code >= 1 && w->n_code <= SIM_MAX_CODE);
	must(w->most_tasks >= 1);
	for (uint32_t i = 0; i < w->n_code; i++) {
		const struct sim_instruction *code = &w->code[i];

		must(!has_object(code) || code->to < w->n_objects);
		must(code->op != SIM_BARRIER || code->count > 0);
	}
	must(w->code[w->n_code - 1].op == SIM_EXIT);
	/* Each instance has the object that is its own. */
	for (uint32_t k = 0; k < w->n_starts; k++) {
		const struct sim_start *start = &w->starts[k];

		for (const struct sim_instruction *code = w->programs[start->program].code;
		     code->op != SIM_EXIT; code++)
			must(!has_object(code) || !start->n ||
			     code->to + (start->n - 1) * code->stride < w->n_objects);
	}
}

static void simulate(const struct sim_workload *w, uint8_t how)
{
	static const struct sim_policy *const policies[] = { &sim_policy_mlsched, &sim_policy_eevdf,
							     &sim_policy_rusty };
	static const char *const machines[] = { "1c1l", "4c2l", "8c4l2n", "8c2l1n2t" };
	static const struct sim_options options = { .limit = SIM_S };
	static struct sim_machine machine;
	struct sim *s;

	must(sim_machine_parse(&machine, machines[how % 4], NULL) == 0);
	s = sim_new(&machine, w, policies[how / 4 % 3], &options, how, NULL);
	must(s);
	for (int i = 0; i < MOST_STEPS && sim_step(s) == 0; i++)
		;
	sim_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_workload workload;
	struct mlsched_error err = { 0 };
	char path[32];
	int fd, ret;

	if (!size)
		return 0;
	fd = as_file(data + 1, size - 1, path);
	ret = sim_rtapp_load(&workload, path, &err);
	close(fd);
	if (ret) {
		check_message(ret, &err);
		must(ret == -EINVAL || ret == -E2BIG || ret == -EFBIG);
		return 0;
	}
	check_workload(&workload);
	if (workload.most_tasks <= MOST_TASKS)
		simulate(&workload, data[0]);
	return 0;
}
