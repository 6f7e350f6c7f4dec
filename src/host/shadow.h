/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shadow backend: the kernel's own scheduler goes on deciding; each
 * migration that it makes is put to the model, and the verdict compared with
 * what came of it.  Nothing about the running system changes.
 */
#ifndef MLS_HOST_SHADOW_H
#define MLS_HOST_SHADOW_H

#include <mlsched/decide.h>
#include <mlsched/model.h>
#include <mlsched/quantize.h>

#include "src/host/account.h"
#include "src/host/engine.h"
#include "src/host/recorder.h"

/**
 * struct mls_shadow_options - zero means the default
 * @recorder: what is watched
 * @model:    of schema seed10; stays the caller's and must outlive the shadow
 * @fixed:    its fixed-point form, to be computed in the kernel at the moment of
 *            each migration, or NULL: then @model is computed here, later;
 *            stays the caller's, too
 * @engine:   of @model, whose verdicts count without @fixed; NULL: the library's;
 *            stays the caller's, too
 */
struct mls_shadow_options {
	struct mls_recorder_options recorder;
	const struct mlsched_model *model;
	const struct mlsched_qmodel *fixed;
	struct mls_engine *engine;
};

/**
 * struct mls_decision - a migration and what the model said
 * @move:         what the kernel did, and the outcome
 * @features:     what the model saw
 * @verdict:      what it said: in the kernel if there was a fixed-point form, else
 *                what the engine said
 * @native:       what float32 says
 * @same_integers: the kernel's logit is the one that the library computes
 * @inference_ns: what @verdict took, without reading the clock
 */
struct mls_decision {
	const struct mls_move *move;
	float features[MLS_SEED10_WIDTH];
	struct mlsched_verdict verdict;
	struct mlsched_verdict native;
	bool same_integers;
	uint64_t inference_ns;
};

struct mls_shadow;

/**
 * mls_shadow_quantize() - the fixed-point form of a model for this machine
 * @model:    that mlsched_model_fits_scheduler() is content with
 * @topology: says which values the inputs of seed10 can take; of mig15 the model says it
 * @report:   filled in
 * @fixed:    receives it, to be freed with mlsched_qmodel_free()
 *
 * Return: as mlsched_quantize().
 */
int mls_shadow_quantize(const struct mlsched_model *model, const struct mls_topology *topology,
			struct mlsched_quantize_report *report, struct mlsched_error *err,
			struct mlsched_qmodel **fixed);

/**
 * mls_shadow_open() - check the model, load the recorder, begin
 *
 * Return: 0; -EINVAL when the model does not fit ("Expected shape [?, 10],
 * got [?, 5]"); what mls_recorder_open() returns.
 */
int mls_shadow_open(const struct mls_shadow_options *options, struct mlsched_error *err,
		    struct mls_shadow **shadow);

typedef void mls_decision_fn(void *context, const struct mls_decision *decision);

/** mls_shadow_poll() - as mls_recorder_poll(), with verdicts */
uint64_t mls_shadow_poll(struct mls_shadow *shadow, bool flush, mls_decision_fn *fn, void *context);

/**
 * mls_shadow_warm_inference() - what one float32 verdict takes when it is repeated
 *
 * On the inputs of the last decision, everything in the caches: the other end
 * of what @inference_ns says, which is measured as it happens.
 * Return: ns, or 0 when there was no decision.
 */
double mls_shadow_warm_inference(const struct mls_shadow *shadow);

/** mls_shadow_failed() - decisions that the engine had no answer to: float32's was taken */
uint64_t mls_shadow_failed(const struct mls_shadow *shadow);

/** mls_shadow_recorder() - for counts, cost, topology, stopping; owned by @shadow */
struct mls_recorder *mls_shadow_recorder(struct mls_shadow *shadow);

/** mls_shadow_close() - NULL is allowed */
void mls_shadow_close(struct mls_shadow *shadow);

#endif /* MLS_HOST_SHADOW_H */
