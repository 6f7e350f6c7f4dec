// SPDX-License-Identifier: GPL-2.0
/* --mechanisms and --offers, for every command that has them. */
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/tuning.h"

/* Nobody is idle for longer than that beside work. */
#define OFFER_MOST_US 1000000

/* 0: there is none of that name. */
static uint32_t mechanism(const char *name)
{
	int m = mls_mechanism_find(name);

	return m < 0 ? 0 : 1u << m;
}

static void refuse_mechanism(struct argp_state *state, const char *name)
{
	char names[256] = "";

	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++) {
		size_t n = strlen(names);

		snprintf(names + n, sizeof(names) - n, "%s, ", mls_mechanism_names[m]);
	}
	argp_error(state, "--mechanisms: expected some of %snone or all, got \"%s\"", names, name);
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
			refuse_mechanism(state, name);
		set |= mechanism(name);
	}
	return set;
}

json_t *cli_mechanisms_json(uint32_t mechanisms)
{
	json_t *list = json_array();

	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++)
		if (mls_policy_has(mechanisms, (enum mls_policy_mechanism)m))
			json_array_append_new(list, json_string(mls_mechanism_names[m]));
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

int cli_tuning_of_model(const struct mlsched_model *model, struct sim_tuning *tuning,
			struct mlsched_error *err)
{
	struct mls_tuning stated;
	int ret = mls_tuning_of(model, &stated, err);

	*tuning = (struct sim_tuning)SIM_TUNING_DEFAULT;
	if (ret || !stated.stated)
		return ret;
	tuning->mechanisms = stated.mechanisms;
	memcpy(tuning->worth, stated.worth, sizeof(tuning->worth));
	return 0;
}
