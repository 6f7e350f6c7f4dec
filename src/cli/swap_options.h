/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The limits that a new model must keep to, as options of `run` and of
 * `model swap` and as members of a request between them: one table.
 */
#ifndef MLS_CLI_SWAP_OPTIONS_H
#define MLS_CLI_SWAP_OPTIONS_H

#include <argp.h>

#include <jansson.h>

#include <mlsched/error.h>

#include "src/host/swap.h"

/**
 * struct swap_options - the limits, and which of them were given
 * @limits: preset by the caller to MLS_SWAP_LIMITS
 * @given:  a bit for each line of the table
 */
struct swap_options {
	struct mls_swap_limits limits;
	unsigned int given;
};

/* A child parser; its input is a struct swap_options. */
extern const struct argp swap_options_argp;

/** swap_options_json() - those that were given */
json_t *swap_options_json(const struct swap_options *options);

/** swap_options_read() - into @limits what @object names; 0, or -EINVAL: the message says what */
int swap_options_read(const json_t *object, struct mls_swap_limits *limits,
		      struct mlsched_error *err);

#endif /* MLS_CLI_SWAP_OPTIONS_H */
