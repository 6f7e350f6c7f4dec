// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the readers of short texts, whose first byte says which:
 *
 *	l  a list of CPUs, as sysfs has them
 *	m  the name of a simulated machine, such as 8c2l
 *	r  the name of a workload: is it a recording, and which session?
 *	n  names between commas
 *	c  a file of the costs of moves, as `mlsched sim calibrate` writes it
 *	a  the scheduler's answer to `stats`, as `mlsched top` shows it
 *	s  the limits of a change of the model, as a client of the control socket names them
 *
 * What is refused is refused with a message; what is taken holds what it promises.
 */
#include <errno.h>

#include "src/cli/names.h"
#include "src/cli/sim.h"
#include "src/cli/snapshot.h"
#include "src/cli/swap_options.h"
#include "src/host/topology.h"
#include "src/sim/machine.h"
#include "src/sim/replay.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_list(const char *text)
{
	bool set[MLS_MAX_CPUS];
	int ret = mls_cpu_list_parse(text, set);

	must(ret == 0 || ret == -EINVAL || ret == -E2BIG);
}

static void feed_machine(const char *text)
{
	static struct sim_machine m;
	struct mlsched_error err = { 0 };
	int ret = sim_machine_parse(&m, text, &err);

	if (ret) {
		check_message(ret, &err);
		return;
	}
	must(strcmp(m.name, text) == 0);
	must(m.n_cpus >= 1 && m.n_cpus <= SIM_MAX_CPUS && m.n_llcs <= m.n_cpus);
	for (uint32_t cpu = 0; cpu < m.n_cpus; cpu++) {
		must(m.llc[cpu] < m.n_llcs && m.node[cpu] < m.n_nodes);
		must(m.sibling[cpu] < m.n_cpus && m.llc[m.sibling[cpu]] == m.llc[cpu]);
	}
	must(m.llc[m.n_cpus - 1] == m.n_llcs - 1 && m.node[m.n_cpus - 1] == m.n_nodes - 1);
}

static void feed_names(const char *text)
{
	struct cli_names names;
	int ret = cli_names_split(&names, text);

	must(ret == 0 || ret == -EINVAL);
	for (uint32_t i = 0; i < names.n; i++)
		must(names.name[i][0] && !strpbrk(names.name[i], ", "));
	must(ret || names.n);
	cli_names_clear(&names);
}

static void feed_costs(const uint8_t *data, size_t size)
{
	struct sim_costs costs;
	struct mlsched_error err = { 0 };
	char path[32];
	int fd = as_file(data, size, path), ret = cli_sim_costs(path, &costs, &err);

	close(fd);
	if (ret)
		check_message(ret, &err);
	else
		must(costs.private_kib && costs.shared_kib && costs.smt_percent <= 100);
}

static void check_snapshot(const struct snapshot *s)
{
	must((unsigned int)s->mode < MLS_POLICY_MODES);
	must(s->active >= -1 && s->active < SCHEDULER_SLOTS);
	must(s->candidate >= -1 && s->candidate < SCHEDULER_SLOTS);
	must(s->n_domains <= SCHEDULER_MAX_DOMAINS);
	check_text(s->version);
	check_text(s->path);
	for (uint32_t d = 0; d < s->n_domains; d++)
		check_text(s->lists[d]);
	for (int b = 0; b < SCHEDULER_BUCKETS; b++)
		must(s->counts.waits[b] <= INT64_MAX);
}

/* What is shown must come back the same. */
static void show_snapshot(const struct snapshot *s)
{
	static struct snapshot again;
	struct scheduler_counts since;
	struct mlsched_error err = { 0 };
	json_t *document = snapshot_json("stats", s);

	must(document);
	must(snapshot_parse(document, &again, &err) == 0);
	must(memcmp(&again.counts, &s->counts, sizeof(s->counts)) == 0);
	json_decref(document);
	must(snapshot_since(s, &again, &since, &err) == 0);
}

static void feed_answer(const uint8_t *data, size_t size)
{
	static struct snapshot s;
	json_t *document = json_loadb((const char *)data, size, 0, NULL);
	struct mlsched_error err = { 0 };
	int ret;

	if (!json_is_object(document)) {
		json_decref(document);
		return;
	}
	ret = snapshot_parse(document, &s, &err);
	json_decref(document);
	if (ret) {
		check_message(ret, &err);
		return;
	}
	check_snapshot(&s);
	show_snapshot(&s);
}

static void feed_limits(const uint8_t *data, size_t size)
{
	json_t *document = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct mls_swap_limits limits = { 0 };
	struct mlsched_error err = { 0 };
	int ret;

	if (json_is_object(document)) {
		ret = swap_options_read(document, &limits, &err);
		if (ret)
			check_message(ret, &err);
	}
	json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	must(text);
	switch (data[0]) {
	case 'l':
		feed_list(text);
		break;
	case 'm':
		feed_machine(text);
		break;
	case 'r':
		sim_replay_is(text);
		break;
	case 'n':
		feed_names(text);
		break;
	case 'c':
		feed_costs(data + 1, size - 1);
		break;
	case 'a':
		feed_answer(data + 1, size - 1);
		break;
	case 's':
		feed_limits(data + 1, size - 1);
		break;
	}
	free(text);
	return 0;
}
