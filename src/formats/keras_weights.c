// SPDX-License-Identifier: GPL-2.0
/*
 * Where the tensors of a layer are.
 *
 * model.save("m.h5") has a group for each layer, called like it; the tensors in it are
 * called like the variables ("dense_5/dense_5/kernel:0", in Keras 3 "dense_5/sequential/
 * dense_5/kernel").  model.weights.h5 has groups called after classes, which are counted
 * ("layers/dense_1"), and numbered tensors ("vars/0").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/keras.h"
#include "src/util/error.h"

/* Objects looked at for one tensor, and how deep. */
#define MAX_LOOKS 4096
#define MAX_DEPTH 8

/* ---- groups called after classes --------------------------------------------------------- */

long mls_keras_number(const char *name, const char *group)
{
	size_t n = strlen(group);
	char *end;
	long number;

	if (strncmp(name, group, n) != 0)
		return -1;
	if (!name[n])
		return 0;
	if (name[n] != '_' || name[n + 1] < '0' || name[n + 1] > '9' || strlen(name + n) > 8)
		return -1;
	number = strtol(name + n + 1, &end, 10);
	return *end ? -1 : number;
}

static int add_member(struct mls_keras *k, const char *path, const char *name, uint32_t file,
		      struct mls_keras_member *members, uint32_t *n)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (strcmp(members[i].name, name) == 0)
			return 0;
	}
	if (!path)
		return mls_no_memory(k->arena, k->path, k->err);
	members[(*n)++] = (struct mls_keras_member){ path, name, file };
	return 0;
}

/* "layers\dense" in the root, for "layers". */
static int add_flat(struct mls_keras *k, const char *within, const struct mls_h5_names *root,
		    uint32_t file, struct mls_keras_member *members, uint32_t *n)
{
	size_t length = strlen(within);
	int ret = 0;

	for (uint32_t i = 0; !ret && i < root->n; i++) {
		const char *name = root->names[i];
		size_t same = 0;

		while (same < length && name[same] &&
		       (name[same] == within[same] || (name[same] == '\\' && within[same] == '/')))
			same++;
		if (same == length && name[same] == '\\' && !strchr(name + same + 1, '\\'))
			ret = add_member(k, name, name + same + 1, file, members, n);
	}
	return ret;
}

int mls_keras_members(struct mls_keras *k, const char *within, struct mls_keras_member **members,
		      uint32_t *n)
{
	struct mls_h5_names inside[MLS_KERAS_MAX_SHARDS] = { 0 };
	struct mls_h5_names root[MLS_KERAS_MAX_SHARDS] = { 0 };
	size_t most = 0;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < k->store->n; i++) {
		enum mls_h5_kind kind;

		ret = mls_h5_look(k->store->files[i], within, &kind);
		if (!ret && kind == MLS_H5_GROUP)
			ret = mls_h5_list(k->store->files[i], within, &inside[i]);
		if (!ret)
			ret = mls_h5_list(k->store->files[i], "", &root[i]);
		most += inside[i].n + root[i].n;
	}
	*n = 0;
	*members = ret ? NULL : mls_arena_array(k->arena, most + 1, sizeof(**members));
	if (!*members)
		return ret ? ret : mls_no_memory(k->arena, k->path, k->err);
	for (uint32_t i = 0; !ret && i < k->store->n; i++) {
		for (uint32_t j = 0; !ret && j < inside[i].n; j++)
			ret = add_member(
				k, mls_arena_printf(k->arena, "%s/%s", within, inside[i].names[j]),
				inside[i].names[j], i, *members, n);
		if (!ret)
			ret = add_flat(k, within, &root[i], i, *members, n);
	}
	return ret;
}

/*
 * The layer's group: of all groups of its class the one that has as many in front of it
 * as the layer has; the numbers themselves have gaps in files of Keras 2.12.
 */
static int find_group(struct mls_keras *k, const struct mls_keras_layer *layer, const char **path)
{
	struct mls_keras_member *members, *chosen = NULL;
	uint32_t n, n_class = 0;
	int ret = mls_keras_members(k, layer->within, &members, &n);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < n; i++) {
		long number = mls_keras_number(members[i].name, layer->group);
		uint32_t before = 0;

		if (number < 0)
			continue;
		n_class++;
		for (uint32_t j = 0; j < n; j++) {
			long other = mls_keras_number(members[j].name, layer->group);

			before += other >= 0 && other < number;
		}
		if (before == layer->index)
			chosen = &members[i];
	}
	if (n_class != layer->count || !chosen)
		return mls_error(
			k->err, -EINVAL,
			"Invalid %s format: %s: %s: expected %u groups %s/%s, as the model "
			"has such layers, found %u",
			k->arena->format, mls_h5_path(k->store->files[0]), layer->place,
			layer->count, layer->within, layer->group, n_class);
	*path = chosen->path;
	return 0;
}

int mls_keras_inside(struct mls_keras *k, const struct mls_keras_layer *layer, const char **within)
{
	const char *path, *root = k->store->root;
	char *inside;
	int ret;

	*within = NULL;
	if (k->store->by_name)
		return 0;
	ret = find_group(k, layer, &path);
	if (ret)
		return ret;
	inside = mls_arena_printf(k->arena, "%s/%s", path, root);
	if (!inside)
		return mls_no_memory(k->arena, k->path, k->err);
	for (char *c = inside; *c; c++)
		*c = *c == '\\' ? '/' : *c;
	*within = inside;
	return 0;
}

/* ---- groups called like layers -------------------------------------------------------------- */

struct search {
	struct mls_keras *k;
	const char *parent; /* the group right above must be called so; NULL: better so */
	const char *name;
	const char *found, *found_better;
	uint32_t n_found, n_better, n_looks;
};

/* "kernel", "kernel:0" */
static bool is_called(const char *name, const char *variable)
{
	size_t n = strlen(variable);

	return strncmp(name, variable, n) == 0 && (!name[n] || strcmp(name + n, ":0") == 0);
}

static int search_below(struct search *s, const char *group, const char *last, int depth)
{
	struct mls_h5 *h5 = s->k->store->files[0];
	struct mls_h5_names names;
	int ret = mls_h5_list(h5, group, &names);

	for (uint32_t i = 0; !ret && i < names.n; i++) {
		const char *path = mls_arena_printf(s->k->arena, "%s%s%s", group,
						    group[0] ? "/" : "", names.names[i]);
		enum mls_h5_kind kind;

		if (!path)
			return mls_no_memory(s->k->arena, s->k->path, s->k->err);
		if (++s->n_looks > MAX_LOOKS)
			return mls_keras_bad(s->k, -EINVAL, group,
					     "expected at most %d objects in a layer", MAX_LOOKS);
		ret = mls_h5_look(h5, path, &kind);
		if (!ret && kind == MLS_H5_GROUP && depth < MAX_DEPTH)
			ret = search_below(s, path, names.names[i], depth + 1);
		if (ret || kind != MLS_H5_TENSOR || !is_called(names.names[i], s->name))
			continue;
		if (strcmp(last, s->parent) == 0) {
			s->n_better++;
			s->found_better = path;
		}
		s->n_found++;
		s->found = path;
	}
	return ret;
}

int mls_keras_find(struct mls_keras *k, const char *group, const char *parent, const char *name,
		   const char **path)
{
	struct search s = { .k = k, .parent = parent, .name = name };
	enum mls_h5_kind kind;
	int ret;

	*path = NULL;
	ret = mls_h5_look(k->store->files[0], group, &kind);
	if (!ret && kind == MLS_H5_GROUP)
		ret = search_below(&s, group, "", 0);
	if (ret)
		return ret;
	if (s.n_better == 1)
		*path = s.found_better;
	else if (s.n_found == 1)
		*path = s.found;
	else if (s.n_found > 1)
		return mls_error(
			k->err, -EINVAL,
			"Invalid %s format: %s: %s: expected one tensor called %s, found %u",
			k->arena->format, mls_h5_path(k->store->files[0]), group, name, s.n_found);
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------- */

static int missing(struct mls_keras *k, const struct mls_keras_layer *layer, const char *where,
		   const char *name)
{
	return mls_error(k->err, -EINVAL,
			 "Invalid %s format: %s: %s: expected the tensor %s in %s, found none",
			 k->arena->format, mls_h5_path(k->store->files[0]), layer->place, name,
			 where);
}

static int counted_tensor(struct mls_keras *k, const struct mls_keras_layer *layer,
			  const char *name, uint32_t index, struct mls_h5_tensor *tensor)
{
	const char *group, *path;
	int ret = find_group(k, layer, &group);

	if (ret)
		return ret;
	path = mls_arena_printf(k->arena, "%s/vars/%u", group, index);
	if (!path)
		return mls_no_memory(k->arena, k->path, k->err);
	for (uint32_t i = 0; i < k->store->n; i++) {
		enum mls_h5_kind kind;

		ret = mls_h5_look(k->store->files[i], path, &kind);
		if (ret)
			return ret;
		if (kind == MLS_H5_TENSOR)
			return mls_h5_tensor(k->store->files[i], path, tensor);
	}
	return missing(k, layer, path, name);
}

int mls_keras_tensor(struct mls_keras *k, const struct mls_keras_layer *layer, const char *name,
		     uint32_t index, struct mls_h5_tensor *tensor)
{
	const char *group, *path, *root = k->store->root;
	int ret;

	if (!k->store->by_name)
		return counted_tensor(k, layer, name, index, tensor);
	group = mls_arena_printf(k->arena, "%s%s%s", root, root[0] ? "/" : "", layer->outer);
	if (!group)
		return mls_no_memory(k->arena, k->path, k->err);
	ret = mls_keras_find(k, group, layer->name, name, &path);
	if (ret)
		return ret;
	return path ? mls_h5_tensor(k->store->files[0], path, tensor) :
		      missing(k, layer, group, name);
}
