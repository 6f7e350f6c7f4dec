/* SPDX-License-Identifier: GPL-2.0 */
/* Models that were written and read again. */
#ifndef MLS_TESTS_MODELS_H
#define MLS_TESTS_MODELS_H

#include <mlsched/model.h>

/**
 * test_same_model() - asserts that @read is what was written of @model, bit by bit
 *
 * Layers, normalisation and meta data; not format and producer, which are the writer's.
 * What was written does not say the slope of an activation that has none: it is read as 0.
 */
void test_same_model(const struct mlsched_model *model, const struct mlsched_model *read);

#endif
