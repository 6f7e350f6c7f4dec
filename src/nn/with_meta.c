// SPDX-License-Identifier: GPL-2.0
/*
 * The same network with other metadata: what a file does not say, somebody else does.
 */
#include <errno.h>

#include <mlsched/model.h>
#include <mlsched/schema.h>

#include "src/util/error.h"

int mlsched_model_with_meta(const struct mlsched_model *model, const struct mlsched_meta *meta,
			    struct mlsched_error *err, struct mlsched_model **changed)
{
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = mlsched_model_layers(model),
		.layers = layers,
		.meta = meta,
	};
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	uint32_t n_in = mlsched_model_inputs(model);

	if (schema && schema->n_features != n_in)
		return mls_error(err, -EINVAL,
				 "Expected shape [?, %u], got [?, %u]: the model's inputs are not "
				 "those of schema %s",
				 schema->n_features, n_in, schema->name);
	for (uint32_t l = 0; l < desc.n_layers; l++)
		mlsched_model_layer(model, l, &layers[l]);
	mlsched_model_normalization(model, &desc.mean, &desc.deviation);
	return mlsched_model_create(&desc, err, changed);
}
