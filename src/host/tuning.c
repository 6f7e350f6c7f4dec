// SPDX-License-Identifier: GPL-2.0
/* Between the names in a model and the bits of the scheduler. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/host/tuning.h"
#include "src/util/error.h"

const char *const mls_mechanism_names[MLS_POLICY_MECHANISMS] = {
	[MLS_POLICY_FORK_IN_PLACE] = "fork-in-place",
	[MLS_POLICY_PREEMPT_SHORT] = "preempt-short",
	[MLS_POLICY_ASK_AGAIN] = "ask-again",
	[MLS_POLICY_LEVEL_LARGE] = "level-large",
};

int mls_mechanism_find(const char *name)
{
	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++) {
		if (strcmp(name, mls_mechanism_names[m]) == 0)
			return m;
	}
	return -1;
}

static void join(uint32_t mechanisms, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int m = 0; m < MLS_POLICY_MECHANISMS && used < size; m++) {
		if (mls_policy_has(mechanisms, (enum mls_policy_mechanism)m))
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "",
						 mls_mechanism_names[m]);
	}
}

void mls_mechanisms_text(uint32_t mechanisms, char *text, size_t size)
{
	join(mechanisms, text, size);
	if (!text[0])
		snprintf(text, size, "none");
}

int mls_tuning_of(const struct mlsched_model *model, struct mls_tuning *tuning,
		  struct mlsched_error *err)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	char text[sizeof(meta->mechanisms)], *rest = NULL;

	*tuning = (struct mls_tuning){ .stated = meta->tuned };
	memcpy(text, meta->mechanisms, sizeof(text));
	for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		int m = mls_mechanism_find(name);

		if (m < 0)
			return mls_error(err, -ENOTSUP,
					 "the model was trained for a scheduler with the mechanism "
					 "\"%s\", which this one does not have",
					 name);
		tuning->mechanisms |= 1u << m;
	}
	for (int level = 0; level < MLS_POLICY_LEVELS; level++)
		tuning->worth[level] = (u64)llround(meta->offers_us[level] * 1000);
	return 0;
}

void mls_tuning_state(uint32_t mechanisms, const u64 worth[MLS_POLICY_LEVELS],
		      struct mlsched_meta *meta)
{
	meta->tuned = true;
	join(mechanisms, meta->mechanisms, sizeof(meta->mechanisms));
	for (int level = 0; level < MLS_POLICY_LEVELS; level++)
		meta->offers_us[level] = (double)worth[level] / 1000;
}

_Static_assert(MLSCHED_OFFERS == MLS_POLICY_LEVELS, "one for each level");
