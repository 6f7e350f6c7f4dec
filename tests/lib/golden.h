/* SPDX-License-Identifier: GPL-2.0 */
/* Models of other tools against the outputs that these computed themselves. */
#ifndef MLS_TESTS_GOLDEN_H
#define MLS_TESTS_GOLDEN_H

#include <mlsched/model.h>

/**
 * golden_load() - load a model and compare all of its outputs and verdicts
 * @path:     of the model
 * @expected: a JSON file: "inputs" and "outputs" of 64 rows; "layers" and "tolerance"
 *            (else 2e-6) where they are stated
 *
 * Fails the test where they differ.
 * Return: the model, to be freed.
 */
struct mlsched_model *golden_load(const char *path, const char *expected);

/** golden_gives() - its two outputs for @row are these, to 1e-5 of them or of 1 */
void golden_gives(const struct mlsched_model *model, const float *row, float first, float second);

/** golden_refuse() - loading it gives @code and just this message, and leaves the model alone */
void golden_refuse(const char *path, int code, const char *message);

#endif /* MLS_TESTS_GOLDEN_H */
