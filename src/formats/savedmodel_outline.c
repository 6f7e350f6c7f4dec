// SPDX-License-Identifier: GPL-2.0
/*
 * What a SavedModel's graph tells that is no model of ours: the nodes that lead to the outputs
 * of its signature, of the main graph and of each function that is called, once however often.
 */
#include <stdio.h>
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/outline.h"
#include "src/formats/savedmodel.h"

/* Names that are looked up, by what a look-up may cost; a graph of thousands of nodes needs less. */
#define MAX_WORK UINT64_C(30000000)

/* The nodes of the main graph or of a function, and which of them lead to its outputs. */
struct body {
	const Mls__Function *function;
	struct mls_body *body;
	bool *reached; /* [body->n_nodes] */
	struct body *next; /* to be looked at */
};

struct telling {
	struct mls_outline *outline;
	const Mls__MetaGraph *meta;
	bool *called; /* [functions] */
	struct body *first, *last;
	uint64_t work;
};

static const Mls__Library *library_of(const struct telling *t)
{
	return t->meta->graph->library;
}

static struct body *add_body(struct telling *t, const Mls__Function *function,
			     Mls__Node *const *nodes, size_t n)
{
	struct mls_arena *arena = &t->outline->arena;
	struct body *b = mls_arena_alloc(arena, sizeof(*b));
	const char *duplicate;

	if (!b)
		return NULL;
	b->function = function;
	b->body = mls_body_make(arena, function ? function->signature->name : NULL, function, nodes,
				n, &duplicate);
	b->reached = b->body ? mls_arena_array(arena, n, sizeof(*b->reached)) : NULL;
	if (!b->reached)
		return NULL;
	if (t->last)
		t->last->next = b;
	else
		t->first = b;
	t->last = b;
	return b;
}

static const char *called_name(const Mls__Node *node)
{
	const Mls__AttrValue *f = mls_node_attr(node, "f", MLS__ATTR_VALUE__VALUE_FUNC);

	return f && f->func ? f->func->name : node->op;
}

/* The function that a node calls; NULL when it calls none. */
static const Mls__Function *find_function(struct telling *t, const Mls__Node *node, size_t *index)
{
	const Mls__Library *library = library_of(t);
	const char *name = called_name(node);

	for (*index = 0; library && *index < library->n_function; ++*index) {
		const Mls__Function *f = library->function[*index];

		if (++t->work > MAX_WORK)
			return NULL;
		if (f->signature && strcmp(f->signature->name, name) == 0)
			return f;
	}
	return NULL;
}

static void reach_call(struct telling *t, const Mls__Node *node)
{
	const Mls__Function *function;
	size_t index;

	function = find_function(t, node, &index);
	if (!function || t->called[index])
		return;
	t->called[index] = true;
	add_body(t, function, function->node, function->n_node);
}

/* From one tensor back, through all that leads to it. */
static void reach(struct telling *t, struct body *b, uint32_t *stack, const char *text)
{
	uint64_t cost = b->function ? b->function->signature->n_input_arg + 20 : 20;
	struct mls_ref ref;
	uint32_t n = 0;

	t->work += cost;
	if (t->work > MAX_WORK || !mls_ref_parse(b->body, text, &ref) || !ref.node ||
	    b->reached[ref.node_index])
		return;
	b->reached[ref.node_index] = true;
	stack[n++] = ref.node_index;
	while (n > 0) {
		const Mls__Node *node = b->body->nodes[stack[--n]];

		reach_call(t, node);
		for (size_t i = 0; i < node->n_input; i++) {
			t->work += cost * (1 + strlen(node->input[i]) / 64);
			/* What begins with a ^ only says when. */
			if (t->work > MAX_WORK || node->input[i][0] == '^' ||
			    !mls_ref_parse(b->body, node->input[i], &ref) || !ref.node ||
			    b->reached[ref.node_index])
				continue;
			b->reached[ref.node_index] = true;
			stack[n++] = ref.node_index;
		}
	}
}

/* That which the reader would take, or might: of several it takes none. */
static const Mls__Signature *find_signature(const Mls__MetaGraph *meta)
{
	static const char *const names[] = { "serving_default", "serve", NULL };

	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < meta->n_signature; i++) {
			const Mls__SignatureEntry *entry = meta->signature[i];

			if (!entry->value || !entry->value->n_outputs)
				continue;
			if (names[k] ? strcmp(entry->key, names[k]) == 0 :
				       entry->value->n_inputs &&
					       strcmp(entry->key, "__saved_model_init_op") != 0)
				return entry->value;
		}
	}
	return NULL;
}

static void append_shape(struct mls_outline_line *line, const Mls__Shape *shape)
{
	int64_t dims[MLS_MAX_RANK];
	size_t n = shape->n_dim < MLS_MAX_RANK ? shape->n_dim : MLS_MAX_RANK;

	for (size_t i = 0; i < n; i++)
		dims[i] = shape->dim[i]->size;
	if (shape->unknown_rank)
		mls_outline_append(line, "[any shape]");
	else
		mls_outline_dims(line, dims, n);
}

/* What the node says itself: of stored numbers, of variables, of inputs. */
static void describe(const Mls__Node *node, struct mls_outline_line *line)
{
	const Mls__AttrValue *value = mls_node_attr(node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	const Mls__AttrValue *shape = mls_node_attr(node, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	const Mls__AttrValue *type = mls_node_attr(node, "dtype", MLS__ATTR_VALUE__VALUE_TYPE);

	if (value && value->tensor && value->tensor->shape) {
		mls_outline_append(line, "%s ", mls_dtype_name(value->tensor->dtype));
		append_shape(line, value->tensor->shape);
	} else if (shape && shape->shape) {
		mls_outline_append(line, "%s ", type ? mls_dtype_name(type->type) : "");
		append_shape(line, shape->shape);
	} else {
		for (size_t i = 0; i < node->n_input && i < 4; i++)
			mls_outline_append(line, "%s%.60s", i ? ", " : "", node->input[i]);
	}
}

/* Hands on what it gets: nothing that anybody would look for. */
static bool passes(const Mls__Node *node)
{
	return strcmp(node->op, "Identity") == 0 || strcmp(node->op, "ReadVariableOp") == 0;
}

static void show_node(struct telling *t, const struct body *b, const Mls__Node *node)
{
	struct mls_outline_part *part =
		mls_outline_node(t->outline, &mls_tensorflow, node->name, node->op);
	struct mls_outline_line line = { 0 };
	size_t index;

	if (!part)
		return;
	describe(node, &line);
	part->detail = mls_outline_text(t->outline, "%s", line.text);
	if (part->objection[0] && find_function(t, node, &index))
		part->objection = "";
	if (b->body->name)
		part->within = mls_outline_text(t->outline, "function %.100s", b->body->name);
}

static void show_body(struct telling *t, struct body *b, const Mls__Signature *signature)
{
	uint32_t *stack = mls_arena_array(&t->outline->arena, b->body->n_nodes, sizeof(*stack));

	if (!stack)
		return;
	for (size_t i = 0; b->function && i < b->function->n_ret; i++)
		reach(t, b, stack, b->function->ret[i]->value);
	for (size_t i = 0; !b->function && signature && i < signature->n_outputs; i++) {
		if (signature->outputs[i]->value)
			reach(t, b, stack, signature->outputs[i]->value->name);
	}
	for (uint32_t i = 0; i < b->body->n_nodes; i++) {
		/* Without a signature nobody knows what leads where. */
		if ((b->reached[i] || (!b->function && !signature)) && !passes(b->body->nodes[i]))
			show_node(t, b, b->body->nodes[i]);
	}
}

static void show_input(const Mls__Signature *signature, struct mls_outline *outline)
{
	const Mls__TensorInfo *input = signature->n_inputs ? signature->inputs[0]->value : NULL;
	struct mls_outline_line line = { 0 };

	if (!input || !input->shape)
		return;
	append_shape(&line, input->shape);
	snprintf(outline->input, sizeof(outline->input), "%.63s", line.text);
}

void mls_savedmodel_outline_graph(const Mls__MetaGraph *meta, struct mls_outline *outline)
{
	struct telling t = { .outline = outline, .meta = meta };
	const Mls__Signature *signature = find_signature(meta);

	if (signature)
		show_input(signature, outline);
	if (!meta->graph)
		return;
	t.called = mls_arena_array(&outline->arena, library_of(&t) ? library_of(&t)->n_function : 0,
				   sizeof(*t.called));
	if (!t.called || !add_body(&t, NULL, meta->graph->node, meta->graph->n_node))
		return;
	for (struct body *b = t.first; b; b = b->next)
		show_body(&t, b, signature);
}
