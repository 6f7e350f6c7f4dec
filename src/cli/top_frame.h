/* SPDX-License-Identifier: GPL-2.0 */
/* What `mlsched top` shows, as lines of text: the same on a screen and in a pipe. */
#ifndef MLS_CLI_TOP_FRAME_H
#define MLS_CLI_TOP_FRAME_H

#include "src/cli/snapshot.h"

#define TOP_LINES 128
#define TOP_WIDTH 256

/* How a line is drawn where that is possible. */
enum top_style { TOP_PLAIN, TOP_HEAD, TOP_TITLE };

/**
 * struct top_frame - one picture
 * @n:     lines
 * @text:  each without an end of line
 * @style: of each
 */
struct top_frame {
	uint32_t n;
	char text[TOP_LINES][TOP_WIDTH];
	enum top_style style[TOP_LINES];
};

/**
 * top_frame_make() - the picture for a screen
 * @now:    the scheduler
 * @counts: what it counted in the last @span seconds
 * @height: lines there are; what has no room for all domains says how many are missing
 */
void top_frame_make(struct top_frame *frame, const struct snapshot *now,
		    const struct scheduler_counts *counts, double span, uint32_t height);

#endif /* MLS_CLI_TOP_FRAME_H */
