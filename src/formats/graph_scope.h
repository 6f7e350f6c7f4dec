/* SPDX-License-Identifier: GPL-2.0 */
/* Names in a graph and in the functions that it calls: which node is "a/b:product:0"? */
#ifndef MLS_FORMATS_GRAPH_SCOPE_H
#define MLS_FORMATS_GRAPH_SCOPE_H

#include "src/formats/pb.h"

struct mls_value;

/* The nodes of the main graph or of one function, found by name. */
struct mls_body {
	const char *name; /* NULL for the main graph */
	const Mls__Function *function; /* NULL for the main graph */
	Mls__Node *const *nodes;
	uint32_t n_nodes;
	const struct mls_named *sorted; /* [n_sorted] by name */
	uint32_t n_sorted;
	bool tensors; /* the names are those of tensors, not of nodes: all before and behind a colon */
};

struct mls_named {
	const char *name;
	size_t size;
	uint32_t index;
	uint32_t output; /* of the node, where tensors have names of their own */
};

/* One activation of a body: the same function called twice has two. */
struct mls_scope {
	const struct mls_body *body;
	struct mls_scope *caller;
	const Mls__Node *call; /* of the caller */
	struct mls_seen *seen; /* [body->n_nodes] */
	uint32_t depth;
};

/* What is known about a node in a scope. */
struct mls_seen {
	bool busy; /* being looked at: to meet it again is a cycle */
	struct mls_value *value; /* of its only output */
	struct mls_scope *inside; /* of a call */
};

/* A reference to a tensor, taken apart; or to an argument of the function. */
struct mls_ref {
	const Mls__Node *node; /* NULL: @index is that of an argument */
	uint32_t node_index;
	const char *output; /* name of the output inside a function, else "" */
	size_t output_size;
	uint32_t index;
};

/** mls_body_make() - sort the names; NULL with *duplicate set when a name comes twice */
struct mls_body *mls_body_make(struct mls_arena *arena, const char *name,
			       const Mls__Function *function, Mls__Node *const *nodes,
			       size_t n_nodes, const char **duplicate);

/**
 * mls_body_of_tensors() - the same for a graph whose tensors have names of their own
 * @names: [n_names], will be sorted; which output of which of @nodes each of them is
 */
struct mls_body *mls_body_of_tensors(struct mls_arena *arena, Mls__Node *const *nodes,
				     size_t n_nodes, struct mls_named *names, size_t n_names,
				     const char **duplicate);

/** mls_body_find() - a node by name; NULL if there is none */
const Mls__Node *mls_body_find(const struct mls_body *body, const char *name, size_t size,
			       uint32_t *index);

/** mls_ref_parse() - take "node:output:index" apart; false when nothing has this name */
bool mls_ref_parse(const struct mls_body *body, const char *text, struct mls_ref *ref);

/** mls_node_input() - the n-th data input; NULL when there are fewer */
const char *mls_node_input(const Mls__Node *node, uint32_t n);

/** mls_node_inputs() - how many data inputs (not control) it has */
uint32_t mls_node_inputs(const Mls__Node *node);

/** mls_node_attr() - an attribute of one kind; NULL when it is missing or of another kind */
const Mls__AttrValue *mls_node_attr(const Mls__Node *node, const char *key,
				    Mls__AttrValue__ValueCase kind);

/** mls_node_int() - an attribute that is an integer, @otherwise when it is missing */
int64_t mls_node_int(const Mls__Node *node, const char *key, int64_t otherwise);

/** mls_node_float() - the same of a float number */
float mls_node_float(const Mls__Node *node, const char *key, float otherwise);

/** mls_node_flag() - a boolean attribute, false when it is missing */
bool mls_node_flag(const Mls__Node *node, const char *key);

#endif /* MLS_FORMATS_GRAPH_SCOPE_H */
