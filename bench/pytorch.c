// SPDX-License-Identifier: GPL-2.0
/*
 * PyTorch, which has no C interface: a Python process that holds the network
 * and times its own calls (bench/pytorch.py says how they speak).  Eager as it
 * is, and traced and frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "bench/runtime.h"
#include "src/util/error.h"

#define DEFAULT_PYTHON "/usr/bin/python3"
#define SCRIPT         "bench/pytorch.py"

/* The script, in the program: who runs this as root runs no code of the caller's directory. */
__asm__(".section .rodata\n"
	".globl bench_pytorch_script\n"
	".hidden bench_pytorch_script\n"
	"bench_pytorch_script:\n"
	".incbin \"" SCRIPT "\"\n"
	".byte 0\n"
	".previous\n");

extern const char bench_pytorch_script[];

/* Of an answer: as many samples as there may be, at most so long each. */
#define MAX_LINE (1001 * 32)

struct pytorch {
	struct bench_runtime runtime;
	FILE *to;
	FILE *from;
	char line[MAX_LINE];
};

static void pytorch_close(struct bench_runtime *runtime)
{
	struct pytorch *p = (struct pytorch *)runtime;

	if (p->to)
		fclose(p->to);
	if (p->from)
		fclose(p->from);
	/* The end of its input ends it. */
	if (p->runtime.process > 0)
		waitpid(p->runtime.process, NULL, 0);
	free(p);
}

/* Who has ended is seen by what it does not answer. */
static struct sigaction ignore_sigpipe(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;

	sigaction(SIGPIPE, &ignore, &before);
	return before;
}

static void write_request(struct pytorch *p, json_t *request)
{
	json_dumpf(request, p->to, JSON_COMPACT);
	fputc('\n', p->to);
	json_decref(request);
}

/* What Python says at its end goes to standard error; here is said that it ended. */
static int read_answer(struct pytorch *p, json_t **answer, struct mlsched_error *err)
{
	json_error_t bad;

	if (!fgets(p->line, sizeof(p->line), p->from))
		return mls_error(err, -EPIPE, "%s: Python ended without an answer", SCRIPT);
	*answer = json_loads(p->line, 0, &bad);
	return *answer ? 0 : mls_error(err, -EBADMSG, "%s: no JSON: %s", SCRIPT, bad.text);
}

static int ask(struct pytorch *p, json_t *request, const float *rows, size_t n, json_t **answer,
	       struct mlsched_error *err)
{
	struct sigaction before = ignore_sigpipe();

	write_request(p, request);
	fwrite(rows, sizeof(*rows), n, p->to);
	fflush(p->to);
	sigaction(SIGPIPE, &before, NULL);
	return read_answer(p, answer, err);
}

static json_t *describe(const struct mlsched_model *model, const char *mode)
{
	static const char *const names[MLSCHED_ACTIVATION_COUNT] = {
		[MLSCHED_LINEAR] = "linear", [MLSCHED_RELU] = "relu",
		[MLSCHED_RELU6] = "relu6",   [MLSCHED_LEAKY_RELU] = "leaky_relu",
		[MLSCHED_ELU] = "elu",       [MLSCHED_SIGMOID] = "sigmoid",
		[MLSCHED_TANH] = "tanh",     [MLSCHED_SOFTMAX] = "softmax",
	};
	json_t *layers = json_array();
	const float *mean, *deviation;

	mlsched_model_normalization(model, &mean, &deviation);
	for (uint32_t l = 0; l < mlsched_model_layers(model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(model, l, &layer);
		json_array_append_new(layers, json_pack("{s:i,s:i,s:s,s:f}", "n_in",
							(int)layer.n_in, "n_out", (int)layer.n_out,
							"activation", names[layer.activation],
							"alpha", (double)layer.alpha));
	}
	return json_pack("{s:s,s:b,s:o}", "mode", mode, "normalised", mean != NULL, "layers",
			 layers);
}

static void send_network(struct pytorch *p)
{
	static const float zeros[MLSCHED_MAX_WIDTH];
	const char *mode = p->runtime.type == &bench_pytorch ? "eager" : "script";
	struct sigaction before = ignore_sigpipe();
	uint32_t n_in = mlsched_model_inputs(p->runtime.model);
	const float *mean, *deviation;

	write_request(p, describe(p->runtime.model, mode));
	mlsched_model_normalization(p->runtime.model, &mean, &deviation);
	if (mean) {
		fwrite(mean, sizeof(float), n_in, p->to);
		fwrite(deviation, sizeof(float), n_in, p->to);
	}
	for (uint32_t l = 0; l < mlsched_model_layers(p->runtime.model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(p->runtime.model, l, &layer);
		fwrite(layer.weights, sizeof(float), (size_t)layer.n_in * layer.n_out, p->to);
		fwrite(layer.bias ? layer.bias : zeros, sizeof(float), layer.n_out, p->to);
	}
	fflush(p->to);
	sigaction(SIGPIPE, &before, NULL);
}

static int start(struct pytorch *p, const char *python, struct mlsched_error *err)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) != 0)
		return mls_error(err, -errno, "no pipe: %s", strerror(errno));
	if (pipe2(out, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return mls_error(err, -errno, "no pipe: %s", strerror(errno));
	}
	p->runtime.process = fork();
	if (p->runtime.process == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		/* Isolated: nothing beside the caller, and nothing of its environment, is imported. */
		execl(python, python, "-I", "-B", "-c", bench_pytorch_script, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p->to = fdopen(in[1], "w");
	p->from = fdopen(out[0], "r");
	return p->runtime.process > 0 && p->to && p->from ?
		       0 :
		       mls_error(err, -ENOMEM, "cannot run %s", python);
}

/* Whether that Python has PyTorch is not found out by seeing it fail: that tells people of errors. */
static bool has_torch(const char *python)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execl(python, python, "-I", "-c",
		      "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)",
		      (char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int open_process(struct pytorch *p, const char *python, struct mlsched_error *err)
{
	json_t *answer = NULL;
	const char *version, *file;
	int ret;

	if (access(python, X_OK) != 0 || !has_torch(python))
		return mls_error(err, -ENOENT,
				 "found no PyTorch: looked for that of %s; --pytorch-python names "
				 "another",
				 python);
	ret = start(p, python, err);
	if (ret)
		return ret;
	send_network(p);
	ret = read_answer(p, &answer, err);
	if (ret)
		return ret;
	if (json_unpack(answer, "{s:s,s:s}", "version", &version, "file", &file) == 0) {
		snprintf(p->runtime.version, sizeof(p->runtime.version), "%s", version);
		snprintf(p->runtime.from, sizeof(p->runtime.from), "%s", file);
	} else {
		ret = mls_error(err, -EBADMSG, "%s: not the JSON that is expected", SCRIPT);
	}
	json_decref(answer);
	return ret;
}

static int pytorch_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
			const char *path, const char *from, struct mlsched_error *err,
			struct bench_runtime **runtime)
{
	struct pytorch *p = calloc(1, sizeof(*p));
	int ret;

	(void)path;
	if (!p)
		return mls_error(err, -ENOMEM, "no memory for PyTorch");
	p->runtime.type = type;
	p->runtime.model = model;
	ret = open_process(p, from ? from : DEFAULT_PYTHON, err);
	if (ret) {
		pytorch_close(&p->runtime);
		return ret;
	}
	*runtime = &p->runtime;
	return 0;
}

static int pytorch_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			   float *out, struct mlsched_error *err)
{
	struct pytorch *p = (struct pytorch *)runtime;
	size_t n = n_rows * mlsched_model_outputs(runtime->model);
	json_int_t bytes = -1;
	json_t *answer;
	int ret;

	ret = ask(p, json_pack("{s:s,s:I}", "do", "predict", "rows", (json_int_t)n_rows), rows,
		  n_rows * mlsched_model_inputs(runtime->model), &answer, err);
	if (ret)
		return ret;
	json_unpack(answer, "{s:I}", "bytes", &bytes);
	json_decref(answer);
	if (bytes != (json_int_t)(n * sizeof(*out)) || fread(out, sizeof(*out), n, p->from) != n)
		return mls_error(err, -EBADMSG,
				 "expected %zu bytes of float32 from PyTorch, found %lld",
				 n * sizeof(*out), (long long)bytes);
	return 0;
}

static int pytorch_measure(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			   bool dependent, struct bench_result *result, struct mlsched_error *err)
{
	struct pytorch *p = (struct pytorch *)runtime;
	double *ns, clock = bench_clock();
	json_t *answer, *list;
	size_t n;
	int ret;

	ret = ask(p,
		  json_pack("{s:s,s:I,s:b}", "do", "measure", "rows", (json_int_t)n_rows,
			    "dependent", dependent),
		  rows, n_rows * mlsched_model_inputs(runtime->model), &answer, err);
	if (ret)
		return ret;
	list = json_object_get(answer, "ns");
	n = json_array_size(list);
	ns = calloc(n ? n : 1, sizeof(*ns));
	if (!n || !ns)
		ret = mls_error(err, -EBADMSG, "%s: not the JSON that is expected", SCRIPT);
	for (size_t i = 0; !ret && i < n; i++)
		ns[i] = json_number_value(json_array_get(list, i));
	if (!ret)
		bench_summarise(ns, n, (clock + bench_clock()) / 2, result);
	free(ns);
	json_decref(answer);
	return ret;
}

/* A request that is answered by one number. */
static int ask_number(struct bench_runtime *runtime, const char *what, double *number,
		      struct mlsched_error *err)
{
	json_t *answer;
	int ret = ask((struct pytorch *)runtime, json_pack("{s:s}", "do", what), NULL, 0, &answer,
		      err);

	if (ret)
		return ret;
	if (json_unpack(answer, "{s:F}", "number", number) != 0)
		ret = mls_error(err, -EBADMSG, "%s: not the JSON that is expected", SCRIPT);
	json_decref(answer);
	return ret;
}

static int pytorch_reload(struct bench_runtime *runtime, double *us, struct mlsched_error *err)
{
	return ask_number(runtime, "load", us, err);
}

static int pytorch_overhead(struct bench_runtime *runtime, struct mlsched_error *err)
{
	return ask_number(runtime, "overhead", &runtime->overhead, err);
}

/* Both by the same Python. */
#define PYTORCH(which, label)                           \
	{                                               \
		.key = which,                           \
		.title = label,                         \
		.language = "Python",                   \
		.option = "pytorch-python",             \
		.install = "apt install python3-torch", \
		.open = pytorch_open,                   \
		.predict = pytorch_predict,             \
		.measure = pytorch_measure,             \
		.overhead = pytorch_overhead,           \
		.reload = pytorch_reload,               \
		.close = pytorch_close,                 \
	}

const struct bench_runtime_type bench_pytorch = PYTORCH("pytorch", "PyTorch");
const struct bench_runtime_type bench_torchscript = PYTORCH("torchscript", "PyTorch, traced");
