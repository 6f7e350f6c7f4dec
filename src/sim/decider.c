// SPDX-License-Identifier: GPL-2.0
/* Models that decide. */
#include <errno.h>
#include <string.h>

#include <mlsched/decide.h>

#include "src/sim/decider.h"
#include "src/util/error.h"

int sim_decider_init(struct sim_decider *d, const struct mlsched_model *model,
		     struct mlsched_error *err)
{
	const char *schema = mlsched_model_meta(model)->schema;
	int ret;

	if (strcmp(schema, "mig15") != 0)
		return mls_error(err, -EINVAL,
				 "a model of schema %s: the simulator asks models of mig15",
				 schema[0] ? schema : "(none)");
	ret = mlsched_quantize(model, NULL, 0, NULL, NULL, err, &d->q);
	if (ret)
		return ret;
	d->threshold = mlsched_qmodel_threshold(d->q);
	return 0;
}

void sim_decider_clear(struct sim_decider *d)
{
	mlsched_qmodel_free(d->q);
	d->q = NULL;
}

int sim_decider_decide(void *context, struct sim *s, const struct sim_decision *decision)
{
	const struct sim_decider *d = context;
	s32 features[MLS_MIG15_INPUTS];
	struct mls_move_facts facts;
	int64_t logit;

	sim_facts(s, decision, &facts);
	mls_mig15(&facts, features);
	mlsched_qmodel_logit(d->q, features, 1, &logit);
	return logit > d->threshold;
}

int sim_decider_decide_float32(void *context, struct sim *s, const struct sim_decision *decision)
{
	const struct mlsched_model *model = context;
	s32 features[MLS_MIG15_INPUTS];
	float row[MLS_MIG15_INPUTS];
	struct mlsched_verdict verdict;
	struct mls_move_facts facts;

	sim_facts(s, decision, &facts);
	mls_mig15(&facts, features);
	for (u32 i = 0; i < MLS_MIG15_INPUTS; i++)
		row[i] = (float)features[i] / 65536;
	mlsched_decide_features(model, row, 1, MLS_MIG15_INPUTS, &verdict, NULL);
	return verdict.migrate;
}
