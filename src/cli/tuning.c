// SPDX-License-Identifier: GPL-2.0
/* --mechanisms and --offers, for every command that has them. */
#include <errno.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/snapshot.h"
#include "src/cli/tuning.h"
#include "src/util/error.h"

/* Nobody is idle for longer than that beside work. */
#define OFFER_MOST_US 1000000

/* 0: there is none of that name. */
static uint32_t mechanism(const char *name)
{
	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++) {
		if (strcmp(name, snapshot_mechanism_names[m]) == 0)
			return 1u << m;
	}
	return 0;
}

uint32_t cli_mechanisms(struct argp_state *state, const char *list)
{
	char *text = strdupa(list), *rest = NULL;
	uint32_t set = 0;

	if (strcmp(list, "none") == 0)
		return 0;
	if (strcmp(list, "all") == 0)
		return (1u << MLS_POLICY_MECHANISMS) - 1;
	if (!*list)
		argp_error(state, "--mechanisms: expected names, none or all, got \"\"");
	for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (!mechanism(name))
			argp_error(state, "--mechanisms: \"%s\" is none of those that --help lists",
				   name);
		set |= mechanism(name);
	}
	return set;
}

json_t *cli_mechanisms_json(uint32_t mechanisms)
{
	json_t *list = json_array();

	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++)
		if (mls_policy_has(mechanisms, (enum mls_policy_mechanism)m))
			json_array_append_new(list, json_string(snapshot_mechanism_names[m]));
	return list;
}

void cli_offers(struct argp_state *state, const char *text, u64 worth[MLS_POLICY_LEVELS])
{
	char *copy = strdupa(text), *rest = NULL, *word;

	for (int level = 0; level < MLS_POLICY_LEVELS; level++) {
		/* Not strtok(): an empty one is none that may be left out. */
		word = level ? rest : copy;
		rest = word ? strchr(word, ',') : NULL;
		if (!word || !rest != (level == MLS_POLICY_LEVELS - 1))
			argp_error(state, "--offers: expected NEAR,NODE,FAR in us, got \"%s\"",
				   text);
		if (rest)
			*rest++ = '\0';
		worth[level] = (u64)(cli_real(state, "offers", word, 0, OFFER_MOST_US) * 1000);
	}
}

json_t *cli_offers_json(const u64 worth[MLS_POLICY_LEVELS])
{
	json_t *list = json_array();

	for (int level = 0; level < MLS_POLICY_LEVELS; level++)
		json_array_append_new(list, json_real((double)worth[level] / 1000));
	return list;
}

static int read_tuning(const json_t *root, struct sim_tuning *tuning)
{
	const json_t *names = json_object_get(root, "mechanisms");
	const json_t *offers = json_object_get(root, "offers_us");
	const json_t *value;
	size_t i;

	json_array_foreach(names, i, value) {
		uint32_t bit = json_is_string(value) ? mechanism(json_string_value(value)) : 0;

		if (!bit)
			return -EINVAL;
		tuning->mechanisms |= bit;
	}
	if (offers && json_array_size(offers) != MLS_POLICY_LEVELS)
		return -EINVAL;
	json_array_foreach(offers, i, value) {
		double us = json_number_value(value);

		if (!json_is_number(value) || !(us >= 0 && us <= OFFER_MOST_US))
			return -EINVAL;
		tuning->worth[i] = (u64)(us * 1000);
	}
	return 0;
}

int cli_tuning_of_model(const struct mlsched_model *model, struct sim_tuning *tuning,
			struct mlsched_error *err)
{
	const char *text = mlsched_model_meta(model)->provenance;
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;
	int ret;

	*tuning = (struct sim_tuning)SIM_TUNING_DEFAULT;
	ret = read_tuning(root, tuning);
	json_decref(root);
	return ret ? mls_error(err, ret, "provenance: mechanisms or offers_us that nobody knows") :
		     0;
}
