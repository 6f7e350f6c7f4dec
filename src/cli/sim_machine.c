// SPDX-License-Identifier: GPL-2.0
/* Which machine is simulated: one by its name, or this one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/sim.h"
#include "src/host/topology.h"
#include "src/util/error.h"

static int read_name(const char *sysfs, char *name, size_t size, struct mlsched_error *err)
{
	struct mls_topology *t = calloc(1, sizeof(*t));
	int ret = t ? mls_topology_read(sysfs, 0, t, err) : mls_error(err, -ENOMEM, "no memory");

	if (!ret) {
		uint32_t threads = t->n_cores ? t->n_online / t->n_cores : 1;
		int used = snprintf(name, size, "%uc%ul", t->n_online, t->n_caches);

		if (t->n_nodes > 1)
			used += snprintf(name + used, size - (size_t)used, "%un", t->n_nodes);
		if (threads > 1)
			snprintf(name + used, size - (size_t)used, "%ut", threads);
	}
	free(t);
	return ret;
}

int cli_sim_machine(struct sim_machine *m, const char *name, const char *sysfs,
		    struct mlsched_error *err)
{
	char own[64];
	int ret;

	if (strcmp(name, "this") != 0)
		return sim_machine_parse(m, name, err);
	ret = read_name(sysfs, own, sizeof(own), err);
	return ret ? ret : sim_machine_parse(m, own, err);
}
