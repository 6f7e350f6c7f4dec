/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of the graph walk: values, variables, constants. */
#ifndef MLS_FORMATS_GRAPH_EVAL_H
#define MLS_FORMATS_GRAPH_EVAL_H

#include "src/formats/graph.h"
#include "src/formats/graph_scope.h"

enum mls_value_kind {
	MLS_VALUE_TENSOR, /* numbers that the file holds */
	MLS_VALUE_HANDLE, /* a variable, not yet read */
	MLS_VALUE_ROW, /* computed from the input */
};

/**
 * struct mls_value - what a tensor of the graph is
 * @dtype:   of the tensor
 * @rank, @dims, @n, @numbers: of MLS_VALUE_TENSOR; integers too are held as float
 * @handle:  of MLS_VALUE_HANDLE: index of the VarHandleOp in the main graph
 * @step:    of MLS_VALUE_ROW: the last step that made it
 * @flat:    of MLS_VALUE_ROW: shape [?] instead of [?, 1]
 * @symbolic: of MLS_VALUE_TENSOR: a shape in which -1 is the number of rows
 */
struct mls_value {
	enum mls_value_kind kind;
	int32_t dtype;
	int rank;
	int64_t dims[MLS_MAX_RANK];
	size_t n;
	const float *numbers;
	uint32_t handle;
	const struct mls_step *step;
	bool flat;
	bool symbolic;
};

/* Where in the checkpoint a variable of the main graph is. */
struct mls_variable {
	const char *restored_from; /* key by the restore operation */
	const char *slice; /* "" or the piece that the restore operation asks for */
	const char *object_key; /* key by the object graph */
	int64_t object; /* node of the object graph, or -1 */
	struct mls_value *value;
};

/**
 * struct mls_walk - one walk through one graph
 * @dialect: what its operations are called
 * @opset:   version of the operators, where the dialect has such
 * @rows:    how many rows the input has by its shape; -1 when that is left open
 */
struct mls_walk {
	const struct mls_dialect *dialect;
	int64_t opset;
	int64_t rows;
	const Mls__MetaGraph *meta;
	const char *path;
	const struct mls_files *files;
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mls_scope *main;
	const struct mls_named *functions; /* [n_functions] by name */
	struct mls_body **bodies; /* [n_functions] */
	uint32_t n_functions;
	struct mls_variable *variables; /* [main nodes]; NULL until the first is read */
	struct mls_checkpoint checkpoint;
	const char *input_name; /* of the Placeholder */
	uint32_t n_scopes, depth;
	uint64_t work;
};

/* The node that is being looked at and which of its outputs is wanted. */
struct mls_here {
	struct mls_scope *scope;
	const Mls__Node *node;
	const struct mls_ref *ref;
};

/** mls_walk_refuse() - an error that names function, node and operation */
int mls_walk_refuse(struct mls_walk *w, const struct mls_scope *scope, const Mls__Node *node,
		    int code, const char *format, ...) __attribute__((format(printf, 5, 6)));

/** mls_walk_begin() - make the scope of the main graph */
int mls_walk_begin(struct mls_walk *w, const struct mls_body *body);

/** mls_walk_memory() - the error when the arena is exhausted */
int mls_walk_memory(struct mls_walk *w);

/** mls_walk_charge() - account for work; false when a hostile file asks for too much */
bool mls_walk_charge(struct mls_walk *w, uint64_t cost);

/** mls_walk_eval() - what is the tensor named @text in @scope? */
int mls_walk_eval(struct mls_walk *w, struct mls_scope *scope, const char *text,
		  struct mls_value **value);

/** mls_walk_input() - what is the n-th input of this node? */
int mls_walk_input(struct mls_walk *w, const struct mls_here *here, uint32_t n,
		   struct mls_value **value);

/** mls_walk_enter() - the scope inside a call, made when it is needed first */
int mls_walk_enter(struct mls_walk *w, const struct mls_here *here, struct mls_scope **inside);

/** mls_walk_is_call() - does this node call a function of the library? */
bool mls_walk_is_call(const struct mls_walk *w, const Mls__Node *node);

/** mls_walk_value() - a new value; NULL without memory */
struct mls_value *mls_walk_value(struct mls_walk *w, enum mls_value_kind kind, int32_t dtype);

/** mls_read_variable() - the numbers of the variable behind a VarHandleOp or VariableV2 */
int mls_read_variable(struct mls_walk *w, const struct mls_here *here, uint32_t handle,
		      struct mls_value **value);

/** mls_const_value() - the numbers of a Const node */
int mls_const_value(struct mls_walk *w, const struct mls_here *here, struct mls_value **value);

/** mls_check_finite() - refuse NaN and infinity, naming the first index */
int mls_check_finite(struct mls_walk *w, const struct mls_here *here, const char *what,
		     const struct mls_value *tensor);

/**
 * struct mls_operation - one kind of node
 * @op:       its name
 * @eval:     what its output is, by mls_walk_input() of its inputs
 * @argument: for functions that serve several operations
 */
struct mls_operation {
	const char *op;
	int (*eval)(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value);
	int argument;
};

/* The operations of one kind of graph that can be part of dense layers. */
struct mls_dialect {
	const struct mls_operation *operations;
	size_t n_operations;
	bool whole_lists; /* a tensor lists all its numbers; else the last of them stands for the rest */
};

extern const struct mls_dialect mls_tensorflow;

enum mls_binary { MLS_ADD, MLS_SUB, MLS_MUL, MLS_DIV, MLS_MAX, MLS_MIN };
enum mls_unary { MLS_SQRT, MLS_RSQRT, MLS_SQUARE, MLS_NEG, MLS_RECIPROCAL };

/* Computing with what the file holds; errors name the node. */
int mls_fold_binary(struct mls_walk *w, const struct mls_here *here, enum mls_binary op,
		    const struct mls_value *a, const struct mls_value *b, struct mls_value **value);
int mls_fold_unary(struct mls_walk *w, const struct mls_here *here, enum mls_unary op,
		   const struct mls_value *a, struct mls_value **value);
int mls_fold_transpose(struct mls_walk *w, const struct mls_here *here, const struct mls_value *a,
		       struct mls_value **value);
int mls_fold_reshape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *a,
		     const int64_t *dims, int rank, struct mls_value **value);

#endif /* MLS_FORMATS_GRAPH_EVAL_H */
