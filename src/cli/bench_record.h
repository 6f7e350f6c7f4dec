/* SPDX-License-Identifier: GPL-2.0 */
/* One part of `mlsched bench record`. */
#ifndef MLS_CLI_BENCH_RECORD_H
#define MLS_CLI_BENCH_RECORD_H

#include "src/cli/cli.h"
#include "src/data/recording_queue.h"

/**
 * struct record_result
 * @seconds:   for which decisions came; where they come as fast as they go, until all are in the file
 * @processor: seconds of all threads of who writes
 * @counts:    of its queue
 * @bytes:     of a decision, in the file
 * @made:      moves of ours among the decisions, which the kernel has seen; 0: no part of the kernel
 * @lost:      of all that the kernel has seen, found the recorder's ring full
 * @waited:    seconds for which the recorder's threads were ready to run and did not
 */
struct record_result {
	double seconds;
	double processor;
	struct mls_recording_counts counts;
	double bytes;
	uint64_t made;
	uint64_t lost;
	double waited;
};

/**
 * bench_record_kernel() - the whole way of a decision: from the kernel's tracepoint to the file
 * @path: of the file, which `mlsched record`, a process of its own, makes
 * @rate: moves a second that are made for it, for @seconds
 *
 * Return: CLI_OK, or CLI_FAILURE after a message.
 */
int bench_record_kernel(const struct cli_common *common, const char *path, double rate,
			double seconds, struct record_result *result);

#endif /* MLS_CLI_BENCH_RECORD_H */
