// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to have a model ready in each runtime: time until the first
 * answer, time of one more load, memory, and files.
 *
 * Each is measured in a process of its own, forked before anything of others is
 * loaded, so that none finds what another one has brought.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/subject.h"
#include "src/cli/bench_load.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "src/util/temporary.h"

/* Loading again and again ends after so long. */
#define LOADS_NS 2000000000u

/* Of one runtime, as it comes through a pipe. */
struct footprint {
	int ret;
	char message[MLSCHED_ERROR_SIZE];
	char version[64];
	double first_ms; /* from nothing to the first answer */
	double load_us; /* median of further loads of the model */
	uint32_t n_loads;
	long peak_kb;
	long kernel_bytes; /* -1: not known, or none */
	uint64_t file_bytes;
};

long bench_peak_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	return bench_number_in(path, "VmHWM:");
}

/* ---- files that a process maps --------------------------------------------------------- */

#define MAX_FILES 512

struct files {
	size_t n;
	struct {
		dev_t device;
		ino_t inode;
		off_t size;
	} all[MAX_FILES];
};

static bool holds(const struct files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->n; i++) {
		if (files->all[i].device == st->st_dev && files->all[i].inode == st->st_ino)
			return true;
	}
	return false;
}

static void list_files(pid_t pid, struct files *files)
{
	char path[64], line[4352], name[4096];
	struct stat st;
	FILE *maps;

	files->n = 0;
	snprintf(path, sizeof(path), "/proc/%ld/maps", (long)pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%*s %*s %*s %*s %*s %4095[^\n]", name) != 1 || name[0] != '/' ||
		    stat(name, &st) != 0 || holds(files, &st) || files->n == MAX_FILES)
			continue;
		files->all[files->n].device = st.st_dev;
		files->all[files->n].inode = st.st_ino;
		files->all[files->n++].size = st.st_size;
	}
	if (maps)
		fclose(maps);
}

/* Bytes of what the process maps and this one did not before. */
static uint64_t bytes_beyond(pid_t pid, const struct files *before)
{
	static struct files now;
	uint64_t sum = 0;
	struct stat st;

	list_files(pid, &now);
	for (size_t i = 0; i < now.n; i++) {
		st.st_dev = now.all[i].device;
		st.st_ino = now.all[i].inode;
		if (!holds(before, &st))
			sum += (uint64_t)now.all[i].size;
	}
	return sum;
}

/* ---- measuring, in the child ----------------------------------------------------------- */

/* One of them, with all that it is given. */
struct candidate {
	const struct bench_runtime_type *type;
	const struct mlsched_model *model;
	const char *path; /* of the file that it loads */
	const char *from;
	uint32_t n_loads;
};

static int load_once(const struct candidate *c, struct bench_runtime *first, double *us,
		     struct mlsched_error *err)
{
	struct bench_runtime *runtime;
	uint64_t begin = mls_now_ns();
	int ret;

	if (c->type->reload)
		return c->type->reload(first, us, err);
	ret = c->type->open(c->type, c->model, c->path, c->from, err, &runtime);
	if (ret)
		return ret;
	*us = (double)(mls_now_ns() - begin) / 1e3;
	c->type->close(runtime);
	return 0;
}

static int load_again(const struct candidate *c, struct bench_runtime *first, struct footprint *f,
		      struct mlsched_error *err)
{
	double *us = calloc(c->n_loads, sizeof(*us));
	uint64_t begin = mls_now_ns();
	int ret = us ? 0 : mls_error(err, -ENOMEM, "no memory for %u times", c->n_loads);

	while (!ret && f->n_loads < c->n_loads &&
	       (f->n_loads == 0 || mls_now_ns() - begin < LOADS_NS))
		ret = load_once(c, first, &us[f->n_loads++], err);
	if (!ret)
		f->load_us = bench_sorted_median(us, f->n_loads);
	free(us);
	return ret;
}

static int measure(const struct candidate *c, struct footprint *f, struct mlsched_error *err)
{
	static float row[MLSCHED_MAX_WIDTH], out[MLSCHED_MAX_WIDTH];
	static struct files before;
	struct bench_runtime *runtime;
	uint64_t begin;
	pid_t process;
	int ret;

	list_files(getpid(), &before);
	begin = mls_now_ns();
	ret = c->type->open(c->type, c->model, c->path, c->from, err, &runtime);
	if (ret)
		return ret;
	ret = c->type->predict(runtime, row, 1, out, err);
	f->first_ms = (double)(mls_now_ns() - begin) / 1e6;
	process = runtime->process ? runtime->process : getpid();
	f->peak_kb = bench_peak_of(process);
	f->kernel_bytes = c->type->kernel_bytes ? c->type->kernel_bytes(runtime) : -1;
	f->file_bytes = bytes_beyond(process, &before);
	memcpy(f->version, runtime->version, sizeof(f->version));
	if (!ret)
		ret = load_again(c, runtime, f, err);
	c->type->close(runtime);
	return ret;
}

/* ---- one after the other --------------------------------------------------------------- */

/* What came through the pipe, or that nothing did. */
static void measure_apart(const struct candidate *c, struct footprint *f)
{
	struct mlsched_error err = { 0 };
	int channel[2], status = 0;
	pid_t child;

	memset(f, 0, sizeof(*f));
	if (pipe(channel) != 0) {
		f->ret = mls_error(&err, -errno, "no pipe: %s", strerror(errno));
		memcpy(f->message, err.message, sizeof(f->message));
		return;
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		f->ret = measure(c, f, &err);
		memcpy(f->message, err.message, sizeof(f->message));
		_exit(write(channel[1], f, sizeof(*f)) == sizeof(*f) ? 0 : 1);
	}
	close(channel[1]);
	if (child < 0 || read(channel[0], f, sizeof(*f)) != sizeof(*f)) {
		f->ret = -EPIPE;
		snprintf(f->message, sizeof(f->message), "%s ended before it had loaded the model",
			 c->type->title);
	}
	close(channel[0]);
	if (child > 0)
		waitpid(child, &status, 0);
}

static json_t *known(long n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static json_t *json_of(const struct candidate *c, const char *name, const struct footprint *f)
{
	if (f->ret)
		return json_pack("{s:s,s:s,s:s,s:s*}", "engine", c->type->key, "model", name,
				 "unavailable", f->message, "install", c->type->install);
	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:f,s:f,s:i,s:o,s:o}", "engine", c->type->key,
			 "model", name, "version", f->version, "language", c->type->language, "cpu",
			 sched_getcpu(), "file_bytes", (json_int_t)f->file_bytes, "first_answer_ms",
			 f->first_ms, "load_us", f->load_us, "loads", (int)f->n_loads, "peak_kb",
			 known(f->peak_kb), "kernel_bytes", known(f->kernel_bytes));
}

static void print_footprint(const struct cli_common *common, const struct candidate *c,
			    const struct footprint *f)
{
	if (f->ret) {
		/* The places that were looked at would hide the table. */
		if (strncmp(f->message, "found no ", 9) == 0 && common->verbosity < 1)
			printf("%-16s not measured: not found; `%s` installs it\n", c->type->title,
			       c->type->install);
		else
			printf("%-16s not measured: %s\n", c->type->title, f->message);
		return;
	}
	printf("%-16s %-20s %-8s %9.1f %14.1f %14.1f %10.1f", c->type->title, f->version,
	       c->type->language, (double)f->file_bytes / 1e6, f->first_ms, f->load_us,
	       (double)f->peak_kb / 1024);
	if (f->kernel_bytes >= 0)
		printf(" %10.0f", (double)f->kernel_bytes / 1024);
	putchar('\n');
}

static uint64_t bytes_of_program(void)
{
	struct stat st;

	return stat("/proc/self/exe", &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool is_ours(const struct bench_runtime_type *type)
{
	return type >= bench_load_ours && type < bench_load_ours + BENCH_LOAD_OURS;
}

static void measure_one(const struct cli_common *common, const char *name,
			const struct candidate *c)
{
	struct footprint f;

	measure_apart(c, &f);
	/* The program that is mapped before already. */
	if (is_ours(c->type))
		f.file_bytes = bytes_of_program();
	if (common->json)
		cli_json(json_of(c, name, &f));
	else
		print_footprint(common, c, &f);
	fflush(stdout);
}

static int measure_runtimes(const struct cli_common *common, const struct bench_choice *choice,
			    const struct mlsched_model *model, const char *model_path,
			    const char *name, uint32_t n_loads, struct mlsched_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < BENCH_LOAD_OURS; i++) {
		struct candidate c = { &bench_load_ours[i], model, model_path, NULL, n_loads };

		measure_one(common, name, &c);
	}
	for (size_t i = 0; !ret && i < BENCH_RUNTIMES; i++) {
		const struct bench_runtime_type *type = bench_runtimes[i];
		struct bench_saved saved;
		struct candidate c = { type, model, saved.path, bench_choice_from(choice, type),
				       n_loads };

		if (!bench_choice_has(choice, type))
			continue;
		ret = bench_runtime_save(type, model, &saved, err);
		if (ret)
			break;
		measure_one(common, name, &c);
		bench_runtime_unsave(&saved);
	}
	return ret;
}

static int measure_model(const struct cli_common *common, const struct bench_choice *choice,
			 const char *path, const char *name, uint32_t n_loads,
			 struct mlsched_error *err)
{
	struct mlsched_model *model;
	int ret = mlsched_model_load(path, err, &model);

	if (ret)
		return ret;
	if (!common->json)
		printf("\n%s\n%-16s %-20s %-8s %9s %14s %14s %10s %10s\n", name, "runtime",
		       "version", "from", "files MB", "first ans. ms", "load us", "peak MB",
		       "kernel KB");
	ret = measure_runtimes(common, choice, model, path, name, n_loads, err);
	mlsched_model_free(model);
	return ret;
}

/* Written as a SavedModel, which is what ours loads. */
static int measure_shape(const struct cli_common *common, const struct bench_choice *choice,
			 size_t shape, uint32_t n_loads, struct mlsched_error *err)
{
	struct bench_subject subject = { .model = NULL };
	char directory[256], path[300];
	int ret = bench_subject_random(&subject, shape, err);

	if (!ret && !subject.variant)
		ret = bench_directory_make(directory, sizeof(directory), err);
	if (ret || subject.variant) {
		bench_subject_free(&subject);
		return ret;
	}
	snprintf(path, sizeof(path), "%s/model", directory);
	ret = mlsched_model_save(subject.model, path, MLSCHED_SAVEDMODEL_VARIABLES, err);
	if (!ret)
		ret = measure_model(common, choice, path, subject.name, n_loads, err);
	mls_temporary_remove(directory);
	bench_subject_free(&subject);
	return ret;
}

int bench_load_runtimes(const struct cli_common *common, const struct bench_choice *choice,
			const char *const *paths, size_t n_paths, uint32_t n_loads)
{
	size_t n = n_paths ? n_paths : bench_subject_shapes();
	struct mlsched_error err;
	int ret = 0;

	if (!common->json)
		printf("files: what a runtime maps beyond this program and the C library; first "
		       "answer: in a new process,\nfrom nothing; load: once more in the same process, "
		       "the median; peak: the whole process, of which\n4 MB are this program's where "
		       "the interface is C; kernel: the slot, as large for any network, and the machine code\n");
	for (size_t i = 0; !ret && i < n; i++)
		ret = n_paths ? measure_model(common, choice, paths[i], paths[i], n_loads, &err) :
				measure_shape(common, choice, i, n_loads, &err);
	return ret ? cli_fail(common, "%s", err.message) : CLI_OK;
}
