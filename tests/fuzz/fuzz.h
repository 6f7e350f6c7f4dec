/* SPDX-License-Identifier: GPL-2.0 */
/* What must hold whatever a reader was fed with: for all fuzz targets. */
#ifndef MLS_TESTS_FUZZ_H
#define MLS_TESTS_FUZZ_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

/* What must hold for every model that the reader lets pass. */
static void use(const struct mlsched_model *model)
{
	float row[MLSCHED_MAX_WIDTH], out[MLSCHED_MAX_WIDTH];
	struct mlsched_layer layer;

	for (uint32_t i = 0; i < mlsched_model_inputs(model); i++)
		row[i] = (float)i / 8 - 3;
	mlsched_model_predict(model, row, 1, out);
	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0; l++) {
		for (uint32_t i = 0; i < layer.n_in * layer.n_out; i++) {
			if (!isfinite(layer.weights[i]))
				abort();
		}
	}
}

/* A message for a person: one line, with the code that was returned. */
static void check_message(int ret, const struct mlsched_error *err)
{
	if (ret >= 0 || err->code != ret || !err->message[0] ||
	    !memchr(err->message, 0, sizeof(err->message)))
		abort();
}

#endif /* MLS_TESTS_FUZZ_H */
