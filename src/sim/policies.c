// SPDX-License-Identifier: GPL-2.0
/* The policies by their names. */
#include <string.h>

#include "src/sim/policy.h"

static const struct sim_policy *const policies[] = {
	&sim_policy_eevdf,
	&sim_policy_mlsched,
};

const struct sim_policy *sim_policy_find(const char *name)
{
	for (uint32_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
