// SPDX-License-Identifier: GPL-2.0
/*
 * From a variable of the graph to its numbers in the checkpoint.
 *
 * Two parts of the file say which key belongs to which variable: the restore
 * operation of the saver, and the object graph.  Both are read where they
 * exist, and when they lead to different numbers the file is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "src/formats/graph_eval.h"
#include "src/util/error.h"

#define MAX_HOPS 64

static bool is_op(const Mls__Node *node, const char *op)
{
	return strcmp(node->op, op) == 0;
}

/* Follows a tensor through identities and arguments to the node that makes it. */
static const Mls__Node *trace(struct mls_walk *w, struct mls_scope **scope, const char *text,
			      struct mls_ref *ref)
{
	for (int hop = 0; hop < MAX_HOPS && text; hop++) {
		const struct mls_body *body = (*scope)->body;

		if (!mls_walk_charge(w,
				     body->function ? body->function->signature->n_input_arg : 1) ||
		    !mls_ref_parse(body, text, ref))
			return NULL;
		/* Its inputs and attributes are gone through, here or by the caller. */
		if (ref->node && !mls_walk_charge(w, ref->node->n_input + ref->node->n_attr))
			return NULL;
		if (!ref->node) {
			if (!mls_walk_charge(w, (*scope)->call->n_input))
				return NULL;
			text = mls_node_input((*scope)->call, ref->index);
			*scope = (*scope)->caller;
		} else if (is_op(ref->node, "Identity") || is_op(ref->node, "Cast")) {
			text = mls_node_input(ref->node, 0);
		} else {
			return ref->node;
		}
	}
	return NULL;
}

/* The i-th string of a Const node; NULL when it is none. */
static const ProtobufCBinaryData *string_at(const Mls__Node *node, size_t i)
{
	const Mls__AttrValue *attr =
		node && is_op(node, "Const") ?
			mls_node_attr(node, "value", MLS__ATTR_VALUE__VALUE_TENSOR) :
			NULL;
	const Mls__Tensor *t = attr ? attr->tensor : NULL;

	if (!t || t->dtype != MLS_DT_STRING || !t->n_string_val)
		return NULL;
	return &t->string_val[i < t->n_string_val ? i : t->n_string_val - 1];
}

/* Key and slice that output @index of a RestoreV2 reads. */
static int restored_names(struct mls_walk *w, struct mls_scope *scope, const Mls__Node *restore,
			  uint32_t index, const char **key, const char **slice)
{
	const ProtobufCBinaryData *names[2];
	struct mls_ref ref;

	for (uint32_t i = 0; i < 2; i++) {
		struct mls_scope *at = scope;

		names[i] = string_at(trace(w, &at, mls_node_input(restore, 1 + i), &ref), index);
		if (!names[i])
			return mls_walk_refuse(w, scope, restore, -ENOTSUP,
					       "expected constant tensor names and slices, found "
					       "none");
	}
	*key = mls_arena_string(w->arena, names[0]->data, names[0]->len);
	*slice = mls_arena_string(w->arena, names[1]->data, names[1]->len);
	return *key && *slice ? 0 : mls_walk_memory(w);
}

static int map_assign(struct mls_walk *w, struct mls_scope *scope, const Mls__Node *node)
{
	const Mls__Node *target, *restore;
	struct mls_variable *variable;
	struct mls_scope *at = scope;
	struct mls_ref ref, source;
	const char *key = NULL, *slice = NULL;
	int ret;

	if (!mls_walk_charge(w, node->n_input))
		return 0;
	target = trace(w, &at, mls_node_input(node, 0), &ref);
	if (!target || at != w->main)
		return 0;
	variable = &w->variables[ref.node_index];
	at = scope;
	restore = trace(w, &at, mls_node_input(node, 1), &source);
	if (!restore || !is_op(restore, "RestoreV2"))
		return 0;
	ret = restored_names(w, at, restore, source.index, &key, &slice);
	if (ret)
		return ret;
	if (variable->restored_from && strcmp(variable->restored_from, key) != 0)
		return mls_walk_refuse(w, scope, node, -EINVAL,
				       "expected one key for variable %s, found \"%s\" and \"%s\"",
				       target->name, variable->restored_from, key);
	variable->restored_from = key;
	variable->slice = slice;
	return 0;
}

/* All assignments that the restore operation leads to. */
static int map_restore(struct mls_walk *w, struct mls_scope *scope, const Mls__Node *node,
		       uint32_t node_index, int depth)
{
	struct mls_seen *seen = &scope->seen[node_index];
	struct mls_here here = { scope, node, NULL };
	struct mls_scope *inside;
	int ret = 0;

	if (seen->busy || depth > 32 || !mls_walk_charge(w, 1 + node->n_input))
		return 0;
	if (is_op(node, "AssignVariableOp") || is_op(node, "Assign"))
		return map_assign(w, scope, node);
	if (mls_walk_is_call(w, node)) {
		ret = mls_walk_enter(w, &here, &inside);
		if (!ret && !mls_walk_charge(w, inside->body->n_nodes))
			return 0;
		for (uint32_t i = 0; !ret && i < inside->body->n_nodes; i++) {
			if (is_op(inside->body->nodes[i], "AssignVariableOp"))
				ret = map_assign(w, inside, inside->body->nodes[i]);
		}
		return ret;
	}
	seen->busy = true;
	for (size_t i = 0; !ret && i < node->n_input; i++) {
		const char *name = node->input[i];
		const Mls__Node *next;
		uint32_t index;

		next = name[0] == '^' ?
			       mls_body_find(scope->body, name + 1, strlen(name + 1), &index) :
			       NULL;
		if (next)
			ret = map_restore(w, scope, next, index, depth + 1);
	}
	seen->busy = false;
	return ret;
}

static int map_saver(struct mls_walk *w)
{
	const Mls__Saver *saver = w->meta->saver;
	const Mls__Node *node;
	uint32_t index;

	if (!saver || !saver->restore_op_name[0])
		return 0;
	node = mls_body_find(w->main->body, saver->restore_op_name,
			     strcspn(saver->restore_op_name, ":"), &index);
	if (!node)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: saver: expected a node \"%.100s\" "
				 "that restores, found none",
				 w->path, saver->restore_op_name);
	return map_restore(w, w->main, node, index, 0);
}

static const char *attribute_key(const Mls__TrackableObjectGraph *objects, int64_t id)
{
	const Mls__TrackableObject *object;

	if (id < 0 || (uint64_t)id >= objects->n_nodes)
		return NULL;
	object = objects->nodes[id];
	for (size_t i = 0; i < object->n_attributes; i++) {
		if (strcmp(object->attributes[i]->name, "VARIABLE_VALUE") == 0)
			return object->attributes[i]->checkpoint_key;
	}
	return NULL;
}

/* The captures of one concrete function are the last inputs of the node that calls it. */
static int map_captures(struct mls_walk *w, const Mls__Node *call,
			const Mls__ConcreteFunction *function,
			const Mls__TrackableObjectGraph *objects)
{
	const Mls__SavedObjectGraph *saved = w->meta->object_graph;
	uint32_t n_inputs = mls_node_inputs(call);
	size_t n = function->n_bound_inputs;

	if (n > n_inputs)
		return mls_walk_refuse(w, w->main, call, -EINVAL,
				       "expected %zu captured inputs as in the object graph, "
				       "found %u inputs",
				       n, n_inputs);
	for (size_t i = 0; i < n; i++) {
		const char *input = mls_node_input(call, (uint32_t)(n_inputs - n + i));
		int32_t id = function->bound_inputs[i];
		struct mls_variable *variable;
		struct mls_ref ref;
		const char *key;

		if (!mls_walk_charge(w, call->n_input) ||
		    !mls_ref_parse(w->main->body, input, &ref) || !is_op(ref.node, "VarHandleOp"))
			continue;
		if (id < 0 || (size_t)id >= saved->n_nodes)
			return mls_walk_refuse(w, w->main, call, -EINVAL,
					       "expected an object below %zu for input \"%.100s\", "
					       "found %d",
					       saved->n_nodes, input, id);
		variable = &w->variables[ref.node_index];
		if (variable->object >= 0 && variable->object != id)
			return mls_walk_refuse(w, w->main, call, -EINVAL,
					       "expected one object for variable \"%.100s\", found "
					       "%" PRId64 " and %d",
					       input, variable->object, id);
		variable->object = id;
		/* What is beyond the work that we do is refused in map_all(). */
		if ((size_t)id >= objects->n_nodes ||
		    !mls_walk_charge(w, objects->nodes[id]->n_attributes))
			continue;
		key = attribute_key(objects, id);
		if (key)
			variable->object_key = key;
	}
	return 0;
}

static const Mls__ConcreteFunction *find_concrete(const Mls__SavedObjectGraph *graph,
						  const char *name)
{
	for (size_t i = 0; i < graph->n_concrete_functions; i++) {
		if (strcmp(graph->concrete_functions[i]->key, name) == 0)
			return graph->concrete_functions[i]->value;
	}
	return NULL;
}

static int map_objects(struct mls_walk *w)
{
	static const char key[] = "_CHECKPOINTABLE_OBJECT_GRAPH";
	const Mls__SavedObjectGraph *saved = w->meta->object_graph;
	struct mls_stored *stored = mls_checkpoint_find(&w->checkpoint, key);
	Mls__TrackableObjectGraph *objects;
	struct mls_blob bytes;
	int ret;

	if (!saved || !stored)
		return 0;
	ret = mls_checkpoint_string(&w->checkpoint, stored, w->err, &bytes);
	if (ret)
		return ret;
	objects = mls_pb_unpack(&mls__trackable_object_graph__descriptor, w->arena, bytes.data,
				bytes.size);
	if (!objects && mls_arena_exhausted(w->arena))
		return mls_walk_memory(w);
	if (!objects)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: tensor %s: expected an object "
				 "graph, found %zu bytes that are none",
				 bytes.path, key, bytes.size);
	for (uint32_t i = 0; !ret && i < w->main->body->n_nodes; i++) {
		const Mls__Node *node = w->main->body->nodes[i];
		const Mls__AttrValue *f = mls_node_attr(node, "f", MLS__ATTR_VALUE__VALUE_FUNC);
		const Mls__ConcreteFunction *function = NULL;

		if (f && f->func && mls_walk_charge(w, saved->n_concrete_functions))
			function = find_concrete(saved, f->func->name);
		if (function)
			ret = map_captures(w, node, function, objects);
	}
	return ret;
}

/* Opens the checkpoint and finds out every key: once, when the first variable is read. */
static int map_all(struct mls_walk *w)
{
	uint32_t n = w->main->body->n_nodes;
	int ret;

	w->variables = mls_arena_array(w->arena, n, sizeof(*w->variables));
	if (!w->variables)
		return mls_walk_memory(w);
	for (uint32_t i = 0; i < n; i++)
		w->variables[i].object = -1;
	ret = mls_checkpoint_open(&w->checkpoint, w->files, w->arena, w->err);
	if (!ret)
		ret = map_saver(w);
	if (!ret)
		ret = map_objects(w);
	/* Where the work ran out the search stopped: half of a mapping is none. */
	if (!ret && !mls_walk_charge(w, 0))
		return mls_error(w->err, -ENOTSUP,
				 "Invalid SavedModel format: %s: expected a small network, found "
				 "too much to search for its variables",
				 w->path);
	return ret;
}

/* Type and shape that the graph says must be those that are stored. */
static int check_declared(struct mls_walk *w, const Mls__Node *handle, const struct mls_stored *t)
{
	const Mls__AttrValue *dtype = mls_node_attr(handle, "dtype", MLS__ATTR_VALUE__VALUE_TYPE);
	const Mls__AttrValue *shape = mls_node_attr(handle, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	int64_t dims[MLS_MAX_RANK];
	char expected[128], found[128];
	bool same;

	if (dtype && dtype->type != t->dtype)
		return mls_walk_refuse(w, w->main, handle, -EINVAL,
				       "expected %s as in the graph, found %s in the checkpoint "
				       "(tensor %s)",
				       mls_dtype_name(dtype->type), mls_dtype_name(t->dtype),
				       t->key);
	if (!shape || !shape->shape || shape->shape->unknown_rank)
		return 0;
	same = shape->shape->n_dim == (size_t)t->rank;
	for (size_t i = 0; i < shape->shape->n_dim && i < MLS_MAX_RANK; i++) {
		dims[i] = shape->shape->dim[i]->size;
		same = same && (dims[i] == t->dims[i] || dims[i] < 0);
	}
	if (same)
		return 0;
	if (shape->shape->n_dim > MLS_MAX_RANK)
		return mls_walk_refuse(w, w->main, handle, -ENOTSUP,
				       "expected at most %d dimensions, found %zu", MLS_MAX_RANK,
				       shape->shape->n_dim);
	return mls_walk_refuse(
		w, w->main, handle, -EINVAL,
		"expected shape %s as in the graph, found %s in the checkpoint (tensor %s)",
		mls_shape_text(dims, (int)shape->shape->n_dim, expected, sizeof(expected)),
		mls_shape_text(t->dims, t->rank, found, sizeof(found)), t->key);
}

static int read_key(struct mls_walk *w, const Mls__Node *handle, const char *key,
		    struct mls_value **value)
{
	struct mls_stored *t = mls_checkpoint_find(&w->checkpoint, key);
	struct mls_here here = { w->main, handle, NULL };
	const char *what;
	struct mls_value *v;
	float *numbers;
	int ret;

	if (!t)
		return mls_error(w->err, -EINVAL,
				 "Invalid SavedModel format: %s: expected tensor \"%.150s\" of "
				 "variable %.100s, found no such key",
				 w->checkpoint.path, key, handle->name);
	ret = check_declared(w, handle, t);
	if (!ret)
		ret = mls_checkpoint_floats(&w->checkpoint, t, w->err, &numbers);
	if (ret)
		return ret;
	v = mls_walk_value(w, MLS_VALUE_TENSOR, t->dtype);
	what = mls_arena_printf(w->arena, "tensor %.150s: ", key);
	if (!v || !what)
		return mls_walk_memory(w);
	v->rank = t->rank;
	memcpy(v->dims, t->dims, sizeof(v->dims));
	v->n = (size_t)t->elements;
	v->numbers = numbers;
	*value = v;
	return mls_check_finite(w, &here, what, v);
}

int mls_read_variable(struct mls_walk *w, const struct mls_here *here, uint32_t handle,
		      struct mls_value **value)
{
	const Mls__Node *node = w->main->body->nodes[handle];
	struct mls_value *other = NULL;
	struct mls_variable *variable;
	int ret;

	if (!w->variables) {
		ret = map_all(w);
		if (ret)
			return ret;
	}
	variable = &w->variables[handle];
	*value = variable->value;
	if (variable->value)
		return 0;
	if (!variable->restored_from && !variable->object_key)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected the checkpoint to restore variable %s, found "
				       "neither a restore operation nor an object for it",
				       node->name);
	if (variable->restored_from && variable->slice[0])
		return mls_walk_refuse(w, w->main, node, -ENOTSUP,
				       "expected a whole variable, found slice \"%s\" of %s",
				       variable->slice, variable->restored_from);
	ret = read_key(w, node,
		       variable->restored_from ? variable->restored_from : variable->object_key,
		       value);
	if (ret)
		return ret;
	if (variable->restored_from && variable->object_key &&
	    strcmp(variable->restored_from, variable->object_key) != 0) {
		ret = read_key(w, node, variable->object_key, &other);
		if (ret)
			return ret;
		if (other->n != (*value)->n ||
		    memcmp(other->numbers, (*value)->numbers, other->n * sizeof(float)) != 0)
			return mls_walk_refuse(w, w->main, node, -EINVAL,
					       "expected one value, found that the restore "
					       "operation's tensor %.100s and the object graph's "
					       "%.100s differ",
					       variable->restored_from, variable->object_key);
	}
	variable->value = *value;
	return 0;
}
