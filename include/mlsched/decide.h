/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decision itself, for programs: may this task move from its CPU to a CPU
 * of another domain?
 */
#ifndef MLSCHED_DECIDE_H
#define MLSCHED_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>
#include <mlsched/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct mlsched_request - what is known at the moment of a decision
 * @size:         sizeof(struct mlsched_request), so that it can grow
 * @cpu:          number of the CPU that the task would leave, from 0
 * @cpu_idle:     how many CPUs of the machine have nothing to run
 * @cpu_not_idle: how many CPUs of the machine run a task
 * @src_dom_load: busy share of the CPUs of the domain that the task would
 *                leave, 0 to 1, averaged over the last tens of milliseconds
 * @dst_dom_load: the same of the domain that it would go to
 *
 * These are the inputs of schema seed10 (core/features.def); a domain is the
 * CPUs that share a last-level cache.
 */
struct mlsched_request {
	size_t size;
	uint32_t cpu;
	uint32_t cpu_idle;
	uint32_t cpu_not_idle;
	float src_dom_load;
	float dst_dom_load;
};

/**
 * struct mlsched_verdict - the answer
 * @migrate:     true: migrate, false: keep; @logit is above the threshold that
 *               mlsched_model_threshold() gives
 * @logit:       as of mlsched_model_logit()
 * @probability: 1 / (1 + exp(-@logit))
 */
struct mlsched_verdict {
	bool migrate;
	float logit;
	float probability;
};

/**
 * mlsched_model_fits_scheduler() - does `mlsched run` take it?
 * @model: the network
 * @err:   message that says why not and what to do, or NULL
 *
 * A scheduler asks models of schema mig15, and of seed10; one that names no schema is
 * told by its width of ten.  Whether the kernel computes it is another question:
 * mlsched_qmodel_fits_kernel().  Neither allocates nor locks.
 * Return: 0; -EINVAL for another schema or width, or without a single logit.
 */
int mlsched_model_fits_scheduler(const struct mlsched_model *model, struct mlsched_error *err);

/**
 * mlsched_decide() - one decision or a batch of them
 * @model:    a network of schema seed10
 * @requests: [n]; each of the size that the first one says
 * @n:        0 or more
 * @verdicts: [n], filled in
 * @err:      message on failure, or NULL
 *
 * Neither allocates nor locks; thread safe.  A verdict does not depend on the
 * requests beside it.
 * Return: 0; -EINVAL when the model is not of schema seed10 ("Expected shape
 * [?, 10], got [?, N]"), has no single logit, or @size is too small; -E2BIG
 * when a request from a newer header says something that this library does
 * not know.
 */
int mlsched_decide(const struct mlsched_model *model, const struct mlsched_request *requests,
		   size_t n, struct mlsched_verdict *verdicts, struct mlsched_error *err);

/**
 * mlsched_decide_features() - the same from rows of inputs, for any schema
 * @model:    any network with a single logit
 * @rows:     [n][width], row-major, in the order of the model's schema
 * @n:        0 or more
 * @width:    numbers in a row
 * @verdicts: [n], filled in
 * @err:      message on failure, or NULL
 *
 * Neither allocates nor locks; thread safe.
 * Return: 0; -EINVAL when @width is not the model's ("Expected shape [?, 10],
 * got [?, 5]") or the model has no single logit.
 */
int mlsched_decide_features(const struct mlsched_model *model, const float *rows, size_t n,
			    uint32_t width, struct mlsched_verdict *verdicts,
			    struct mlsched_error *err);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_DECIDE_H */
