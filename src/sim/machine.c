// SPDX-License-Identifier: GPL-2.0
/* Machines by their names, and what moves cost on them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/machine.h"
#include "src/util/error.h"

struct sim_costs sim_costs_default(void)
{
	return (struct sim_costs){
		.refill_per_kib = { 0, 200, 500, 800 },
		.private_kib = 1024,
		.shared_kib = 16384,
		.remote_percent = 20,
		.smt_percent = 62,
		.switch_to = 1500,
		.wake = 1000,
		.migrate = 1500,
		.fork = 60000,
		.exec = 250000,
		.balance = 20000,
	};
}

struct sim_costs sim_costs_of_load(void)
{
	return (struct sim_costs){
		.refill = { 0, 100000, 1000000, 1000000 },
		.private_kib = 1024,
		.shared_kib = 16384,
		.smt_percent = 62,
		.switch_to = 20000,
		.wake = 10000,
		.migrate = 10000,
		.fork = 1500000,
		.exec = 6000000,
		.balance = 60000,
	};
}

/* One number and the letter behind it. */
static int part(const char **text, char letter, uint32_t most, uint32_t *value)
{
	char *end;
	unsigned long n;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	n = strtoul(*text, &end, 10);
	if (*end != letter || n < 1 || n > most)
		return -EINVAL;
	*value = (uint32_t)n;
	*text = end + 1;
	return 0;
}

int sim_machine_parse(struct sim_machine *m, const char *name, struct mlsched_error *err)
{
	const char *text = name;

	memset(m, 0, sizeof(*m));
	m->n_nodes = m->threads = 1;
	if (strlen(name) >= sizeof(m->name) || part(&text, 'c', SIM_MAX_CPUS, &m->n_cpus) ||
	    part(&text, 'l', SIM_MAX_LLCS, &m->n_llcs) ||
	    (strchr(text, 'n') && part(&text, 'n', SIM_MAX_NODES, &m->n_nodes)) ||
	    (strchr(text, 't') && part(&text, 't', 8, &m->threads)) || *text)
		return mls_error(err, -EINVAL,
				 "%s: expected CPUs, last-level caches and, if need be, nodes and "
				 "threads of a core, such as 8c2l, 128c16l2n or 16c2l2t "
				 "(at most %dc%dl%dn8t)",
				 name, SIM_MAX_CPUS, SIM_MAX_LLCS, SIM_MAX_NODES);
	if (m->n_llcs % m->n_nodes || m->n_cpus % (m->n_llcs * m->threads))
		return mls_error(err, -EINVAL,
				 "%s: %u CPUs of %u threads a core cannot be shared out evenly "
				 "among %u caches and %u nodes",
				 name, m->n_cpus, m->threads, m->n_llcs, m->n_nodes);
	memcpy(m->name, name, strlen(name) + 1);
	for (uint32_t cpu = 0; cpu < m->n_cpus; cpu++) {
		uint32_t first = cpu / m->threads * m->threads;

		m->llc[cpu] = (uint16_t)(cpu / (m->n_cpus / m->n_llcs));
		m->node[cpu] = (uint16_t)(m->llc[cpu] / (m->n_llcs / m->n_nodes));
		m->sibling[cpu] = (uint16_t)(first + (cpu - first + 1) % m->threads);
	}
	m->costs = sim_costs_default();
	return 0;
}
