/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading and checking a model, and quantising it or opening an engine of user
 * space on it, while something else must go on: in a thread of its own, which the
 * daemon's sandbox holds like the rest of it.
 */
#ifndef MLS_HOST_PREPARE_H
#define MLS_HOST_PREPARE_H

#include <stdbool.h>

#include <mlsched/model.h>
#include <mlsched/quantize.h>

#include "src/host/engine.h"
#include "src/host/topology.h"
#include "src/host/tuning.h"

struct mls_h5_starter;

/**
 * struct mls_prepare_options - what is wanted
 * @path:      the model; only what messages call it where it is @sent
 * @sent:      descriptor of the model's file (sent.h), closed by mls_prepare_start() or
 *             by what that has begun, or -1: it is read from @path
 * @starter:   starts processes of libhdf5 (src/formats/hdf5_starter.h), or NULL; copied
 * @threshold: instead of the model's own; 0: the model's own
 * @topology:  says which values the inputs can take; copied
 * @engine:    name of one of user space, or NULL: the kernel's
 * @library:   for it, as mls_engine_open() takes it
 *
 * @engine and @library must live as long as the program: a cancelled thread still
 * uses them.
 */
struct mls_prepare_options {
	const char *path;
	int sent;
	const struct mls_h5_starter *starter;
	double threshold;
	const struct mls_topology *topology;
	const char *engine;
	const char *library;
};

/**
 * struct mls_prepared - a model in the form in which it is asked
 * @checksum: of the integers; of the float32 model where there are none
 * @source:   of the float32 model
 * @tuning:   that it was trained for
 * @report:   how well the integers stand for it
 * @slot:     a struct qnet_slot of MLS_SCX_SLOT_WIDTH, or NULL
 * @engine:   with a model of its own that mls_requests_fit() is content with, or
 *            NULL
 */
struct mls_prepared {
	uint32_t checksum;
	uint32_t source;
	struct mls_tuning tuning;
	struct mlsched_quantize_report report;
	void *slot;
	struct mls_engine *engine;
};

struct mls_prepare;

/** mls_prepare_start() - begin; 0, or why no thread could be started */
int mls_prepare_start(const struct mls_prepare_options *options, struct mlsched_error *err,
		      struct mls_prepare **prepare);

/** mls_prepare_fd() - readable when there is something for mls_prepare_end() to take */
int mls_prepare_fd(const struct mls_prepare *prepare);

/**
 * mls_prepare_end() - take the result and free @prepare
 * @prepared: its slot is to be freed, its engine to be closed
 *
 * Does not block.
 * Return: 0; -EINPROGRESS: it is not there yet, and @prepare goes on; what loading or
 * mlsched_quantize() or mls_qnet_pack() or mls_engine_open() or mls_requests_fit() says.
 */
int mls_prepare_end(struct mls_prepare *prepare, struct mls_prepared *prepared,
		    struct mlsched_error *err);

/** mls_prepare_cancel() - its result is not wanted any more; does not block; NULL is allowed */
void mls_prepare_cancel(struct mls_prepare *prepare);

/** mls_model_is_mig15() - of which of the two schemas a model is that mlsched_model_fits_scheduler() */
bool mls_model_is_mig15(const struct mlsched_model *model);

/** mls_model_with_threshold() - the same network with another threshold; replaces *@model */
int mls_model_with_threshold(struct mlsched_model **model, double threshold,
			     struct mlsched_error *err);

#endif /* MLS_HOST_PREPARE_H */
