// SPDX-License-Identifier: GPL-2.0
/*
 * Walking a graph backwards from its output; of a TensorFlow graph, from that
 * of its serving signature.
 *
 * A tensor is one of three things: numbers that the file holds (constants,
 * weights, and what is computed from them alone), a variable that nobody has
 * read yet, or a row computed from the input.  Every operation says what its
 * output is, given its inputs (graph_ops.c, onnx_ops.c,
 * tflite_ops.c); one that is not known there is refused by name.  Nothing depends on how nodes are called or in which order they
 * stand, because that changes with every version of every tool.
 *
 * Folding the steps into dense layers is network.c's work.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/graph_eval.h"
#include "src/util/error.h"

/* Far above what a network of 8 layers needs; a graph beyond it is hostile or not ours. */
#define MAX_DEPTH       400 /* tensors that wait for an input */
#define MAX_CALL_DEPTH  32
#define MAX_SCOPES      1000
#define MAX_WORK        UINT64_C(30000000)
#define MAX_GRAPH_NODES (1 << 20)

int mls_walk_refuse(struct mls_walk *w, const struct mls_scope *scope, const Mls__Node *node,
		    int code, const char *format, ...)
{
	const char *function = scope && scope->body->name ? scope->body->name : NULL;
	char detail[MLSCHED_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return mls_error(w->err, code, "Invalid %s format: %s: %s%.100s%snode %.120s (%.60s): %s",
			 w->arena->format, w->path, function ? "function " : "",
			 function ? function : "", function ? ": " : "", node->name, node->op,
			 detail);
}

int mls_walk_memory(struct mls_walk *w)
{
	return mls_no_memory(w->arena, w->path, w->err);
}

bool mls_walk_charge(struct mls_walk *w, uint64_t cost)
{
	w->work += cost;
	return w->work <= MAX_WORK;
}

struct mls_value *mls_walk_value(struct mls_walk *w, enum mls_value_kind kind, int32_t dtype)
{
	struct mls_value *v = mls_arena_alloc(w->arena, sizeof(*v));

	if (v) {
		v->kind = kind;
		v->dtype = dtype;
	}
	return v;
}

/* ---- walking ------------------------------------------------------------------------ */

static int eval_call(struct mls_walk *w, const struct mls_here *here, struct mls_value **value)
{
	const Mls__Function *function;
	const char *output = NULL;
	struct mls_scope *inside;
	int ret = mls_walk_enter(w, here, &inside);

	if (ret)
		return ret;
	function = inside->body->function;
	if (!mls_walk_charge(w, function->signature->n_output_arg + function->n_ret))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a small network, found too many calls");
	if (here->ref->index < function->signature->n_output_arg)
		output = function->signature->output_arg[here->ref->index]->name;
	for (size_t i = 0; output && i < function->n_ret; i++) {
		if (strcmp(function->ret[i]->key, output) == 0)
			return mls_walk_eval(w, inside, function->ret[i]->value, value);
	}
	return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
			       "expected output %u of function %.100s, found none",
			       here->ref->index, inside->body->name);
}

static const struct mls_operation *find_operation(const struct mls_walk *w, const char *op)
{
	for (size_t i = 0; i < w->dialect->n_operations; i++) {
		if (strcmp(w->dialect->operations[i].op, op) == 0)
			return &w->dialect->operations[i];
	}
	return NULL;
}

static int eval_node(struct mls_walk *w, struct mls_scope *scope, const struct mls_ref *ref,
		     struct mls_value **value)
{
	struct mls_here here = { scope, ref->node, ref };
	struct mls_seen *seen = &scope->seen[ref->node_index];
	const struct mls_operation *operation;
	bool many;
	int ret;

	if (mls_walk_is_call(w, ref->node))
		return eval_call(w, &here, value);
	operation = find_operation(w, ref->node->op);
	if (!operation)
		return mls_walk_refuse(w, scope, ref->node, -ENOTSUP,
				       "expected an operation of dense layers, found %.60s",
				       ref->node->op);
	many = strcmp(ref->node->op, "IdentityN") == 0;
	if (ref->index && !many)
		return mls_walk_refuse(w, scope, ref->node, -EINVAL,
				       "expected one output, found a use of output %u", ref->index);
	if (seen->value && !many) {
		*value = seen->value;
		return 0;
	}
	if (seen->busy)
		return mls_walk_refuse(w, scope, ref->node, -EINVAL,
				       "expected no cycle, found that it depends on itself");
	seen->busy = true;
	ret = operation->eval(w, &here, operation->argument, value);
	seen->busy = false;
	if (!ret)
		seen->value = *value;
	return ret;
}

int mls_walk_eval(struct mls_walk *w, struct mls_scope *scope, const char *text,
		  struct mls_value **value)
{
	const struct mls_body *body = scope->body;
	struct mls_ref ref;
	int ret;

	if (!mls_walk_charge(w, body->function ? body->function->signature->n_input_arg : 1) ||
	    w->depth >= MAX_DEPTH)
		return mls_error(w->err, -ENOTSUP,
				 "Invalid %s format: %s: %s%.100s: expected a small network, found "
				 "more than %d nested operations at %.100s",
				 w->arena->format, w->path, body->name ? "function " : "main graph",
				 body->name ? body->name : "", MAX_DEPTH, text);
	if (!mls_ref_parse(body, text, &ref))
		return mls_error(w->err, -EINVAL,
				 "Invalid %s format: %s: %s%.100s: expected a node for \"%.100s\", "
				 "found none",
				 w->arena->format, w->path, body->name ? "function " : "main graph",
				 body->name ? body->name : "", text);
	w->depth++;
	if (ref.node) {
		mls_walk_charge(w, ref.node->n_input + ref.node->n_attr);
		ret = eval_node(w, scope, &ref, value);
	} else {
		struct mls_ref none = { .node = scope->call };
		struct mls_here here = { scope->caller, scope->call, &none };

		mls_walk_charge(w, scope->call->n_input);
		ret = mls_walk_input(w, &here, ref.index, value);
	}
	w->depth--;
	return ret;
}

int mls_walk_input(struct mls_walk *w, const struct mls_here *here, uint32_t n,
		   struct mls_value **value)
{
	const char *text = mls_node_input(here->node, n);

	if (!text)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected input %u, found %u inputs", n,
				       mls_node_inputs(here->node));
	return mls_walk_eval(w, here->scope, text, value);
}

static int compare_functions(const void *a, const void *b)
{
	const struct mls_named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct mls_named *find_function(const struct mls_walk *w, const char *name)
{
	struct mls_named wanted = { .name = name };

	return w->n_functions ? bsearch(&wanted, w->functions, w->n_functions, sizeof(wanted),
					compare_functions) :
				NULL;
}

static bool is_partitioned_call(const Mls__Node *node)
{
	return strcmp(node->op, "StatefulPartitionedCall") == 0 ||
	       strcmp(node->op, "PartitionedCall") == 0;
}

bool mls_walk_is_call(const struct mls_walk *w, const Mls__Node *node)
{
	return is_partitioned_call(node) ||
	       (!find_operation(w, node->op) && find_function(w, node->op));
}

static int new_scope(struct mls_walk *w, const struct mls_body *body, struct mls_scope *caller,
		     const Mls__Node *call, struct mls_scope **scope)
{
	struct mls_scope *s = mls_arena_alloc(w->arena, sizeof(*s));

	if (!s)
		return mls_walk_memory(w);
	s->body = body;
	s->caller = caller;
	s->call = call;
	s->depth = caller ? caller->depth + 1 : 0;
	s->seen = mls_arena_array(w->arena, body->n_nodes, sizeof(*s->seen));
	if (!s->seen)
		return mls_walk_memory(w);
	*scope = s;
	return 0;
}

int mls_walk_begin(struct mls_walk *w, const struct mls_body *body)
{
	return new_scope(w, body, NULL, NULL, &w->main);
}

static int make_body(struct mls_walk *w, const char *name, const Mls__Function *function,
		     Mls__Node *const *nodes, size_t n_nodes, struct mls_body **body)
{
	const char *duplicate;

	*body = mls_body_make(w->arena, name, function, nodes, n_nodes, &duplicate);
	if (!*body && duplicate)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: %s%.100s: expected nodes with "
				 "different names, found two named \"%.150s\"",
				 w->path, name ? "function " : "main graph", name ? name : "",
				 duplicate);
	return *body ? 0 : mls_walk_memory(w);
}

int mls_walk_enter(struct mls_walk *w, const struct mls_here *here, struct mls_scope **inside)
{
	const Mls__AttrValue *f = mls_node_attr(here->node, "f", MLS__ATTR_VALUE__VALUE_FUNC);
	const char *name = here->node->op;
	const struct mls_named *named;
	struct mls_seen *seen;
	uint32_t index;
	int ret = 0;

	if (is_partitioned_call(here->node))
		name = f && f->func ? f->func->name : "";
	named = find_function(w, name);
	if (!named)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected function \"%.100s\" in the library, found none",
				       name);
	if (!mls_body_find(here->scope->body, here->node->name, strlen(here->node->name), &index))
		return -EINVAL;
	seen = &here->scope->seen[index];
	*inside = seen->inside;
	if (*inside)
		return 0;
	if (++w->n_scopes > MAX_SCOPES)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected at most %d calls, found more", MAX_SCOPES);
	if (here->scope->depth >= MAX_CALL_DEPTH)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected at most %d nested calls, found more: does "
				       "function %.100s call itself?",
				       MAX_CALL_DEPTH, name);
	if (!w->bodies[named->index]) {
		const Mls__Function *function = w->meta->graph->library->function[named->index];

		ret = make_body(w, function->signature->name, function, function->node,
				function->n_node, &w->bodies[named->index]);
	}
	if (!ret)
		ret = new_scope(w, w->bodies[named->index], here->scope, here->node, &seen->inside);
	*inside = seen->inside;
	return ret;
}

static int index_functions(struct mls_walk *w)
{
	const Mls__Library *library = w->meta->graph->library;
	size_t n = library ? library->n_function : 0;
	struct mls_named *functions = mls_arena_array(w->arena, n, sizeof(*functions));

	w->bodies = mls_arena_array(w->arena, n, sizeof(*w->bodies));
	if (!functions || !w->bodies)
		return mls_walk_memory(w);
	for (size_t i = 0; i < n; i++) {
		if (!library->function[i]->signature)
			return mls_error(w->err, -EINVAL,
					 "Invalid SavedModel format: %s: library: expected a "
					 "signature of function %zu, found none",
					 w->path, i);
		functions[i].name = library->function[i]->signature->name;
		functions[i].index = (uint32_t)i;
	}
	qsort(functions, n, sizeof(*functions), compare_functions);
	for (size_t i = 1; i < n; i++) {
		if (compare_functions(&functions[i - 1], &functions[i]) == 0)
			return mls_error(w->err, -EINVAL,
					 "Invalid SavedModel format: %s: library: expected "
					 "functions with different names, found two named "
					 "\"%.150s\"",
					 w->path, functions[i].name);
	}
	w->functions = functions;
	w->n_functions = (uint32_t)n;
	return 0;
}

/* ---- the signature ---------------------------------------------------------------- */

static const Mls__SignatureEntry *find_signature(const Mls__MetaGraph *meta, const char *name)
{
	for (size_t i = 0; i < meta->n_signature; i++) {
		if (meta->signature[i]->value && strcmp(meta->signature[i]->key, name) == 0)
			return meta->signature[i];
	}
	return NULL;
}

static int choose_signature(struct mls_walk *w, const Mls__SignatureEntry **chosen)
{
	const Mls__MetaGraph *meta = w->meta;
	const Mls__SignatureEntry *only = NULL;
	size_t n = 0;

	*chosen = find_signature(meta, "serving_default");
	if (!*chosen)
		*chosen = find_signature(meta, "serve");
	if (*chosen)
		return 0;
	for (size_t i = 0; i < meta->n_signature; i++) {
		const Mls__SignatureEntry *entry = meta->signature[i];

		if (!entry->value || entry->value->n_inputs == 0 ||
		    strcmp(entry->key, "__saved_model_init_op") == 0)
			continue;
		only = entry;
		n++;
	}
	if (n == 0)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: signatures: expected "
				 "\"serving_default\" or \"serve\", found none",
				 w->path);
	if (n > 1)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: signatures: expected "
				 "\"serving_default\" or \"serve\", found %zu others",
				 w->path, n);
	*chosen = only;
	return 0;
}

static const char *entry_name(const Mls__TensorInfoEntry *entry)
{
	return entry->value ? entry->value->name : "";
}

static int check_signature(struct mls_walk *w, const Mls__SignatureEntry *entry)
{
	const Mls__Signature *s = entry->value;
	const char *what = s->n_inputs == 1 ? "output" : "input";
	size_t n = s->n_inputs == 1 ? s->n_outputs : s->n_inputs;

	if (n != 1)
		return mls_error(w->err, -ENOTSUP,
				 "Invalid SavedModel format: %s: signature %.60s: expected one "
				 "%s, found %zu",
				 w->path, entry->key, what, n);
	if (!entry_name(s->inputs[0])[0] || !entry_name(s->outputs[0])[0])
		return mls_error(w->err, -ENOTSUP,
				 "Invalid SavedModel format: %s: signature %.60s: expected dense "
				 "tensors as input and output, found another kind",
				 w->path, entry->key);
	return 0;
}

int mls_graph_signature(const Mls__MetaGraph *meta, const char *path, struct mlsched_error *err,
			const Mls__Signature **chosen)
{
	struct mls_walk w = { .meta = meta, .path = path, .err = err };
	const Mls__SignatureEntry *entry;
	int ret = choose_signature(&w, &entry);

	if (!ret)
		ret = check_signature(&w, entry);
	if (!ret)
		*chosen = entry->value;
	return ret;
}

static int start(struct mls_walk *w)
{
	const Mls__Graph *graph = w->meta->graph;
	struct mls_body *body;
	int ret;

	if (!graph)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: expected a graph, found none",
				 w->path);
	if (graph->n_node > MAX_GRAPH_NODES)
		return mls_error(w->err, -ENOTSUP,
				 "Invalid SavedModel format: %s: expected at most %d nodes, "
				 "found %zu",
				 w->path, MAX_GRAPH_NODES, graph->n_node);
	ret = index_functions(w);
	if (!ret)
		ret = make_body(w, NULL, NULL, graph->node, graph->n_node, &body);
	return ret ? ret : mls_walk_begin(w, body);
}

static int walk(struct mls_walk *w, const struct mls_step **last)
{
	const Mls__SignatureEntry *signature;
	struct mls_value *output;
	const char *input;
	int ret;

	ret = start(w);
	if (!ret)
		ret = choose_signature(w, &signature);
	if (!ret)
		ret = check_signature(w, signature);
	if (ret)
		return ret;
	input = entry_name(signature->value->inputs[0]);
	w->input_name = mls_arena_string(w->arena, input, strcspn(input, ":"));
	if (!w->input_name)
		return mls_walk_memory(w);
	ret = mls_walk_eval(w, w->main, entry_name(signature->value->outputs[0]), &output);
	if (ret)
		return ret;
	if (output->kind != MLS_VALUE_ROW)
		return mls_error(w->err, -ENOTSUP,
				 "Invalid SavedModel format: %s: signature %.60s: expected an "
				 "output computed from the input, found one that is not",
				 w->path, signature->key);
	*last = output->step;
	/* The rest of the checkpoint: a damaged file is not to be trusted in part. */
	return w->variables ? mls_checkpoint_verify(&w->checkpoint, w->err) : 0;
}

int mls_graph_walk(const Mls__MetaGraph *meta, const char *path, const struct mls_files *files,
		   struct mls_arena *arena, struct mlsched_error *err, const struct mls_step **last)
{
	struct mls_walk w = {
		.dialect = &mls_tensorflow,
		.rows = -1,
		.meta = meta,
		.path = path,
		.files = files,
		.arena = arena,
		.err = err,
	};
	int ret = walk(&w, last);

	mls_checkpoint_close(&w.checkpoint);
	return ret;
}
