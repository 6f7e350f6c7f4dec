// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench record: how many decisions a second a recording takes: as fast as they
 * come, and at a steady rate, at which none may be dropped; with --kernel also from the
 * kernel itself, at that rate.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/bench_record.h"
#include "src/util/array.h"
#include "src/util/clock.h"

#define ROWS_MOST 100000000

enum { OPTION_ROWS = 0x200, OPTION_RATE, OPTION_SECONDS, OPTION_KERNEL };

struct record_bench {
	struct cli_common common;
	const char *directory;
	double rows;
	double rate;
	double seconds;
	bool kernel;
};

static const struct argp_option options[] = {
	{ "rows", OPTION_ROWS, "N", 0, "Decisions written as fast as they go (200000)", 0 },
	{ "rate", OPTION_RATE, "N", 0, "Decisions a second of the steady part (50000)", 0 },
	{ "seconds", OPTION_SECONDS, "S", 0, "Of the steady part (5)", 0 },
	{ "kernel", OPTION_KERNEL, NULL, 0,
	  "Also the whole way, from the kernel to the file: as root", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_bench *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_ROWS:
		o->rows = cli_real(state, "rows", arg, 1, ROWS_MOST);
		return 0;
	case OPTION_RATE:
		o->rate = cli_real(state, "rate", arg, 1, 1e7);
		return 0;
	case OPTION_SECONDS:
		o->seconds = cli_real(state, "seconds", arg, 0.01, 3600);
		return 0;
	case OPTION_KERNEL:
		o->kernel = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "unexpected argument \"%s\"", arg);
		o->directory = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[DIRECTORY]",
	.doc = "Writes decisions to a recording in DIRECTORY (the current one), which is removed "
	       "afterwards: as fast as they go, then at a steady rate in bursts of 20 ms, as "
	       "`mlsched run` gets them.\v"
	       "Dropped decisions found the queue full: the disk or the processor was too slow; lost "
	       "ones the recorder's ring, which nobody had emptied in time.\n\n"
	       "EXAMPLES\n"
	       "  mlsched bench record\n"
	       "  mlsched bench record --seconds 30 /var/tmp\n"
	       "  mlsched bench record --kernel\n",
	.children = children,
};

static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* As they are: names and times differ, most are not moved again. */
static void fill_row(struct mls_recorded *row, uint64_t i, uint64_t now)
{
	*row = (struct mls_recorded){
		.time = now,
		.pid = 1000 + (uint32_t)(i % 211),
		.tgid = 1000 + (uint32_t)(i % 53),
		.kind = (uint8_t)(i % 4),
		.decider = MLS_RECORDED_BY_MODEL,
		.result = i % 3 ? MLS_RECORDED_MOVED : MLS_RECORDED_REFUSED,
		.verdict = i % 3 != 0,
		.accepted = i % 3 != 0,
		.followed = true,
		.ran = true,
		.ran_there = i % 3 != 0,
		.src = (uint16_t)(i % 8),
		.dst = (uint16_t)(i % 7),
		.logit = (float)(i % 100) / 25 - 2,
		.propensity = 1,
		.observed = 100000000,
		.wait = 1000 * (i % 5000),
		.run_time = 1000 * (i % 90000),
		.moved = i % 5 ? 0 : 20000000 + i % 1000,
		.n_features = 10,
		.features = { (float)(i % 8), (float)(i % 5), (float)(8 - i % 5),
			      (float)(i % 64) / 64, (float)(i % 61) / 61 },
	};
	snprintf(row->comm, sizeof(row->comm), "task-%llu", (unsigned long long)i % 31);
}

static int open_queue(const char *path, struct mls_recording_queue **queue,
		      struct mlsched_error *err)
{
	struct mls_recording_session session = { .source = "bench",
						 .schema = "seed10",
						 .began = mls_now_ns() };
	struct mls_recording_cpu cpus[8] = { 0 };
	struct mls_recording *recording;
	int ret = mls_recording_create(path, false, err, &recording);

	if (ret)
		return ret;
	for (uint16_t i = 0; i < 8; i++)
		cpus[i] = (struct mls_recording_cpu){ i, true, i, i / 4, 0, i / 4 };
	ret = mls_recording_begin(recording, &session, cpus, 8, err);
	if (ret) {
		mls_recording_close(recording);
		return ret;
	}
	ret = mls_recording_queue_open(recording, 0, err, queue);
	return ret ? ret : mls_recording_queue_start(*queue, err);
}

/* Of a queue that is not to overflow: waits until it has room. */
static void put_all(struct mls_recording_queue *queue, uint64_t rows)
{
	const struct timespec nap = { 0, 1000000 };
	struct mls_recording_counts counts;
	struct mls_recorded row;

	for (uint64_t i = 0; i < rows; i++) {
		fill_row(&row, i, mls_now_ns());
		mls_recording_queue_put(queue, &row);
		if (i % 4096 != 4095)
			continue;
		do {
			mls_recording_queue_counts(queue, &counts);
		} while (counts.put - counts.written - counts.dropped > MLS_RECORDING_QUEUE / 2 &&
			 nanosleep(&nap, NULL) == 0);
	}
}

static void put_steadily(struct mls_recording_queue *queue, double rate, double seconds)
{
	const struct timespec nap = { 0, 20000000 };
	uint64_t began = mls_now_ns(), sent = 0, all = (uint64_t)(rate * seconds);
	struct mls_recorded row;

	while (sent < all) {
		uint64_t due = (uint64_t)((double)(mls_now_ns() - began) / 1e9 * rate);

		for (; sent < due && sent < all; sent++) {
			fill_row(&row, sent, mls_now_ns());
			mls_recording_queue_put(queue, &row);
		}
		if (sent < all)
			nanosleep(&nap, NULL);
	}
}

static void path_in(const struct record_bench *o, char path[512])
{
	snprintf(path, 512, "%s/.mlsched-bench-%d.db", o->directory, (int)getpid());
}

static void weigh_and_remove(const char *path, struct record_result *result)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct stat st = { 0 };
	char file[520];

	stat(path, &st);
	result->bytes =
		result->counts.written ? (double)st.st_size / (double)result->counts.written : 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		unlink(file);
	}
}

/* @rate: 0: as fast as they go. */
static int measure(const struct record_bench *o, double rate, struct record_result *result)
{
	struct mls_recording_queue *queue = NULL;
	struct mlsched_error err;
	double processor;
	uint64_t began;
	char path[512];
	int ret;

	*result = (struct record_result){ 0 };
	path_in(o, path);
	ret = open_queue(path, &queue, &err);
	if (ret) {
		unlink(path);
		return cli_fail(&o->common, "%s", err.message);
	}
	began = mls_now_ns();
	processor = processor_seconds();
	if (rate > 0)
		put_steadily(queue, rate, o->seconds);
	else
		put_all(queue, (uint64_t)o->rows);
	result->seconds = (double)(mls_now_ns() - began) / 1e9;
	ret = mls_recording_queue_close(queue, &result->counts, &err);
	if (!(rate > 0))
		result->seconds = (double)(mls_now_ns() - began) / 1e9;
	result->processor = processor_seconds() - processor;
	weigh_and_remove(path, result);
	return ret ? cli_fail(&o->common, "%s", err.message) : CLI_OK;
}

static int measure_kernel(const struct record_bench *o, struct record_result *result)
{
	char path[512];
	int status;

	path_in(o, path);
	status = bench_record_kernel(&o->common, path, o->rate, o->seconds, result);
	weigh_and_remove(path, result);
	return status;
}

static void show(const struct record_bench *o, const char *name, const struct record_result *r)
{
	double rate = (double)(r->made ? r->made : r->counts.written) / r->seconds;
	json_t *document;
	char lost[24] = "-";

	if (r->made)
		snprintf(lost, sizeof(lost), "%llu", (unsigned long long)r->lost);
	if (!o->common.json) {
		printf("%-8s %10llu %9llu %9s %9.2f %12.0f %10.2f us %7.0f\n", name,
		       (unsigned long long)r->counts.written, (unsigned long long)r->counts.dropped,
		       lost, r->seconds, rate, 1e6 * r->processor / (double)r->counts.written,
		       r->bytes);
		return;
	}
	document = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f}", "part", name, "written",
			     (json_int_t)r->counts.written, "dropped",
			     (json_int_t)r->counts.dropped, "seconds", r->seconds, "rate", rate,
			     "processor_seconds", r->processor, "bytes", r->bytes);
	if (r->made) {
		json_object_set_new(document, "made", json_integer((json_int_t)r->made));
		json_object_set_new(document, "lost", json_integer((json_int_t)r->lost));
		json_object_set_new(document, "waited_seconds", json_real(r->waited));
	}
	cli_json(document);
}

int cli_bench_record(int argc, char **argv)
{
	struct record_bench o = { .common.command = argv[0],
				  .directory = ".",
				  .rows = 200000,
				  .rate = 50000,
				  .seconds = 5 };
	struct record_result fast, steady, kernel;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	status = measure(&o, 0, &fast);
	if (status == CLI_OK)
		status = measure(&o, o.rate, &steady);
	if (status == CLI_OK && o.kernel)
		status = measure_kernel(&o, &kernel);
	if (status)
		return status;
	if (!o.common.json)
		printf("%-8s %10s %9s %9s %9s %12s %13s %7s\n", "part", "written", "dropped",
		       "lost", "seconds", "a second", "CPU each", "bytes");
	show(&o, "fastest", &fast);
	show(&o, "steady", &steady);
	if (o.kernel)
		show(&o, "kernel", &kernel);
	return CLI_OK;
}
