// SPDX-License-Identifier: GPL-2.0
/* Making the nodes of a graph in the form of TensorFlow's, of a file; see lower.h. */
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/lower.h"
#include "src/formats/outline.h"

Mls__Node *mls_lower_node(struct mls_lowered *to, const char *name, const char *op, size_t n_attr)
{
	Mls__Node *node = mls_arena_alloc(to->arena, sizeof(*node));

	if (!node)
		return NULL;
	mls__node__init(node);
	node->attr = mls_arena_array(to->arena, n_attr, sizeof(*node->attr));
	if (!node->attr)
		return NULL;
	/* Names and operations are only read from here on. */
	node->name = (char *)name;
	node->op = (char *)op;
	to->nodes[to->n_nodes++] = node;
	return node;
}

void mls_lower_output(struct mls_lowered *to, const char *name, uint32_t output)
{
	to->names[to->n_names++] = (struct mls_named){
		.name = name,
		.size = strlen(name),
		.index = to->n_nodes - 1,
		.output = output,
	};
}

Mls__AttrValue *mls_lower_attr(struct mls_arena *arena, Mls__Node *node, const char *key,
			       Mls__AttrValue__ValueCase kind)
{
	Mls__Attr *attr = mls_arena_alloc(arena, sizeof(*attr));
	Mls__AttrValue *value = mls_arena_alloc(arena, sizeof(*value));

	if (!attr || !value)
		return NULL;
	mls__attr__init(attr);
	mls__attr_value__init(value);
	attr->key = (char *)key;
	attr->value = value;
	value->value_case = kind;
	node->attr[node->n_attr++] = attr;
	return value;
}

Mls__Shape *mls_lower_shape(struct mls_arena *arena, size_t rank)
{
	Mls__Shape *shape = mls_arena_alloc(arena, sizeof(*shape));
	Mls__Dim **pointers = mls_arena_array(arena, rank, sizeof(*pointers));
	Mls__Dim *dims = mls_arena_array(arena, rank, sizeof(*dims));

	if (!shape || !pointers || !dims)
		return NULL;
	mls__shape__init(shape);
	for (size_t i = 0; i < rank; i++) {
		mls__dim__init(&dims[i]);
		dims[i].size = -1;
		pointers[i] = &dims[i];
	}
	shape->n_dim = rank;
	shape->dim = pointers;
	return shape;
}

Mls__AttrList *mls_lower_integers(struct mls_arena *arena, size_t n, int64_t *integers)
{
	Mls__AttrList *list = mls_arena_alloc(arena, sizeof(*list));

	if (!list)
		return NULL;
	mls__attr_list__init(list);
	list->n_i = n;
	list->i = integers;
	return list;
}

/* The widest network takes 2 MiB of weights. */
#define MAX_FILE ((size_t)64 << 20)

/* @fd -1: what stands at @path. */
static int load(int fd, const char *path, size_t max, const char *format, mls_lower_reader *read,
		struct mlsched_error *err, struct mlsched_model **model)
{
	struct mls_arena arena = mls_lower_arena(format, 0);
	struct mls_blob blob = { 0 };
	int ret;

	ret = fd < 0 ? mls_file_slurp_path(path, max, MLS_UNFOLD, &arena, err, &blob) :
		       mls_file_slurp_open(fd, path, max, MLS_UNFOLD, &arena, err, &blob);
	if (!ret)
		ret = read(&blob, &arena, err, model);
	mls_arena_free(&arena);
	return ret;
}

int mls_lower_load(const char *path, const char *format, mls_lower_reader *read,
		   struct mlsched_error *err, struct mlsched_model **model)
{
	return load(-1, path, MAX_FILE, format, read, err, model);
}

int mls_lower_load_open(int fd, const char *path, size_t max, const char *format,
			mls_lower_reader *read, struct mlsched_error *err,
			struct mlsched_model **model)
{
	int ret = load(fd, path, max, format, read, err, model);

	if (ret && err)
		mls_clean_text(err->message);
	return ret;
}

void mls_lower_outline(const char *path, const char *format,
		       void (*tell)(const struct mls_blob *blob, struct mls_outline *outline),
		       struct mls_outline *outline)
{
	struct mls_blob blob = { 0 };
	struct mlsched_error err;

	outline->arena = mls_lower_arena(format, 0);
	if (mls_file_slurp_path(path, MAX_FILE, MLS_UNFOLD, &outline->arena, &err, &blob) == 0)
		tell(&blob, outline);
}
