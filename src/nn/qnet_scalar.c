// SPDX-License-Identifier: GPL-2.0
/*
 * The fixed-point forward pass in portable C: qnet_sums() of the core, which
 * every other form must equal bit for bit.
 */
#include "src/nn/qnet.h"

void mls_qnet_scalar(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
		     int64_t *logits)
{
	s16 x[QNET_MAX_WIDTH];

	for (size_t r = 0; r < n_rows; r++) {
		qnet_quantize_inputs(q->net, features + r * q->n_inputs, x);
		logits[r] = qnet_sums(q->net, x, NULL);
	}
}
