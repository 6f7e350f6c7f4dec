// SPDX-License-Identifier: GPL-2.0
/*
 * Requests into rows of seed10, logits into verdicts.  The network itself is
 * model.c and the forward passes.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <mlsched/decide.h>
#include <mlsched/schema.h>

#include "core/features.h"
#include "src/util/error.h"

/* Rows on the stack at a time. */
#define CHUNK 32

static int no_single_logit(const struct mlsched_model *model, struct mlsched_error *err)
{
	return mls_error(err, -EINVAL,
			 "Expected shape [?, 1], got [?, %u]: the model's outputs have no single "
			 "logit",
			 mlsched_model_outputs(model));
}

int mlsched_decide_features(const struct mlsched_model *model, const float *rows, size_t n,
			    uint32_t width, struct mlsched_verdict *verdicts,
			    struct mlsched_error *err)
{
	float threshold = mlsched_model_threshold(model);
	float logits[CHUNK];

	if (width != mlsched_model_inputs(model))
		return mls_error(err, -EINVAL, "Expected shape [?, %u], got [?, %u]",
				 mlsched_model_inputs(model), width);
	if (mlsched_model_logit(model, NULL, 0, logits) != 0)
		return no_single_logit(model, err);
	for (size_t done = 0; done < n;) {
		size_t now = n - done < CHUNK ? n - done : CHUNK;

		mlsched_model_logit(model, rows + done * width, now, logits);
		for (size_t i = 0; i < now; i++) {
			verdicts[done + i] = (struct mlsched_verdict){
				.migrate = logits[i] > threshold,
				.logit = logits[i],
				.probability = 1 / (1 + expf(-logits[i])),
			};
		}
		done += now;
	}
	return 0;
}

static int check_model(const struct mlsched_model *model, struct mlsched_error *err)
{
	const char *schema = mlsched_model_meta(model)->schema;
	uint32_t width = mlsched_model_inputs(model);
	float logit;

	if (width != MLS_SEED10_INPUTS)
		return mls_error(err, -EINVAL,
				 "Expected shape [?, %d], got [?, %u]: decisions need a model of "
				 "schema seed10, this one's is \"%s\"",
				 MLS_SEED10_INPUTS, width, schema);
	if (schema[0] && strcmp(schema, "seed10") != 0)
		return mls_error(err, -EINVAL,
				 "decisions need a model of schema seed10, this one's is \"%s\"",
				 schema);
	if (mlsched_model_logit(model, NULL, 0, &logit) != 0)
		return no_single_logit(model, err);
	return 0;
}

static int check_request(const struct mlsched_request *request, size_t size, size_t index,
			 struct mlsched_error *err)
{
	const unsigned char *tail = (const unsigned char *)request;

	if (request->size != size)
		return mls_error(err, -EINVAL,
				 "request %zu: expected a size of %zu bytes as the first, got %zu",
				 index, size, request->size);
	for (size_t i = sizeof(*request); i < size; i++) {
		if (tail[i])
			return mls_error(err, -E2BIG,
					 "request %zu: byte %zu is set and this library knows %zu "
					 "bytes",
					 index, i, sizeof(*request));
	}
	return 0;
}

static void fill_row(const struct mlsched_request *request, float row[MLS_SEED10_INPUTS])
{
	memset(row, 0, MLS_SEED10_INPUTS * sizeof(*row));
	row[0] = (float)request->cpu;
	row[1] = (float)request->cpu_idle;
	row[2] = (float)request->cpu_not_idle;
	row[3] = request->src_dom_load;
	row[4] = request->dst_dom_load;
}

int mlsched_decide(const struct mlsched_model *model, const struct mlsched_request *requests,
		   size_t n, struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	const char *at = (const char *)requests;
	float rows[CHUNK][MLS_SEED10_INPUTS];
	size_t size = n ? requests->size : sizeof(*requests);
	int ret = check_model(model, err);

	if (ret)
		return ret;
	if (size < sizeof(*requests) || size % _Alignof(struct mlsched_request))
		return mls_error(err, -EINVAL, "a request of %zu bytes, expected %zu", size,
				 sizeof(*requests));
	for (size_t done = 0; done < n;) {
		size_t now = n - done < CHUNK ? n - done : CHUNK;

		for (size_t i = 0; i < now; i++, at += size) {
			const struct mlsched_request *request = (const void *)at;

			ret = check_request(request, size, done + i, err);
			if (ret)
				return ret;
			fill_row(request, rows[i]);
		}
		ret = mlsched_decide_features(model, rows[0], now, MLS_SEED10_INPUTS,
					      verdicts + done, err);
		if (ret)
			return ret;
		done += now;
	}
	return 0;
}

int mlsched_model_fits_scheduler(const struct mlsched_model *model, struct mlsched_error *err)
{
	const char *schema = mlsched_model_meta(model)->schema;
	uint32_t n_in = mlsched_model_inputs(model);
	float logit;

	if (strcmp(schema, "mig15") != 0) {
		if (n_in == MLS_SEED10_INPUTS)
			return check_model(model, err);
		return mls_error(err, -EINVAL,
				 "Expected shape [?, %d], got [?, %u]: decisions need a model of "
				 "schema seed10 or mig15, this one's is \"%s\"%s",
				 MLS_SEED10_INPUTS, n_in, schema,
				 n_in == MLS_MIG15_INPUTS && !schema[0] ?
					 "; if its inputs are mig15's, `mlsched convert --schema "
					 "mig15` says so" :
					 "");
	}
	if (n_in != MLS_MIG15_INPUTS)
		return mls_error(err, -EINVAL,
				 "Expected shape [?, %d], got [?, %u]: the model's schema is mig15",
				 MLS_MIG15_INPUTS, n_in);
	if (mlsched_model_logit(model, NULL, 0, &logit) != 0)
		return no_single_logit(model, err);
	return 0;
}
