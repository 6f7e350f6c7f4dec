// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the reader of mlsched.json.  What is taken goes into a model, is
 * written and read again: it says the same.
 */
#include <errno.h>

#include <mlsched/schema.h>

#include "src/formats/metadata.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)8 << 20)

/* The inputs of a model that it fits, if there is one. */
static uint32_t inputs_of(const struct mlsched_meta *meta)
{
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);

	return schema ? schema->n_features : meta->n_calibration ? meta->n_calibration : 10;
}

static struct mlsched_model *model_of(const struct mlsched_meta *meta)
{
	static const float weights[MLSCHED_MAX_WIDTH];
	static const float bias[1] = { 0.5f };
	const struct mlsched_layer layer = {
		.n_in = inputs_of(meta),
		.n_out = 1,
		.weights = weights,
		.bias = bias,
		.activation = MLSCHED_SIGMOID,
	};
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = 1,
		.layers = &layer,
		.meta = meta,
	};
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;

	must(mlsched_model_create(&desc, &err, &model) == 0);
	return model;
}

static bool same_numbers(const float *a, const float *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (a[i] != b[i])
			return false;
	}
	return true;
}

static void check_same(const struct mlsched_meta *a, const struct mlsched_meta *b)
{
	must(strcmp(a->schema, b->schema) == 0);
	must(a->threshold == b->threshold);
	must(a->n_calibration == b->n_calibration);
	must(same_numbers(a->input_min, b->input_min, a->n_calibration));
	must(same_numbers(a->input_max, b->input_max, a->n_calibration));
	must(a->tuned == b->tuned);
	must(strcmp(a->mechanisms, b->mechanisms) == 0);
	must(!a->provenance == !b->provenance);
}

static int parse(const uint8_t *data, size_t size, struct mls_arena *arena,
		 struct mlsched_error *err, struct mlsched_meta *meta)
{
	const struct mls_blob blob = { "fuzz", data, size };

	*meta = (struct mlsched_meta){ .threshold = 0.5f };
	return mls_metadata_parse(&blob, arena, err, meta);
}

static void write_and_read(const struct mlsched_meta *meta)
{
	struct mls_arena arena = MLS_ARENA_INIT(MOST);
	struct mlsched_model *model = model_of(meta);
	struct mlsched_error err = { 0 };
	struct mlsched_meta again;
	char *text = NULL;

	must(mls_metadata_text(model, &err, &text) == 0);
	must(parse((const uint8_t *)text, strlen(text), &arena, &err, &again) == 0);
	check_same(meta, &again);
	mls_arena_free(&arena);
	mlsched_model_free(model);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mls_arena arena = MLS_ARENA_INIT(MOST);
	struct mlsched_error err = { 0 };
	struct mlsched_meta meta;
	int ret = parse(data, size, &arena, &err, &meta);

	if (ret) {
		check_message(ret, &err);
		/* There is memory enough, and of each arena, too. */
		must(ret == -EINVAL || ret == -ENOTSUP || ret == -EFBIG);
	} else if (mls_metadata_check(&meta, &arena, "fuzz", inputs_of(&meta), &err) == 0) {
		write_and_read(&meta);
	}
	mls_arena_free(&arena);
	return 0;
}
