// SPDX-License-Identifier: GPL-2.0
/*
 * Names in a graph and in the functions that it calls.
 *
 * In the main graph a tensor is "node" or "node:1"; inside a function it is
 * "node:output:1", and a bare name is an argument of the function.  In ONNX
 * each tensor has a name of its own, with or without colons.
 */
#include <stdlib.h>
#include <string.h>

#include "src/formats/graph_scope.h"

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_named(const void *a, const void *b)
{
	const struct mls_named *x = a, *y = b;

	return compare_names(x->name, x->size, y->name, y->size);
}

static struct mls_body *make_body(struct mls_arena *arena, Mls__Node *const *nodes, size_t n_nodes,
				  struct mls_named *names, size_t n_names, const char **duplicate)
{
	struct mls_body *body = mls_arena_alloc(arena, sizeof(*body));

	*duplicate = NULL;
	if (!body || n_nodes > UINT32_MAX || n_names > UINT32_MAX)
		return NULL;
	qsort(names, n_names, sizeof(*names), compare_named);
	for (size_t i = 1; i < n_names; i++) {
		if (compare_named(&names[i - 1], &names[i]) == 0) {
			*duplicate = names[i].name;
			return NULL;
		}
	}
	body->nodes = nodes;
	body->n_nodes = (uint32_t)n_nodes;
	body->sorted = names;
	body->n_sorted = (uint32_t)n_names;
	return body;
}

struct mls_body *mls_body_make(struct mls_arena *arena, const char *name,
			       const Mls__Function *function, Mls__Node *const *nodes,
			       size_t n_nodes, const char **duplicate)
{
	struct mls_named *sorted = mls_arena_array(arena, n_nodes, sizeof(*sorted));
	struct mls_body *body;

	*duplicate = NULL;
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < n_nodes; i++) {
		sorted[i].name = nodes[i]->name;
		sorted[i].size = strlen(nodes[i]->name);
		sorted[i].index = (uint32_t)i;
	}
	body = make_body(arena, nodes, n_nodes, sorted, n_nodes, duplicate);
	if (body) {
		body->name = name;
		body->function = function;
	}
	return body;
}

struct mls_body *mls_body_of_tensors(struct mls_arena *arena, Mls__Node *const *nodes,
				     size_t n_nodes, struct mls_named *names, size_t n_names,
				     const char **duplicate)
{
	struct mls_body *body = make_body(arena, nodes, n_nodes, names, n_names, duplicate);

	if (body)
		body->tensors = true;
	return body;
}

static const struct mls_named *find_named(const struct mls_body *body, const char *name,
					  size_t size)
{
	uint32_t low = 0, high = body->n_sorted;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct mls_named *named = &body->sorted[middle];
		int order = compare_names(name, size, named->name, named->size);

		if (order == 0)
			return named;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const Mls__Node *mls_body_find(const struct mls_body *body, const char *name, size_t size,
			       uint32_t *index)
{
	const struct mls_named *named = find_named(body, name, size);

	if (!named)
		return NULL;
	*index = named->index;
	return body->nodes[named->index];
}

static bool parse_index(const char *text, uint32_t *index)
{
	uint32_t value = 0;

	if (!*text || strlen(text) > 6)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	*index = value;
	return true;
}

static bool find_argument(const struct mls_body *body, const char *text, uint32_t *index)
{
	const Mls__OpDef *signature = body->function->signature;

	for (size_t i = 0; i < signature->n_input_arg; i++) {
		if (strcmp(signature->input_arg[i]->name, text) == 0) {
			*index = (uint32_t)i;
			return true;
		}
	}
	return false;
}

static bool find_tensor(const struct mls_body *body, const char *text, struct mls_ref *ref)
{
	const struct mls_named *named = find_named(body, text, strlen(text));

	if (!named)
		return false;
	ref->node = body->nodes[named->index];
	ref->node_index = named->index;
	ref->index = named->output;
	return true;
}

bool mls_ref_parse(const struct mls_body *body, const char *text, struct mls_ref *ref)
{
	const char *colon = strchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : strlen(text);

	*ref = (struct mls_ref){ .output = "" };
	if (body->tensors)
		return find_tensor(body, text, ref);
	if (body->function && !colon && find_argument(body, text, &ref->index))
		return true;
	ref->node = mls_body_find(body, text, size, &ref->node_index);
	if (!ref->node)
		return false;
	if (!colon)
		return true;
	if (body->function) {
		const char *name = colon + 1;

		colon = strchr(name, ':');
		if (!colon)
			return false;
		ref->output = name;
		ref->output_size = (size_t)(colon - name);
	}
	return parse_index(colon + 1, &ref->index);
}

const char *mls_node_input(const Mls__Node *node, uint32_t n)
{
	for (size_t i = 0; i < node->n_input; i++) {
		if (node->input[i][0] == '^')
			continue;
		if (n == 0)
			return node->input[i];
		n--;
	}
	return NULL;
}

uint32_t mls_node_inputs(const Mls__Node *node)
{
	uint32_t n = 0;

	for (size_t i = 0; i < node->n_input; i++)
		n += node->input[i][0] != '^';
	return n;
}

const Mls__AttrValue *mls_node_attr(const Mls__Node *node, const char *key,
				    Mls__AttrValue__ValueCase kind)
{
	for (size_t i = 0; i < node->n_attr; i++) {
		const Mls__Attr *attr = node->attr[i];

		if (attr->value && attr->value->value_case == kind && strcmp(attr->key, key) == 0)
			return attr->value;
	}
	return NULL;
}

int64_t mls_node_int(const Mls__Node *node, const char *key, int64_t otherwise)
{
	const Mls__AttrValue *value = mls_node_attr(node, key, MLS__ATTR_VALUE__VALUE_I);

	return value ? value->i : otherwise;
}

float mls_node_float(const Mls__Node *node, const char *key, float otherwise)
{
	const Mls__AttrValue *value = mls_node_attr(node, key, MLS__ATTR_VALUE__VALUE_F);

	return value ? value->f : otherwise;
}

bool mls_node_flag(const Mls__Node *node, const char *key)
{
	const Mls__AttrValue *value = mls_node_attr(node, key, MLS__ATTR_VALUE__VALUE_B);

	return value && value->b;
}
