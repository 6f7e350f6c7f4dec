// SPDX-License-Identifier: GPL-2.0
/*
 * Files that hold weights and no architecture: model.save_weights().
 *
 * The kernels say how wide the layers are and in which order they chain.  Activations
 * are not in such a file.  What is taken is what this scheduler's networks have, and
 * what the message of a wrong guess would be about: ReLU inside and one sigmoid at the
 * end.  A network that cannot be that one is refused, and the model says in its
 * producer what was assumed.
 */
#include <errno.h>
#include <string.h>

#include "src/formats/keras.h"
#include "src/util/array.h"
#include "src/util/error.h"

#define SAVE_ALL "save the whole model: model.save(\"model.keras\")"

/* Layers that change nothing and have no weights, as their groups begin. */
static const char *const passing[] = {
	"input_layer",    "dropout", "alpha_dropout", "gaussian_dropout",
	"gaussian_noise", "flatten", "input",         "identity",
};

static int refuse(struct mls_keras *k, const char *place, const char *what)
{
	return mls_keras_bad(k, -ENOTSUP, place, "%s, and the file has no architecture: " SAVE_ALL,
			     what);
}

static bool passes(const char *group)
{
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
		if (mls_keras_number(group, passing[i]) >= 0)
			return true;
	}
	return false;
}

static const char *place_of(struct mls_keras *k, const char *name)
{
	const char *place = mls_arena_printf(k->arena, "layer %.100s", name);

	if (!place)
		mls_no_memory(k->arena, k->path, k->err);
	return place;
}

static int add_dense(struct mls_keras *k, const char *place, const char *kernel_path,
		     const char *bias_path, uint32_t kernel_file, uint32_t bias_file, bool is_last)
{
	struct mls_h5_tensor kernel, bias;
	int ret = mls_h5_tensor(k->store->files[kernel_file], kernel_path, &kernel);

	if (!ret && bias_path)
		ret = mls_h5_tensor(k->store->files[bias_file], bias_path, &bias);
	if (!ret)
		ret = mls_keras_add_dense(k, place, &kernel, bias_path ? &bias : NULL);
	if (!ret && is_last && k->width != 1)
		ret = refuse(k, place, "expected one output, a probability, found another number");
	return ret ? ret :
		     mls_keras_add_activation(k, place, is_last ? MLSCHED_SIGMOID : MLSCHED_RELU,
					      0);
}

static int add_normalization(struct mls_keras *k, const char *place, const char *const paths[2],
			     const uint32_t files[2])
{
	struct mls_h5_tensor mean, variance;
	int ret;

	if (k->last)
		return refuse(k, place,
			      "expected a normalization in front of everything, found one behind "
			      "a layer");
	ret = mls_h5_tensor(k->store->files[files[0]], paths[0], &mean);
	if (!ret)
		ret = mls_h5_tensor(k->store->files[files[1]], paths[1], &variance);
	return ret ? ret :
		     mls_keras_add_normalization(k, place, mean.numbers, mean.n, variance.numbers,
						 variance.n, false);
}

/* ---- groups called after classes -------------------------------------------------------------- */

/* vars/0 and vars/1 of a group, in whatever file; NULL where there is none. */
static int find_variables(struct mls_keras *k, const char *group, const char *paths[2],
			  uint32_t files[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		const char *path = mls_arena_printf(k->arena, "%s/vars/%u", group, i);

		paths[i] = NULL;
		if (!path)
			return mls_no_memory(k->arena, k->path, k->err);
		for (uint32_t j = 0; j < k->store->n && !paths[i]; j++) {
			enum mls_h5_kind kind;
			int ret = mls_h5_look(k->store->files[j], path, &kind);

			if (ret)
				return ret;
			if (kind != MLS_H5_TENSOR)
				continue;
			paths[i] = path;
			files[i] = j;
		}
	}
	return 0;
}

static int add_counted_group(struct mls_keras *k, const struct mls_keras_member *member,
			     bool is_last)
{
	bool is_dense = mls_keras_number(member->name, "dense") >= 0;
	const char *place = place_of(k, member->name), *paths[2];
	uint32_t files[2] = { 0 };
	int ret = place ? find_variables(k, member->path, paths, files) : -ENOMEM;

	if (ret)
		return ret;
	if (!paths[0] || (!is_dense && !paths[1]))
		return mls_keras_bad(k, -EINVAL, place, "expected weights, found none");
	return is_dense ? add_dense(k, place, paths[0], paths[1], files[0], files[1], is_last) :
			  add_normalization(k, place, paths, files);
}

/* Groups are sorted by name: dense, dense_1, dense_10, dense_2. */
static int add_counted(struct mls_keras *k)
{
	struct mls_keras_member *members;
	uint32_t n, n_dense = 0, n_added = 0;
	long last = -1;
	int ret = mls_keras_members(k, k->store->root, &members, &n);

	for (uint32_t i = 0; !ret && i < n; i++) {
		const char *name = members[i].name, *place = place_of(k, name);

		if (!place)
			return -ENOMEM;
		if (mls_keras_number(name, "dense") >= 0)
			n_dense++;
		else if (strcmp(name, "normalization") == 0)
			ret = add_counted_group(k, &members[i], false);
		else if (!passes(name))
			ret = refuse(k, place,
				     "expected dense layers and a normalization, found another "
				     "layer");
	}
	while (!ret && n_added < n_dense) {
		uint32_t next = n;

		for (uint32_t i = 0; i < n; i++) {
			long number = mls_keras_number(members[i].name, "dense");

			if (number > last &&
			    (next == n || number < mls_keras_number(members[next].name, "dense")))
				next = i;
		}
		if (next == n)
			return refuse(k, "layers",
				      "expected each number of a layer once, found one twice");
		last = mls_keras_number(members[next].name, "dense");
		ret = add_counted_group(k, &members[next], ++n_added == n_dense);
	}
	return ret;
}

/* ---- groups called like layers ------------------------------------------------------------------ */

/* The list of layers; where it is long, Keras splits it. */
static int read_names(struct mls_keras *k, const char ***all, uint32_t *n)
{
	struct mls_h5 *h5 = k->store->files[0];
	struct mls_h5_names part;
	int ret = mls_h5_texts(h5, k->store->root, "layer_names", &part);

	*all = part.names;
	*n = part.n;
	if (!ret && part.n == 0)
		return refuse(k, "attribute layer_names",
			      "expected the names of layers, found none");
	return ret;
}

/* What a layer's group has: a kernel, mean and variance, or nothing. */
static int add_named(struct mls_keras *k, const char *name, bool is_last, bool *is_dense)
{
	static const char *const names[] = { "kernel", "bias", "mean", "variance" };
	const char *place = place_of(k, name), *paths[ARRAY_SIZE(names)] = { NULL }, *group;
	struct mls_h5_names weights;
	uint32_t files[2] = { 0 };
	int ret;

	group = mls_arena_printf(k->arena, "%s%s%s", k->store->root, k->store->root[0] ? "/" : "",
				 name);
	if (!place || !group)
		return mls_no_memory(k->arena, k->path, k->err);
	ret = mls_h5_texts(k->store->files[0], group, "weight_names", &weights);
	for (size_t i = 0; !ret && i < ARRAY_SIZE(names); i++)
		ret = mls_keras_find(k, group, name, names[i], &paths[i]);
	if (ret)
		return ret;
	*is_dense = paths[0] && weights.n == (paths[1] ? 2u : 1u);
	if (*is_dense)
		return add_dense(k, place, paths[0], paths[1], 0, 0, is_last);
	if (paths[2] && paths[3] && weights.n <= 3)
		return add_normalization(k, place, &paths[2], files);
	return weights.n == 0 && passes(name) ?
		       0 :
		       refuse(k, place,
			      "expected dense layers and a normalization, found another layer");
}

static int add_by_name(struct mls_keras *k)
{
	const char **names;
	uint32_t n, last = 0;
	int ret = read_names(k, &names, &n);

	/* The last one that has weights. */
	for (uint32_t i = 0; !ret && i < n; i++) {
		struct mls_h5_names weights;
		const char *group = mls_arena_printf(k->arena, "%s%s%s", k->store->root,
						     k->store->root[0] ? "/" : "", names[i]);

		if (!group)
			return mls_no_memory(k->arena, k->path, k->err);
		ret = mls_h5_texts(k->store->files[0], group, "weight_names", &weights);
		if (!ret && weights.n)
			last = i;
	}
	for (uint32_t i = 0; !ret && i < n; i++) {
		bool is_dense;

		ret = add_named(k, names[i], i == last, &is_dense);
	}
	return ret;
}

int mls_keras_bare(struct mls_keras *k)
{
	int ret = k->store->by_name ? add_by_name(k) : add_counted(k);

	if (!ret && !k->last)
		ret = refuse(k, "weights", "expected dense layers, found none");
	return ret;
}
