/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Feature schemas: named, versioned, ordered lists of a network's inputs.
 */
#ifndef MLSCHED_SCHEMA_H
#define MLSCHED_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct mlsched_feature - one input of a network
 * @name: as in CSV headers
 * @unit: "cpu", "count", "fraction", ...; "" for none
 * @min:  smallest value that can occur
 * @max:  largest value that can occur
 * @meaning: one sentence
 */
struct mlsched_feature {
	const char *name;
	const char *unit;
	float min;
	float max;
	const char *meaning;
};

/**
 * struct mlsched_schema - a list of inputs
 * @name:       "seed10", ...
 * @version:    grows whenever the meaning of an input changes
 * @n_features: length of @features
 * @features:   in the order of the network's inputs
 */
struct mlsched_schema {
	const char *name;
	uint32_t version;
	uint32_t n_features;
	const struct mlsched_feature *features;
};

/** mlsched_schema_find() - by name; NULL if there is none */
const struct mlsched_schema *mlsched_schema_find(const char *name);

/** mlsched_schema_at() - the index-th schema; NULL past the last */
const struct mlsched_schema *mlsched_schema_at(size_t index);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_SCHEMA_H */
