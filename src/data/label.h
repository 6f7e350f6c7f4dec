/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a recording to training rows: was the move, or the refusal, a good one?
 *
 * The benefit of a decision, in us over the time for which its task was followed:
 *
 *	useful time - waiting - wait_weight * waiting^2 / 1 ms - price * moves
 *
 * with the move itself, one more if the task was moved again, and one more if that was
 * back.  What would have come of the opposite nobody has seen.  Its stand-in is the mean
 * benefit of the opposite decisions of the same kind and locality among the rows for
 * training, if there are MLS_LABEL_ENOUGH of them, else 0.  A move that beats its
 * stand-in is labelled "migrate", and so is a refusal that does not.
 *
 * Where a coin had its part, who was moved differs from who was not by chance, too, and
 * this is known: the margin of a decision of propensity p is
 *
 *	(benefit - mean of its own answer) / p + mean of its own answer - stand-in
 *
 * whose expectation is, for any means, that by which one answer is better than the other
 * (as in offpolicy.h); with p = 1 it is the benefit less the stand-in.
 *
 * Rows that are near each other in time or of one program are alike: none is drawn at
 * random.  The last part of each session's time is for validation, after a gap of one
 * window, in which outcomes overlap; programs that are held out, by a hash of their
 * names, are in no other part.  Where that would be none of them it is one: that with the
 * most rows of those that have no more than the share, or that with the fewest.
 */
#ifndef MLS_DATA_LABEL_H
#define MLS_DATA_LABEL_H

#include "src/data/dataset.h"
#include "src/data/recording.h"

#define MLS_LABEL_ENOUGH 30

/**
 * struct mls_label_options
 * @price:       us for a move
 * @wait_weight: of the square
 * @time_share:  of each session's time, at its end, for validation; [0, 0.9]
 * @program_share: of programs that are held out; [0, 0.9]
 */
struct mls_label_options {
	double price;
	double wait_weight;
	double time_share;
	double program_share;
};

/* docs/recordings.md says where they come from. */
#define MLS_LABEL_OPTIONS             \
	{                             \
		.price = 500,         \
		.wait_weight = 0.3,   \
		.time_share = 0.2,    \
		.program_share = 0.1, \
	}

enum mls_label_part {
	MLS_LABEL_TRAIN,
	MLS_LABEL_TIME, /* the end of each session */
	MLS_LABEL_PROGRAM, /* programs that are in no other part */
	MLS_LABEL_GAP, /* between training and the end: not used */
	MLS_LABEL_PARTS
};

/* Why a decision is no row. */
enum mls_label_skip {
	MLS_LABEL_RULE, /* a hard or a safety rule decided: no model may */
	MLS_LABEL_ASLEEP, /* the task waited for its waker, not for a CPU */
	MLS_LABEL_FAILED, /* the move did not come about, or not within the window */
	MLS_LABEL_UNKNOWN, /* without an outcome */
	MLS_LABEL_SKIPS
};

/**
 * struct mls_label_row - a decision that is a row
 * @benefit: us
 * @margin:  as above; of a refusal the other way round: above 0 to migrate was, or would
 *           have been, the better one
 * @label:   1 migrate, 0 keep
 */
struct mls_label_row {
	struct mls_recorded decision;
	double benefit;
	double margin;
	uint8_t label;
	uint8_t part;
};

struct mls_label_counts {
	uint64_t decisions;
	uint64_t skipped[MLS_LABEL_SKIPS];
	uint64_t rows[MLS_LABEL_PARTS];
	uint64_t migrate[MLS_LABEL_PARTS];
};

struct mls_label_span;

/**
 * struct mls_labels - all rows of a recording, in the order of the file
 * @schema:  of their features
 * @options: by which they were labelled
 * @one_held_out: of few programs none was within the share by its hash: it is this one
 * @spans:   of the sessions, for mls_labels_part()
 */
struct mls_labels {
	const struct mlsched_schema *schema;
	struct mls_label_options options;
	bool one_held_out;
	char held_out[16];
	struct mls_label_span *spans;
	uint64_t n;
	struct mls_label_row *rows;
	struct mls_label_counts counts;
};

/** mls_label_benefit() - of one decision with an outcome, in us; also of moves that failed */
double mls_label_benefit(const struct mls_recorded *decision,
			 const struct mls_label_options *options);

/** mls_label_skips() - why a decision is no row, one of enum mls_label_skip, or -1: it is one */
int mls_label_skips(const struct mls_recorded *decision);

/**
 * mls_labels_read() - label everything in a recording
 * @labels: filled in; free by mls_labels_clear(), also after a failure
 *
 * The same file and options give the same rows, in the same order.
 * Return: 0; -EINVAL when sessions have different schemas, or one is unknown here;
 * -ENODATA when no row is left; what mls_recording_next() returns; -ENOMEM.
 */
int mls_labels_read(struct mls_recording_reader *reader, const char *path,
		    const struct mls_label_options *options, struct mls_labels *labels,
		    struct mlsched_error *err);

/** mls_labels_part() - of a decision of the same recording, also of one that is no row */
enum mls_label_part mls_labels_part(const struct mls_labels *labels,
				    const struct mls_recorded *decision);

/** mls_labels_dataset() - the rows of one part, to be freed with mls_dataset_clear() */
int mls_labels_dataset(const struct mls_labels *labels, enum mls_label_part part,
		       struct mls_dataset *data, struct mlsched_error *err);

void mls_labels_clear(struct mls_labels *labels);

/** mls_label_part_name() - "train", "time", "program", "gap" */
const char *mls_label_part_name(unsigned int part);

/** mls_label_skip_name() - "rule", ... */
const char *mls_label_skip_name(unsigned int skip);

#endif /* MLS_DATA_LABEL_H */
