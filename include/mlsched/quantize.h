/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixed point: a model as integers, for the kernel and for whoever wants its
 * very bits in user space.
 *
 * Features come in as signed 32-bit Q16.16 numbers (value * 65536), the logit
 * goes out as a 64-bit integer, and the verdict is logit > threshold: the same
 * integers in BPF, in the simulator and here, whatever the processor.  The
 * format is described in core/qnet.h of the source.
 */
#ifndef MLSCHED_QUANTIZE_H
#define MLSCHED_QUANTIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>
#include <mlsched/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What mlsched_quantize() demands when its options do not say. */
#define MLSCHED_MIN_AGREEMENT 0.995

struct mlsched_qmodel;

/**
 * struct mlsched_quantize_opts - what mlsched_quantize() is asked for
 * @size:          sizeof(struct mlsched_quantize_opts), for later growth
 * @min_agreement: share of verdicts that must be those of float32, 0 to 1
 */
struct mlsched_quantize_opts {
	size_t size;
	double min_agreement;
};

/* Where the range of each input came from. */
enum mlsched_range_source {
	MLSCHED_RANGE_ROWS, /* the calibration rows, and the model's own if it has one */
	MLSCHED_RANGE_META, /* input_min and input_max of the model */
	MLSCHED_RANGE_SCHEMA, /* the feature schema that the model names */
};

/**
 * struct mlsched_quantize_report - how well the integers stand for the floats
 * @range:         where the inputs' ranges came from; outside of them an
 *                 input is clamped
 * @rows_made:     true when there were no calibration rows: what follows was
 *                 then measured on rows drawn evenly from the ranges
 * @n_rows:        rows that it was measured on
 * @disagreements: rows whose verdict differs from that of float32
 * @agreement:     share of rows whose verdict does not
 * @logit_std:     standard deviation of float32's logit over the rows
 * @median_error:  of |logit - float32's logit|, in @logit_std
 * @max_error:     the same, largest
 * @worst_margin:  largest |float32's logit - threshold| among the
 *                 disagreements, in @logit_std; 0 when there are none
 * @n_inputs:      features
 * @n_live_inputs: features whose range is more than one value
 * @n_hidden:      hidden layers, after linear ones were folded into the next
 * @units:         width of each hidden layer; a leaky ReLU or ReLU6 counts
 *                 as two units
 * @active:        share of each hidden layer's units that are above zero,
 *                 over the rows: what the kernel side must multiply
 * @weight_bits:   bits of the largest weight of each layer, sign included;
 *                 the output's stand behind those of the hidden layers
 * @bytes:         size of the integer model
 *
 * Filled in also when mlsched_quantize() fails with -ERANGE.
 */
struct mlsched_quantize_report {
	enum mlsched_range_source range;
	bool rows_made;
	size_t n_rows;
	size_t disagreements;
	double agreement;
	double logit_std;
	double median_error;
	double max_error;
	double worst_margin;
	uint32_t n_inputs;
	uint32_t n_live_inputs;
	uint32_t n_hidden;
	uint32_t units[MLSCHED_MAX_LAYERS];
	double active[MLSCHED_MAX_LAYERS];
	uint32_t weight_bits[MLSCHED_MAX_LAYERS];
	size_t bytes;
};

/**
 * mlsched_quantize() - make the fixed-point form of a model
 * @model:  hidden layers of ReLU, leaky ReLU, ReLU6 or linear units; an output
 *          of one linear or sigmoid unit, or of two with softmax
 * @rows:   [n_rows][inputs] calibration rows, or NULL: then the ranges are the
 *          model's input_min and input_max or, without these, its schema's
 * @n_rows: 0 without @rows
 * @opts:   or NULL for min_agreement MLSCHED_MIN_AGREEMENT
 * @report: filled in, or NULL
 * @err:    message on failure, or NULL
 * @q:      receives the new object, to be freed with mlsched_qmodel_free()
 *
 * Nothing of @model is kept.  Allocates.  Thread safe.
 * Return: 0; -ENOTSUP when a layer has no form in integers (the message names
 * it; the native engine computes such a model); -EINVAL when no range is known
 * or a row is not finite; -ERANGE when the verdicts agree with float32's less
 * often than asked for; -ENOMEM.
 */
int mlsched_quantize(const struct mlsched_model *model, const float *rows, size_t n_rows,
		     const struct mlsched_quantize_opts *opts,
		     struct mlsched_quantize_report *report, struct mlsched_error *err,
		     struct mlsched_qmodel **q);

/** mlsched_qmodel_free() - free it; NULL is allowed */
void mlsched_qmodel_free(struct mlsched_qmodel *q);

/** mlsched_qmodel_inputs() - features in one row */
uint32_t mlsched_qmodel_inputs(const struct mlsched_qmodel *q);

/**
 * mlsched_feature_to_q16() - a number as a feature
 *
 * Rounds to the nearest (ties to even); what is outside of 32 bits becomes the
 * nearest limit, NaN becomes 0.
 */
int32_t mlsched_feature_to_q16(float value);

/**
 * mlsched_qmodel_logit() - forward pass for a batch of rows
 * @q:        the network
 * @features: [n_rows][inputs], Q16.16
 * @n_rows:   0 or more
 * @logits:   [n_rows], in units of 1 / mlsched_qmodel_scale()
 *
 * Neither allocates nor locks; uses at most 8 KiB of stack.  Thread safe.
 */
void mlsched_qmodel_logit(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
			  int64_t *logits);

/**
 * mlsched_qmodel_logit_float() - the same for rows of numbers
 *
 * As mlsched_qmodel_logit() of each number's mlsched_feature_to_q16().
 */
void mlsched_qmodel_logit_float(const struct mlsched_qmodel *q, const float *rows, size_t n_rows,
				int64_t *logits);

/** mlsched_qmodel_threshold() - the verdict is "migrate" when the logit is above it */
int64_t mlsched_qmodel_threshold(const struct mlsched_qmodel *q);

/**
 * mlsched_qmodel_scale() - integer units in one unit of float32's logit
 *
 * (double)logit / scale approximates mlsched_model_logit().
 */
double mlsched_qmodel_scale(const struct mlsched_qmodel *q);

/** mlsched_qmodel_schema() - name of the feature schema, "" if the model named none */
const char *mlsched_qmodel_schema(const struct mlsched_qmodel *q);

/** mlsched_qmodel_checksum() - CRC-32C of the integers */
uint32_t mlsched_qmodel_checksum(const struct mlsched_qmodel *q);

/**
 * mlsched_qmodel_fits_kernel() - can the engine inside the kernel take it?
 * @q:   the network
 * @err: message that says what does not fit, or NULL
 *
 * By its shape alone; which schemas a scheduler asks is the scheduler's.
 * Allocates.  Thread safe.
 * Return: 0; -ENOTSUP when it does not fit; -ENOMEM.
 */
int mlsched_qmodel_fits_kernel(const struct mlsched_qmodel *q, struct mlsched_error *err);

/**
 * mlsched_qmodel_isa() - the code that computes its forward pass
 *
 * MLSCHED_ISA_AVX512 here means AVX-512 with VNNI.
 */
enum mlsched_isa mlsched_qmodel_isa(const struct mlsched_qmodel *q);

/**
 * mlsched_qmodel_clone_for_isa() - the same integers computed by other code
 *
 * For tests and benchmarks.
 * Return: 0; -ENOTSUP when this processor or this build lacks @isa; -ENOMEM.
 */
int mlsched_qmodel_clone_for_isa(const struct mlsched_qmodel *q, enum mlsched_isa isa,
				 struct mlsched_error *err, struct mlsched_qmodel **clone);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_QUANTIZE_H */
