// SPDX-License-Identifier: GPL-2.0
/*
 * The limits of a change of model as options and as JSON.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/swap_options.h"
#include "src/util/array.h"
#include "src/util/error.h"

/*
 * Option, its argument, the field (and its name in JSON), the option's largest
 * value, its unit in that of the field, help.  In JSON shares are 0 to 1 and
 * times seconds.
 */
#define LIMITS(X)                                                                                  \
	X("trial", "SECONDS", trial, 86400, 1,                                                     \
	  "A new model is asked beside the active one for that time before it decides (10; 0: it " \
	  "decides at once)")                                                                      \
	X("watch-after", "SECONDS", watch, 86400, 1,                                               \
	  "For that time after it has begun to decide waits and refusals are watched, and it is "  \
	  "taken back if they run away (30; 0: nobody watches)")                                   \
	X("min-decisions", "N", min_decisions, 1e9, 1,                                             \
	  "A trial with fewer decisions is no judgement, and the new model is refused (100)")      \
	X("max-disagreement", "PERCENT", max_disagreement, 100, 0.01,                              \
	  "Of the decisions on trial in which it may disagree with the active model (50)")         \
	X("max-refusals", "PERCENT", max_refusals, 100, 0.01,                                      \
	  "Of the decisions that it may refuse, on trial and afterwards (95)")                     \
	X("max-wait-growth", "FACTOR", max_wait_growth, 1e6, 1,                                    \
	  "By which mean or p99 of the waits for a CPU may grow afterwards (3)")                   \
	X("wait-floor", "MS", wait_floor, 1e6, 0.001,                                              \
	  "Waits that are shorter are never too long (10)")

enum {
	FIRST_KEY = 0x300,
#define X(option, argument, field, max, unit, help) KEY_##field,
	LIMITS(X)
#undef X
};

static const struct argp_option options[] = {
#define X(option, argument, field, max, unit, help) \
	{ option, KEY_##field, argument, 0, "Of a change of model: " help, 0 },
	LIMITS(X)
#undef X
		{ 0 },
};

static const struct limit {
	const char *option;
	const char *json;
	size_t offset;
	double max;
	double unit;
} limits[] = {
#define X(option, argument, field, max, unit, help) \
	{ option, #field, offsetof(struct mls_swap_limits, field), max, unit },
	LIMITS(X)
#undef X
};

static double *field(struct mls_swap_limits *l, size_t i)
{
	return (double *)(void *)((char *)l + limits[i].offset);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const size_t i = (size_t)(key - FIRST_KEY - 1);
	struct swap_options *o = state->input;
	double value;
	char *end;

	if (key <= FIRST_KEY || i >= ARRAY_SIZE(limits))
		return ARGP_ERR_UNKNOWN;
	value = strtod(arg, &end);
	if (end == arg || *end || !(value >= 0 && value <= limits[i].max))
		argp_error(state, "--%s: expected a number from 0 to %g, got \"%s\"",
			   limits[i].option, limits[i].max, arg);
	*field(&o->limits, i) = value * limits[i].unit;
	o->given |= 1u << i;
	return 0;
}

const struct argp swap_options_argp = { .options = options, .parser = parse };

json_t *swap_options_json(const struct swap_options *o)
{
	struct mls_swap_limits copy = o->limits;
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (o->given & 1u << i)
			json_object_set_new(object, limits[i].json, json_real(*field(&copy, i)));
	}
	return object;
}

int swap_options_read(const json_t *object, struct mls_swap_limits *l, struct mlsched_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		double number = json_number_value(value);
		size_t i;

		for (i = 0; i < ARRAY_SIZE(limits) && strcmp(limits[i].json, name) != 0; i++)
			;
		if (i == ARRAY_SIZE(limits))
			return mls_error(err, -EINVAL, "limits: \"%.60s\" is none", name);
		if (!json_is_number(value) || !(number >= 0) ||
		    number > limits[i].max * limits[i].unit)
			return mls_error(err, -EINVAL,
					 "limits: expected a number from 0 to %g as \"%s\"",
					 limits[i].max * limits[i].unit, name);
		*field(l, i) = number;
	}
	return 0;
}
