// SPDX-License-Identifier: GPL-2.0
/*
 * Labels of recorded decisions: what their definition says, computed by hand, and rows of
 * one time or one program in one part only.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/data/label.h"

#define MS 1000000ull

static char directory[] = "/tmp/mlsched-label-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/r.db", directory);
	return 0;
}

static int no_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static struct mls_recording *begin(const char *schema)
{
	struct mls_recording_session session = { .source = "test", .began = 1, .window = 100 * MS };
	const struct mls_recording_cpu cpus[4] = {
		{ 0, true, 0, 0, 0, 0 },
		{ 1, true, 1, 0, 0, 0 },
		{ 2, true, 2, 2, 0, 1 },
		{ 3, true, 3, 2, 0, 1 },
	};
	struct mlsched_error err = { 0 };
	struct mls_recording *r;

	snprintf(session.schema, sizeof(session.schema), "%s", schema);
	if (mls_recording_create(path, true, &err, &r) != 0 ||
	    mls_recording_begin(r, &session, cpus, 4, &err) != 0)
		fail_msg("%s", err.message);
	return r;
}

/* A move within an LLC that ran 50 ms after waiting for 1 ms. */
static struct mls_recorded move_at(uint64_t time)
{
	return (struct mls_recorded){
		.time = time,
		.pid = 1,
		.comm = "worker",
		.kind = MLS_RECORDED_STEAL,
		.decider = MLS_RECORDED_BY_MODEL,
		.result = MLS_RECORDED_MOVED,
		.verdict = 1,
		.accepted = true,
		.followed = true,
		.ran = true,
		.ran_there = true,
		.src = 0,
		.dst = 1,
		.logit = NAN,
		.propensity = 1,
		.observed = 100 * MS,
		.wait = MS,
		.run_time = 50 * MS,
		.n_features = 10,
	};
}

static struct mls_recorded refusal_at(uint64_t time)
{
	struct mls_recorded d = move_at(time);

	d.result = MLS_RECORDED_REFUSED;
	d.verdict = 0;
	d.accepted = false;
	d.ran_there = false;
	return d;
}

static void add(struct mls_recording *r, const struct mls_recorded *d)
{
	struct mlsched_error err = { 0 };

	if (mls_recording_add(r, d, d->time, &err) != 0)
		fail_msg("%s", err.message);
}

static void finish(struct mls_recording *r)
{
	assert_int_equal(mls_recording_end(r, 1, NULL), 0);
	mls_recording_close(r);
}

static int label(const struct mls_label_options *options, struct mls_labels *labels,
		 struct mlsched_error *err)
{
	struct mls_recording_reader *reader;
	int ret = mls_recording_open(path, err, &reader);

	if (ret)
		fail_msg("%s", err->message);
	ret = mls_labels_read(reader, path, options, labels, err);
	mls_recording_reader_close(reader);
	return ret;
}

static const struct mls_label_options all_for_training = { .price = 500, .wait_weight = 0.3 };

static void benefit_is_useful_time_less_waiting_and_moves(void **state)
{
	struct mls_recording *r = begin("seed10");
	struct mls_recorded d = move_at(MS);
	struct mlsched_error err = { 0 };
	struct mls_labels labels;

	(void)state;
	add(r, &d); /* 50000 - 1000 - 0.3 * 1000 - 500 */
	d = refusal_at(2 * MS);
	d.wait = 10 * MS; /* 50000 - 10000 - 0.3 * 100 * 1000 */
	add(r, &d);
	d = move_at(3 * MS);
	d.moved = 20 * MS; /* 2 prices */
	add(r, &d);
	d.back = 30 * MS; /* 3 prices */
	add(r, &d);
	d = move_at(4 * MS);
	d.ran = d.ran_there = false;
	d.wait = d.observed; /* 0 - 100000 - 0.3 * 10000 * 1000 - 500 */
	d.run_time = 0;
	add(r, &d);
	finish(r);
	assert_int_equal(label(&all_for_training, &labels, &err), 0);
	assert_int_equal(labels.n, 5);
	assert_true(labels.rows[0].benefit == 48200);
	assert_true(labels.rows[1].benefit == 10000);
	assert_true(labels.rows[2].benefit == 47700);
	assert_true(labels.rows[3].benefit == 47200);
	assert_true(labels.rows[4].benefit == -3100500);
	/* Nobody did the opposite: moves are measured by 0. */
	assert_int_equal(labels.rows[0].label, 1);
	assert_int_equal(labels.rows[4].label, 0);
	/* A refusal that did better than 0 was right. */
	assert_int_equal(labels.rows[1].label, 0);
	assert_true(labels.rows[1].margin == -10000);
	mls_labels_clear(&labels);
}

static void the_opposite_is_measured_by_the_mean_of_those_that_did_it(void **state)
{
	struct mls_recording *r = begin("seed10");
	struct mlsched_error err = { 0 };
	struct mls_labels labels;
	struct mls_recorded d;

	(void)state;
	/* Refusals: 30000 - 1000 - 300 = 28700 each; one fewer of another locality. */
	for (uint64_t i = 0; i < MLS_LABEL_ENOUGH; i++) {
		d = refusal_at(i * MS);
		d.run_time = 30 * MS;
		add(r, &d);
		d.dst = 2;
		if (i)
			add(r, &d);
	}
	d = move_at(40 * MS);
	d.run_time = 31 * MS; /* 29200: better */
	add(r, &d);
	d.run_time = 30 * MS; /* 28200: worse */
	add(r, &d);
	d.dst = 2; /* too few refusals: by 0 */
	add(r, &d);
	d.dst = 1;
	d.kind = MLS_RECORDED_WAKEUP; /* no refusals of that kind */
	add(r, &d);
	finish(r);
	assert_int_equal(label(&all_for_training, &labels, &err), 0);
	assert_true(fabs(labels.rows[59].margin - 500) < 1e-6);
	assert_int_equal(labels.rows[59].label, 1);
	assert_true(fabs(labels.rows[60].margin + 500) < 1e-6);
	assert_int_equal(labels.rows[60].label, 0);
	assert_true(labels.rows[61].margin == 28200);
	assert_true(labels.rows[62].margin == 28200);
	mls_labels_clear(&labels);
}

/* Half of the answers by a coin: 28700 to stay, 38200 to move, one of each by chance. */
static void what_the_coin_tried_counts_for_all_that_it_did_not(void **state)
{
	struct mls_recording *r = begin("seed10");
	struct mlsched_error err = { 0 };
	struct mls_labels labels;
	struct mls_recorded d;
	double moves = 0, stays = 0;

	(void)state;
	for (uint64_t i = 0; i < 2 * MLS_LABEL_ENOUGH; i++) {
		d = i % 2 ? move_at(i * MS) : refusal_at(i * MS);
		d.run_time = (i % 2 ? 40 : 30) * MS;
		d.propensity = i < 40 ? 0.5f : 0.8f;
		/* One of each did 8 ms better than usual, one 8 ms worse. */
		if (i == 2 || i == 3)
			d.run_time += 8 * MS;
		if (i == 4 || i == 5)
			d.run_time -= 8 * MS;
		add(r, &d);
	}
	finish(r);
	assert_int_equal(label(&all_for_training, &labels, &err), 0);
	/* Usual ones: 38200 less 28700, whoever did what. */
	assert_true(fabs(labels.rows[0].margin - 9500) < 1e-6);
	assert_true(fabs(labels.rows[1].margin - 9500) < 1e-6);
	/* 8000 more than usual, of one in two: 16000. */
	assert_true(fabs(labels.rows[2].margin - (9500 - 16000)) < 1e-6);
	assert_int_equal(labels.rows[2].label, 0);
	assert_true(fabs(labels.rows[3].margin - (9500 + 16000)) < 1e-6);
	assert_int_equal(labels.rows[3].label, 1);
	for (uint64_t i = 0; i < labels.n; i++)
		*(labels.rows[i].decision.accepted ? &moves : &stays) += labels.rows[i].margin;
	assert_true(fabs(moves / MLS_LABEL_ENOUGH - 9500) < 1e-6);
	assert_true(fabs(stays / MLS_LABEL_ENOUGH - 9500) < 1e-6);
	mls_labels_clear(&labels);
}

static void what_no_model_may_decide_or_nobody_saw_is_no_row(void **state)
{
	struct mls_recording *r = begin("seed10");
	struct mlsched_error err = { 0 };
	struct mls_labels labels;
	struct mls_recorded d = move_at(MS);

	(void)state;
	d.decider = MLS_RECORDED_BY_SAFETY;
	add(r, &d);
	d.decider = MLS_RECORDED_BY_HARD_RULE;
	add(r, &d);
	d = move_at(MS);
	d.flags = MLS_RECORDED_ASLEEP;
	add(r, &d);
	d = move_at(MS);
	d.result = MLS_RECORDED_RACED;
	add(r, &d);
	d = move_at(MS);
	d.followed = false;
	add(r, &d);
	finish(r);
	assert_int_equal(label(&all_for_training, &labels, &err), -ENODATA);
	assert_non_null(strstr(err.message, "of 5 decisions none can be labelled: 2 by rules, 1 "
					    "asleep, 1 moves that failed, 1 without an outcome"));
	mls_labels_clear(&labels);
}

/* 1000 moves, 10 ms apart, by forty programs. */
static void make_long_recording(void)
{
	struct mls_recording *r = begin("seed10");

	for (uint64_t i = 0; i < 1000; i++) {
		struct mls_recorded d = i % 3 ? move_at(i * 10 * MS) : refusal_at(i * 10 * MS);

		snprintf(d.comm, sizeof(d.comm), "program-%llu", (unsigned long long)(i * 7 % 40));
		d.run_time = (i * 37 % 100) * MS;
		d.features[3] = (float)i;
		add(r, &d);
	}
	finish(r);
}

static void parts_share_neither_time_nor_programs(void **state)
{
	const struct mls_label_options options = MLS_LABEL_OPTIONS;
	uint64_t last_train = 0, first_time = UINT64_MAX;
	char held_out[40] = "", used[40] = "";
	struct mlsched_error err = { 0 };
	struct mls_labels labels;

	(void)state;
	make_long_recording();
	assert_int_equal(label(&options, &labels, &err), 0);
	for (uint64_t i = 0; i < labels.n; i++) {
		const struct mls_recorded *d = &labels.rows[i].decision;
		int program = atoi(d->comm + strlen("program-"));

		switch (labels.rows[i].part) {
		case MLS_LABEL_TRAIN:
			last_train = d->time > last_train ? d->time : last_train;
			used[program] = 1;
			break;
		case MLS_LABEL_TIME:
			first_time = d->time < first_time ? d->time : first_time;
			used[program] = 1;
			break;
		case MLS_LABEL_PROGRAM:
			held_out[program] = 1;
			break;
		default:
			used[program] = 1;
		}
	}
	/* 80 % of 9.99 s, and a window before that. */
	assert_in_range(first_time, 7992 * MS, 8100 * MS);
	assert_in_range(last_train, 7700 * MS, 7892 * MS);
	for (int p = 0; p < 40; p++)
		assert_false(held_out[p] && used[p]);
	for (int p = 0; p < MLS_LABEL_PARTS; p++)
		assert_true(labels.counts.rows[p] > 0);
	assert_in_range(labels.counts.rows[MLS_LABEL_PROGRAM], 25, 250);
	mls_labels_clear(&labels);
}

/* So many moves of each, one after the other. */
static void make_recording_of(const char *const programs[], const unsigned int moves[], int n)
{
	struct mls_recording *r = begin("seed10");
	uint64_t time = 0;

	for (int p = 0; p < n; p++)
		for (unsigned int i = 0; i < moves[p]; i++) {
			struct mls_recorded d = move_at(time += 10 * MS);

			snprintf(d.comm, sizeof(d.comm), "%s", programs[p]);
			add(r, &d);
		}
	finish(r);
}

/* None of these hashes is within a fifth of all: one of them is held out all the same. */
static void of_few_programs_one_is_held_out(void **state)
{
	static const char *const programs[] = { "ld", "make", "sh", "as" };
	static const struct {
		unsigned int moves[4];
		double share;
		int n, held_out;
	} cases[] = {
		{ { 60, 8, 20, 12 }, 0.2, 4, 2 }, /* the most that are no more than the share */
		{ { 60, 8, 21, 12 }, 0.2, 4, 3 },
		{ { 60, 8, 20, 12 }, 0.05, 4, 1 }, /* the fewest */
		{ { 60, 30 }, 0.2, 2, 1 },
		{ { 60 }, 0.2, 1, -1 }, /* nothing would be left */
		{ { 60, 8, 20, 12 }, 0, 4, -1 },
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct mls_label_options options = MLS_LABEL_OPTIONS;
		int held_out = cases[c].held_out;
		struct mlsched_error err = { 0 };
		struct mls_labels labels;

		options.program_share = cases[c].share;
		make_recording_of(programs, cases[c].moves, cases[c].n);
		assert_int_equal(label(&options, &labels, &err), 0);
		assert_int_equal(labels.counts.rows[MLS_LABEL_PROGRAM],
				 held_out < 0 ? 0 : cases[c].moves[held_out]);
		for (uint64_t i = 0; i < labels.n; i++)
			assert_int_equal(labels.rows[i].part == MLS_LABEL_PROGRAM,
					 held_out >= 0 && strcmp(labels.rows[i].decision.comm,
								 programs[held_out]) == 0);
		mls_labels_clear(&labels);
		unlink(path);
	}
}

static void the_validation_parts_do_not_change_a_label_of_training(void **state)
{
	struct mls_label_options options = MLS_LABEL_OPTIONS;
	struct mlsched_error err = { 0 };
	struct mls_labels with, without;
	uint64_t n = 0;

	(void)state;
	make_long_recording();
	assert_int_equal(label(&options, &with, &err), 0);
	unlink(path);
	/* The same without its end and without the held-out programs. */
	struct mls_recording *r = begin("seed10");
	for (uint64_t i = 0; i < with.n; i++) {
		if (with.rows[i].part == MLS_LABEL_TRAIN)
			add(r, &with.rows[i].decision);
	}
	finish(r);
	options.time_share = 0;
	options.program_share = 0;
	assert_int_equal(label(&options, &without, &err), 0);
	for (uint64_t i = 0; i < with.n; i++) {
		if (with.rows[i].part != MLS_LABEL_TRAIN)
			continue;
		assert_true(with.rows[i].margin == without.rows[n].margin);
		assert_int_equal(with.rows[i].label, without.rows[n].label);
		n++;
	}
	assert_int_equal(n, without.n);
	mls_labels_clear(&with);
	mls_labels_clear(&without);
}

static void a_data_set_has_the_rows_of_its_part(void **state)
{
	const struct mls_label_options options = MLS_LABEL_OPTIONS;
	struct mlsched_error err = { 0 };
	struct mls_labels labels;
	struct mls_dataset data;
	uint32_t n = 0;

	(void)state;
	make_long_recording();
	assert_int_equal(label(&options, &labels, &err), 0);
	assert_int_equal(mls_labels_dataset(&labels, MLS_LABEL_TIME, &data, &err), 0);
	assert_int_equal(data.n_rows, labels.counts.rows[MLS_LABEL_TIME]);
	assert_int_equal(data.n_inputs, 10);
	for (uint64_t i = 0; i < labels.n; i++) {
		if (labels.rows[i].part != MLS_LABEL_TIME)
			continue;
		assert_true(data.inputs[n * 10 + 3] == labels.rows[i].decision.features[3]);
		assert_true(data.labels[n] == labels.rows[i].label);
		n++;
	}
	mls_dataset_clear(&data);
	mls_labels_clear(&labels);
}

static void sessions_of_different_schemas_are_refused(void **state)
{
	struct mlsched_error err = { 0 };
	struct mls_recorded d = move_at(MS);
	struct mls_labels labels;
	struct mls_recording *r = begin("seed10");

	(void)state;
	add(r, &d);
	finish(r);
	r = begin("mllb15");
	finish(r);
	assert_int_equal(label(&all_for_training, &labels, &err), -EINVAL);
	assert_non_null(strstr(err.message, "session 2: expected schema seed10 as in the first "
					    "one, found mllb15"));
	mls_labels_clear(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(benefit_is_useful_time_less_waiting_and_moves, no_file),
		cmocka_unit_test_setup(the_opposite_is_measured_by_the_mean_of_those_that_did_it,
				       no_file),
		cmocka_unit_test_setup(what_the_coin_tried_counts_for_all_that_it_did_not, no_file),
		cmocka_unit_test_setup(what_no_model_may_decide_or_nobody_saw_is_no_row, no_file),
		cmocka_unit_test_setup(parts_share_neither_time_nor_programs, no_file),
		cmocka_unit_test_setup(of_few_programs_one_is_held_out, no_file),
		cmocka_unit_test_setup(the_validation_parts_do_not_change_a_label_of_training,
				       no_file),
		cmocka_unit_test_setup(a_data_set_has_the_rows_of_its_part, no_file),
		cmocka_unit_test_setup(sessions_of_different_schemas_are_refused, no_file),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
