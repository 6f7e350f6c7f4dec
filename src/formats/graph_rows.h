/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows that are computed from the input, and what may be done to them in every
 * kind of graph.  All functions return 0 or what mls_walk_refuse() returned.
 */
#ifndef MLS_FORMATS_GRAPH_ROWS_H
#define MLS_FORMATS_GRAPH_ROWS_H

#include "src/formats/graph_eval.h"

bool mls_is_row(const struct mls_value *v);
bool mls_is_tensor(const struct mls_value *v);

/** mls_row_step() - a new step behind @from, placed at the node; NULL without memory */
struct mls_step *mls_row_step(struct mls_walk *w, const struct mls_here *here,
			      enum mls_step_kind kind, const struct mls_step *from);

/** mls_row_of() - what @step makes of @from; @step may be NULL, which is want of memory */
int mls_row_of(struct mls_walk *w, const struct mls_value *from, struct mls_step *step,
	       struct mls_value **value);

/** mls_row_binary() - one number for all columns, or one for each */
int mls_row_binary(struct mls_walk *w, const struct mls_here *here, enum mls_step_kind kind,
		   const struct mls_value *row, const struct mls_value *tensor,
		   struct mls_value **value);

/** mls_row_activate() - @alpha_name: the attribute that has its alpha, or NULL for none */
int mls_row_activate(struct mls_walk *w, const struct mls_here *here,
		     enum mlsched_activation activation, const char *alpha_name,
		     float alpha_default, const struct mls_value *row, struct mls_value **value);

/* Which factor of a product is to be transposed first. */
struct mls_transposed {
	bool row, weights;
};

/** mls_row_matmul() - x W; anything else is refused */
int mls_row_matmul(struct mls_walk *w, const struct mls_here *here, struct mls_value *row,
		   struct mls_value *weights, struct mls_transposed transposed,
		   struct mls_value **value);

/** mls_row_shape() - the same row as [?] (@flat) or [?, n] */
int mls_row_shape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *row,
		  bool flat, struct mls_value **value);

/** mls_op_reshape() - a row, or weights, to @dims, -1 for a dimension that follows from the others */
int mls_op_reshape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *from,
		   const int64_t *dims, int rank, struct mls_value **value);

/** mls_op_add_bias() - to the row *@value; anything but a constant is refused */
int mls_op_add_bias(struct mls_walk *w, const struct mls_here *here, const struct mls_value *bias,
		    struct mls_value **value);

/** mls_row_cast() - the first input as numbers of type @to */
int mls_row_cast(struct mls_walk *w, const struct mls_here *here, int32_t to,
		 struct mls_value **value);

/** mls_make_integers() - a small list; -1 is the number of rows, which nobody knows yet */
int mls_make_integers(struct mls_walk *w, const int64_t *from, int n, int rank,
		      struct mls_value **value);

/** mls_op_transpose() - @from must be a matrix of weights, and the @n dimensions change places */
int mls_op_transpose(struct mls_walk *w, const struct mls_here *here, const struct mls_value *from,
		     const int64_t *order, size_t n, struct mls_value **value);

/** mls_op_integers() - shapes and axes; at most MLS_MAX_RANK of them */
int mls_op_integers(struct mls_walk *w, const struct mls_here *here, uint32_t input, int64_t *to,
		    int *n);

/** mls_op_two_inputs() - of which one at most is a row */
int mls_op_two_inputs(struct mls_walk *w, const struct mls_here *here, struct mls_value **a,
		      struct mls_value **b);

/** mls_op_optional_input() - one that may be left out; then *value is NULL */
int mls_op_optional_input(struct mls_walk *w, const struct mls_here *here, uint32_t n,
			  struct mls_value **value);

/* For tables of operations. */
int mls_op_placeholder(struct mls_walk *w, const struct mls_here *here, int argument,
		       struct mls_value **value);
int mls_op_pass(struct mls_walk *w, const struct mls_here *here, int argument,
		struct mls_value **value);
int mls_op_binary(struct mls_walk *w, const struct mls_here *here, int argument,
		  struct mls_value **value); /* enum mls_binary */
int mls_op_unary(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value); /* enum mls_unary */
int mls_op_greater(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value);
int mls_op_prelu(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value);
int mls_op_variadic(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value); /* enum mls_binary */
int mls_op_select(struct mls_walk *w, const struct mls_here *here, int argument,
		  struct mls_value **value);
int mls_op_shape(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value);

#endif /* MLS_FORMATS_GRAPH_ROWS_H */
