// SPDX-License-Identifier: GPL-2.0
/* Costs of moves by a name or from a file. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/sim.h"
#include "src/util/array.h"
#include "src/util/error.h"
#include "src/util/json_file.h"
#include "src/util/json_text.h"

/* What `mlsched sim calibrate` writes has hundreds. */
#define MOST_BYTES ((size_t)64 << 10)

/* As they stand in a file. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{ "refill_near_ns_per_kib", offsetof(struct sim_costs, refill_per_kib[SIM_NEAR]) },
	{ "refill_node_ns_per_kib", offsetof(struct sim_costs, refill_per_kib[SIM_NODE]) },
	{ "refill_far_ns_per_kib", offsetof(struct sim_costs, refill_per_kib[SIM_FAR]) },
	{ "private_kib", offsetof(struct sim_costs, private_kib) },
	{ "shared_kib", offsetof(struct sim_costs, shared_kib) },
	{ "remote_percent", offsetof(struct sim_costs, remote_percent) },
	{ "smt_percent", offsetof(struct sim_costs, smt_percent) },
	{ "switch_ns", offsetof(struct sim_costs, switch_to) },
	{ "wake_ns", offsetof(struct sim_costs, wake) },
	{ "migrate_ns", offsetof(struct sim_costs, migrate) },
	{ "fork_ns", offsetof(struct sim_costs, fork) },
	{ "exec_ns", offsetof(struct sim_costs, exec) },
};

static uint32_t *field(struct sim_costs *costs, size_t i)
{
	return (uint32_t *)((char *)costs + fields[i].offset);
}

json_t *cli_sim_costs_json(const struct sim_costs *costs)
{
	struct sim_costs copy = *costs;
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_set_new(object, fields[i].name, json_integer(*field(&copy, i)));
	return object;
}

static int from_json(const char *path, const json_t *root, struct sim_costs *costs,
		     struct mlsched_error *err)
{
	const json_t *object = json_object_get(root, "costs");
	char found[MLS_JSON_TEXT];

	if (!json_is_object(object))
		return mls_error(err, -EINVAL, "%s: expected an object \"costs\", found %s", path,
				 mls_json_text(object, found));
	*costs = sim_costs_default();
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const json_t *value = json_object_get(object, fields[i].name);
		json_int_t n = json_integer_value(value);

		if (!json_is_integer(value) || n < 0 || n > 1000000000)
			return mls_error(err, -EINVAL,
					 "%s: costs, %s: expected a number from 0 to 1000000000, "
					 "found %s",
					 path, fields[i].name, mls_json_text(value, found));
		*field(costs, i) = (uint32_t)n;
	}
	if (!costs->private_kib || !costs->shared_kib || !costs->smt_percent ||
	    costs->smt_percent > 100)
		return mls_error(
			err, -EINVAL,
			"%s: costs: expected caches of 1 KiB or more and an smt_percent from 1 "
			"to 100",
			path);
	return 0;
}

int cli_sim_costs(const char *name, struct sim_costs *costs, struct mlsched_error *err)
{
	char *text;
	json_t *root;
	size_t n;
	int ret;

	if (strcmp(name, "server") == 0 || strcmp(name, "load") == 0) {
		*costs = name[0] == 's' ? sim_costs_default() : sim_costs_of_load();
		return 0;
	}
	ret = mls_text_file(name, MOST_BYTES, &text, &n, err);
	if (ret)
		return mls_error_prefix(err, ret, "costs: expected server, load or a file");
	ret = mls_json_parse(name, text, n, n, MOST_BYTES * 8, &root, err);
	free(text);
	if (ret)
		return ret;
	ret = from_json(name, root, costs, err);
	json_decref(root);
	return ret;
}
