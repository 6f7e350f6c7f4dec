// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched run: chooses backend and engine, loads the model once, and runs
 * until it is told to stop.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/run.h"
#include "src/cli/snapshot.h"
#include "src/cli/tuning.h"
#include "src/host/prepare.h"
#include "src/host/scx.h"
#include "src/util/clock.h"
#include "src/util/error.h"

/*
 * Where nobody named a model.  Of the first kind the recorder of the kernel's moves can fill all
 * inputs; the other one was trained for our own scheduler.
 */
#define DEFAULT_MODEL "src/model_dir/model_path"
#define TRAINED_MODEL "models/default"
#define TRAINED_PLACE "../share/mlsched/model" /* from the directory of the program */
#define TICK_NS       20000000ull

enum {
	OPTION_BACKEND = 0x200,
	OPTION_ENGINE,
	OPTION_INTERVAL,
	OPTION_DOMAINS,
	OPTION_HALF_LIFE,
	OPTION_WINDOW,
	OPTION_THRESHOLD,
	OPTION_STATS,
	OPTION_MODE,
	OPTION_LIMIT,
	OPTION_NO_SANDBOX,
	OPTION_VERDICT_AGE,
	OPTION_TENSORFLOW,
	OPTION_PARTIAL,
	OPTION_RECORD,
	OPTION_APPEND,
	OPTION_MECHANISMS,
	OPTION_EXPLORE
};

static const char default_model[] = DEFAULT_MODEL;

static const struct argp_option options[] = {
	{ "backend", OPTION_BACKEND, "NAME", 0,
	  "Who carries out verdicts: scx: our own scheduler, where the kernel has sched_ext; "
	  "shadow: the kernel's goes on deciding and the model judges each of its migrations; "
	  "auto (the default): scx where this kernel takes it and no other scheduler of that kind "
	  "is attached, else shadow",
	  0 },
	{ "mode", OPTION_MODE, "NAME", 0,
	  "Of the scx backend: active (the model decides, inside the rules), shadow (the model is "
	  "asked, the heuristic decides), or collect (the heuristic decides, no model is needed); "
	  "active is the default, but shadow where nobody named a model or a backend and the one "
	  "trained for this scheduler is not there",
	  0 },
	{ "engine", OPTION_ENGINE, "NAME", 0,
	  "Who computes the network: kernel (fixed point, in the kernel at the moment of the "
	  "decision), native (float32, in this program), tensorflow (TensorFlow's C library, "
	  "loaded by this program), or auto (the default): kernel with scx, native with shadow",
	  0 },
	{ "model", 'm', "PATH", 0,
	  "The model, a SavedModel directory, or an ONNX or LiteRT file (with scx " TRAINED_MODEL
	  ", which was trained for this scheduler, or the one that was installed with the program; "
	  "with shadow, or where these are not there, " DEFAULT_MODEL ")",
	  0 },
	{ "duration", 'd', "SECONDS", 0, "Stop by itself after that time", 0 },
	{ "interval", OPTION_INTERVAL, "SECONDS", 0, "Between two lines (1)", 0 },
	{ "domains", OPTION_DOMAINS, "N", 0,
	  "Make N groups of cores, instead of what shares a last-level cache (on a machine with "
	  "one: instead of two groups, or one of every four cores where that is more)",
	  0 },
	{ "half-life", OPTION_HALF_LIFE, "MS", 0, "Of the load averages, 1 to 60000 (32)", 0 },
	{ "window", OPTION_WINDOW, "MS", 0,
	  "For which a migrated task is followed, 1 to 4000 (100)", 0 },
	{ "limit", OPTION_LIMIT, "MS", 0,
	  "A task that has waited longer than that, 5 to 2000 (100), may move whatever the model "
	  "says (scx)",
	  0 },
	{ "threshold", OPTION_THRESHOLD, "P", 0,
	  "Migrate when the model's probability is above P (what the model says)", 0 },
	{ "verdict-age", OPTION_VERDICT_AGE, "MS", 0,
	  "Of engines outside the kernel (scx): a verdict counts for so long after its request, "
	  "0.1 to 1000 (16), for the same move of the same task; without one the heuristic decides",
	  0 },
	{ "tensorflow-library", OPTION_TENSORFLOW, "PATH", 0,
	  "libtensorflow.so.2, or libtensorflow_cc.so.2 of a Python package, for --engine "
	  "tensorflow (looked for)",
	  0 },
	{ "stats", OPTION_STATS, NULL, 0,
	  "Measure the cost of the recorder all the time (with -v too), not only in the first "
	  "interval",
	  0 },
	{ "partial", OPTION_PARTIAL, NULL, 0,
	  "Schedule only tasks that ask for it, by the policy SCHED_EXT: the kernel's own scheduler "
	  "keeps the others (scx)",
	  0 },
	{ "record", OPTION_RECORD, "FILE", 0,
	  "Write each decision and what came of it to a recording, a SQLite file", 0 },
	{ "append", OPTION_APPEND, NULL, 0, "Go on behind what is in the recording's file", 0 },
	{ "mechanisms", OPTION_MECHANISMS, "LIST", 0,
	  "What makes it cheap that a task stays, separated by commas (none; all; scx): "
	  "fork-in-place (a new task stays with a parent that sleeps at once), preempt-short (a "
	  "short task takes the place of a long one where no CPU of the domain is idle), ask-again "
	  "(an idle CPU that was refused a task asks again after 300 us), level-large (no model is "
	  "asked where one queue is far too long)",
	  0 },
	{ "explore", OPTION_EXPLORE, "SHARE", 0,
	  "Let a coin take that share of the decisions, up to 0.2 (0), and write down with what "
	  "chance each was made, so that other models can be judged by the recording (scx)",
	  0 },
	{ "no-sandbox", OPTION_NO_SANDBOX, NULL, 0,
	  "Keep all privileges while it runs: for debuggers and sanitizers", 0 },
	{ 0 },
};

static const char *one_of(struct argp_state *state, const char *option, const char *text,
			  const char *const *names)
{
	for (size_t i = 0; names[i]; i++) {
		if (strcmp(names[i], text) == 0)
			return names[i];
	}
	argp_error(state, "--%s: \"%s\" is none of those that --help lists", option, text);
	return text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const backends[] = { "auto", "scx", "shadow", NULL };
	static const char *const engines[] = { "auto", "kernel", "native", "tensorflow", NULL };
	static const char *const modes[] = { "collect", "shadow", "active", NULL };
	struct run_options *o = state->input;
	double value;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->control;
		return 0;
	case OPTION_BACKEND:
		o->backend = one_of(state, "backend", arg, backends);
		return 0;
	case OPTION_ENGINE:
		o->engine = one_of(state, "engine", arg, engines);
		return 0;
	case 'm':
		o->model = arg;
		return 0;
	case 'd':
		o->duration = cli_real(state, "duration", arg, 0.001, 1e9);
		return 0;
	case OPTION_INTERVAL:
		o->interval = cli_real(state, "interval", arg, 0.02, 1e6);
		return 0;
	case OPTION_DOMAINS:
		value = cli_real(state, "domains", arg, 1, MLS_MAX_DOMAINS);
		if (value != floor(value))
			argp_error(state, "--domains: expected a whole number, got \"%s\"", arg);
		o->n_domains = (uint32_t)value;
		return 0;
	case OPTION_HALF_LIFE:
		o->half_life = cli_real(state, "half-life", arg, 1, 60000);
		return 0;
	case OPTION_WINDOW:
		o->window = cli_real(state, "window", arg, 1, 4000);
		return 0;
	case OPTION_THRESHOLD:
		o->threshold = cli_real(state, "threshold", arg, 1e-6, 1 - 1e-6);
		return 0;
	case OPTION_MODE:
		o->mode = one_of(state, "mode", arg, modes);
		return 0;
	case OPTION_LIMIT:
		o->limit = cli_real(state, "limit", arg, 5, 2000);
		return 0;
	case OPTION_VERDICT_AGE:
		o->verdict_age = cli_real(state, "verdict-age", arg, MLS_VERDICT_MIN_AGE / 1e6,
					  MLS_VERDICT_MAX_AGE / 1e6);
		return 0;
	case OPTION_TENSORFLOW:
		o->tensorflow_library = arg;
		return 0;
	case OPTION_STATS:
		o->stats = true;
		return 0;
	case OPTION_PARTIAL:
		o->partial = true;
		return 0;
	case OPTION_MECHANISMS:
		o->mechanisms = cli_mechanisms(state, arg);
		o->mechanisms_given = true;
		return 0;
	case OPTION_NO_SANDBOX:
		o->no_sandbox = true;
		return 0;
	case OPTION_RECORD:
		o->record.path = arg;
		return 0;
	case OPTION_EXPLORE:
		o->explore = cli_real(state, "explore", arg, 0, MLS_SCX_MAX_EXPLORE);
		return 0;
	case OPTION_APPEND:
		o->record.append = true;
		return 0;
	case ARGP_KEY_END:
		if (o->record.append && !o->record.path)
			argp_error(state, "--append needs --record FILE");
		if (o->explore > 0 && !o->record.path)
			argp_error(state, "--explore needs --record FILE");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &cli_common_argp, 0, NULL, 0 },
	{ &run_control_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Schedules with a learned model where the kernel has sched_ext, and judges the "
	       "migrations of the kernel's own scheduler by it elsewhere.\v"
	       "Needs root and a kernel with BTF.  Every interval one line is printed, at the end "
	       "(--duration, Ctrl+C) a summary; with -v (shadow) each decision and what became of "
	       "it, with --json documents, one a line.  Status 3: the kernel has taken the "
	       "scheduler out, and says why.\n\n"
	       "EXAMPLES\n"
	       "  mlsched run --duration 10\n"
	       "  mlsched run --model my_model\n"
	       "  mlsched run --backend scx --mode collect\n"
	       "  mlsched run --backend shadow -v --model my_model --threshold 0.7\n"
	       "  mlsched run --json --duration 60 > decisions.json\n"
	       "  mlsched run --record week.db --duration 604800\n",
	.children = children,
};

/* Which backend, and why; NULL when there is none, with the reason printed. */
static const char *choose_backend(struct run_options *o, char *why, size_t size)
{
	struct mlsched_error err;

	if (strcmp(o->backend, "shadow") == 0)
		return "as asked for";
	o->automatic = strcmp(o->backend, "auto") == 0;
	if (mls_scx_usable("/sys", &o->kernel, &err) == 0) {
		o->backend = "scx";
		return o->automatic ? "this kernel has sched_ext, and nothing else is attached" :
				      "as asked for";
	}
	if (!o->automatic) {
		cli_fail(&o->common, "--backend scx: %s; --backend shadow works", err.message);
		return NULL;
	}
	o->backend = "shadow";
	snprintf(why, size, "%s", err.message);
	return why;
}

/* The model that was trained for our own scheduler: of the source tree, or installed; NULL: none. */
static const char *find_trained(char *path, size_t size)
{
	static const char file[] = "/saved_model.pb";
	char program[PATH_MAX], seen[PATH_MAX + sizeof(file)];
	ssize_t length;

	if (access(TRAINED_MODEL "/saved_model.pb", R_OK) == 0)
		return TRAINED_MODEL;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length <= 0)
		return NULL;
	program[length] = 0;
	*strrchr(program, '/') = 0;
	if ((size_t)snprintf(path, size, "%s/" TRAINED_PLACE, program) >= size)
		return NULL;
	snprintf(seen, sizeof(seen), "%s%s", path, file);
	return access(seen, R_OK) == 0 ? path : NULL;
}

/* Once the backend is known: a model, if nobody named one, and whether it decides. */
static void choose_model(struct run_options *o, struct run_view *view, char *path, size_t size)
{
	if (!o->model || o->model_is_ours) { /* or once more, for another backend */
		o->model = strcmp(o->backend, "scx") == 0 ? find_trained(path, size) : NULL;
		if (!o->model)
			o->model = default_model;
		o->model_is_ours = true;
	}
	view->model_path = o->model;
	view->mode_why = NULL;
	if (o->mode || !o->automatic || o->model != default_model || strcmp(o->backend, "scx") != 0)
		return;
	o->mode = "shadow";
	view->mode_why = "nobody named a model, the one trained for this scheduler (" TRAINED_MODEL
			 ") is not there, and this one imitates the kernel and has not been shown "
			 "to pay; --mode active lets it decide, or `mlsched model mode active` now";
}

enum event { EVENT_TICK, EVENT_INTERVAL, EVENT_DURATION, EVENT_SIGNAL, EVENTS };

struct loop {
	struct run_view view;
	bool stats; /* all the time */
	bool stopping;
	bool done;
	int epoll;
	int fds[EVENTS];
};

int run_timer(double first, double again)
{
	struct itimerspec spec = {
		.it_value = { (time_t)first, (long)(fmod(first, 1) * 1e9) },
		.it_interval = { (time_t)again, (long)(fmod(again, 1) * 1e9) },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &spec, NULL) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int signals(void)
{
	struct sigaction hangup;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* Ignored under nohup; blocked it would come through all the same. */
	if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
		sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_loop(struct loop *loop, const struct run_options *o)
{
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->fds[EVENT_TICK] = run_timer(TICK_NS / 1e9, TICK_NS / 1e9);
	loop->fds[EVENT_INTERVAL] = run_timer(o->interval, o->interval);
	loop->fds[EVENT_DURATION] = run_timer(o->duration, 0);
	if (loop->epoll < 0)
		return -errno;
	for (int i = 0; i < EVENTS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		if (loop->fds[i] < 0 ||
		    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->fds[i], &event) != 0)
			return -errno;
	}
	return 0;
}

static void close_loop(struct loop *loop)
{
	/* The signals' was there before the loop and is cli_run()'s to close. */
	for (int i = 0; i < EVENTS; i++) {
		if (i != EVENT_SIGNAL && loop->fds[i] >= 0)
			close(loop->fds[i]);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
}

static void on_decision(void *context, const struct mls_decision *decision)
{
	struct loop *loop = context;
	bool accepted = decision->verdict.migrate;
	bool same = accepted == decision->native.migrate;

	loop->view.interval.same_verdict += same;
	loop->view.total.same_verdict += same;
	loop->view.interval.same_integers += decision->same_integers;
	loop->view.total.same_integers += decision->same_integers;

	mls_account_add(&loop->view.interval, decision->move, accepted, decision->inference_ns);
	mls_account_add(&loop->view.total, decision->move, accepted, decision->inference_ns);
	if (loop->view.common->verbosity > 0)
		run_show_decision(&loop->view, decision);
	if (loop->view.record) {
		struct mls_recorded row;

		mls_record_move(decision->move, &decision->verdict, &row);
		run_record_row(loop->view.record, &row);
	}
}

static void count_recorded(struct loop *loop)
{
	struct mls_recorder_counts counts;

	mls_recorder_counts(mls_shadow_recorder(loop->view.shadow), &counts);
	run_record_moves(loop->view.record, &counts);
}

/* The first request to stop waits for the outcomes of open decisions, the second does not. */
static void stop(struct loop *loop)
{
	if (loop->stopping)
		loop->done = true;
	loop->stopping = true;
	mls_recorder_stop(mls_shadow_recorder(loop->view.shadow));
}

static void on_tick(struct loop *loop)
{
	struct mls_recorder_counts counts;

	mls_notify_alive(&loop->view.notify, mls_now_ns());
	mls_shadow_poll(loop->view.shadow, false, on_decision, loop);
	if (!loop->stopping)
		return;
	mls_recorder_counts(mls_shadow_recorder(loop->view.shadow), &counts);
	loop->done = counts.delivered == counts.taken;
}

static void on_interval(struct loop *loop)
{
	struct mls_recorder *recorder = mls_shadow_recorder(loop->view.shadow);

	if (loop->stopping)
		return;
	run_show_interval(&loop->view, mls_now_ns());
	count_recorded(loop);
	run_record_look(loop->view.record);
	mls_notify(&loop->view.notify, "STATUS=shadow: %llu migrations judged",
		   (unsigned long long)mls_account_moves(&loop->view.total));
	/* Nobody will read the rest: main() says why. */
	if (ferror(stdout))
		stop(loop);
	/* A file that cannot be read for once changes nothing. */
	mls_recorder_refresh(recorder, NULL);
	if (!loop->stats)
		mls_recorder_stats(recorder, false, NULL);
}

static void handle(struct loop *loop, enum event event)
{
	struct signalfd_siginfo info;
	uint64_t times;

	if (event == EVENT_SIGNAL) {
		while (read(loop->fds[event], &info, sizeof(info)) == sizeof(info))
			stop(loop);
		return;
	}
	if (read(loop->fds[event], &times, sizeof(times)) != sizeof(times))
		return;
	if (event == EVENT_TICK)
		on_tick(loop);
	else if (event == EVENT_INTERVAL)
		on_interval(loop);
	else if (!loop->stopping)
		stop(loop);
}

static int run_loop(struct loop *loop)
{
	struct epoll_event events[EVENTS];

	while (!loop->done) {
		int n = epoll_wait(loop->epoll, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !loop->done; i++)
			handle(loop, (enum event)events[i].data.u32);
	}
	mls_shadow_poll(loop->view.shadow, true, on_decision, loop);
	return 0;
}

static int open_record(const struct run_options *o, struct loop *loop)
{
	int status = run_record_open_moves(
		&o->common, &o->record, mls_shadow_recorder(loop->view.shadow), &loop->view.record);

	run_record_model(loop->view.record, "shadow", run_engine_name(&loop->view), o->model,
			 loop->view.model, 0);
	return status;
}

static int run(const struct run_options *o, struct loop *loop)
{
	struct mls_shadow_options shadow = {
		.recorder = {
			.n_domains = o->n_domains,
			.half_life = (uint64_t)(o->half_life * 1e6),
			.window = (uint64_t)(o->window * 1e6),
		},
		.model = loop->view.model,
		.fixed = loop->view.fixed,
		.engine = loop->view.engine,
	};
	struct mlsched_error err;
	int recorded, ret;

	if (mls_shadow_open(&shadow, &err, &loop->view.shadow) != 0)
		return cli_fail(&o->common, "%s", err.message);
	if (open_record(o, loop) != CLI_OK) {
		mls_shadow_close(loop->view.shadow);
		return CLI_FAILURE;
	}
	loop->view.started = mls_now_ns();
	mls_recorder_stats(mls_shadow_recorder(loop->view.shadow), true, NULL);
	ret = open_loop(loop, o);
	if (!ret && (run_sandbox(o) != CLI_OK || run_record_start(loop->view.record) != CLI_OK)) {
		run_record_end(loop->view.record, NULL);
		close_loop(loop);
		mls_shadow_close(loop->view.shadow);
		return CLI_FAILURE;
	}
	if (!ret) {
		run_show_start(&loop->view);
		mls_notify(&loop->view.notify,
			   "READY=1\nSTATUS=shadow: watching the kernel's scheduler");
		ret = run_loop(loop);
		mls_notify(&loop->view.notify, "STOPPING=1");
	}
	count_recorded(loop);
	recorded = run_record_end(loop->view.record, &loop->view.recorded);
	if (ret)
		ret = cli_fail(&o->common, "waiting for events: %s", strerror(-ret));
	else
		run_show_summary(&loop->view, mls_now_ns());
	ret = ret ? ret : recorded;
	json_decref(loop->view.recorded);
	close_loop(loop);
	mls_shadow_close(loop->view.shadow);
	return ret;
}

/* Loads the model, with the threshold and in the form that the options ask for. */
static int get_model(const struct run_options *o, struct run_view *view,
		     struct mlsched_model **model, struct mlsched_qmodel **fixed)
{
	struct mls_topology topology;
	struct mlsched_error err;
	int ret = mlsched_model_load(o->model, &err, model);

	if (!ret && o->threshold > 0)
		ret = mls_model_with_threshold(model, o->threshold, &err);
	/* Says what is wrong with the model's shape before anything else does. */
	if (!ret && (ret = mlsched_model_fits_scheduler(*model, &err)) != 0)
		mls_error_prefix(&err, ret, "%s", o->model);
	if (!ret && run_wants_kernel(o)) {
		ret = mls_topology_read("/sys", o->n_domains, &topology, &err);
		if (!ret)
			ret = mls_shadow_quantize(*model, &topology, &view->report, &err, fixed);
	}
	view->model = *model;
	view->fixed = *fixed;
	if (ret == -ENOENT && o->model == default_model)
		return cli_fail(
			&o->common,
			"%s (`make model` in the source tree makes it; --model names another)",
			err.message);
	return ret ? cli_fail(&o->common, "%s", err.message) : run_open_engine(o, view);
}

/* Options that contradict each other or the backend; 0, or the failure printed. */
static int check_backend(const struct run_options *o, const struct run_view *view)
{
	if (strcmp(o->backend, "scx") == 0)
		return 0;
	if (o->partial)
		return cli_fail(&o->common,
				"--partial needs --backend scx, and the backend is shadow (%s)",
				view->backend_why);
	if (o->mechanisms)
		return cli_fail(&o->common,
				"--mechanisms needs --backend scx, and the backend is shadow (%s)",
				view->backend_why);
	if (o->explore > 0)
		return cli_fail(&o->common,
				"--explore needs --backend scx, and the backend is shadow (%s)",
				view->backend_why);
	if (!o->mode || strcmp(o->mode, "shadow") == 0)
		return 0;
	return cli_fail(&o->common, "--mode %s needs --backend scx, and the backend is shadow (%s)",
			o->mode, view->backend_why);
}

static bool wants_model(const struct run_options *o)
{
	return strcmp(o->backend, "scx") != 0 || !o->mode || strcmp(o->mode, "collect") != 0;
}

/*
 * The model in the form that the backend wants, then the backend.
 *
 * Return: an exit status; -errno when the scheduler could not be attached, with
 * the reason in @err.
 */
static int run_backend(const struct run_options *o, struct loop *loop, struct mlsched_error *err)
{
	struct mlsched_model *model = NULL;
	struct mlsched_qmodel *fixed = NULL;
	struct run_view *view = &loop->view;
	int status = CLI_FAILURE;

	view->engine_why = run_engine_why(o);
	if (check_backend(o, view) == 0 &&
	    (!wants_model(o) || get_model(o, view, &model, &fixed) == 0))
		status = strcmp(o->backend, "scx") == 0 ?
				 run_scx(o, view, loop->fds[EVENT_SIGNAL], err) :
				 run(o, loop);
	mls_engine_close(view->engine);
	mlsched_qmodel_free(fixed);
	mlsched_model_free(model);
	view->engine = NULL;
	view->fixed = NULL;
	view->model = NULL;
	return status;
}

/* The kernel seemed to take our scheduler and does not: whoever did not ask for it gets shadow. */
static int run_shadow_instead(struct run_options *o, struct loop *loop, int ret,
			      struct mlsched_error *err)
{
	char why[2 * MLSCHED_ERROR_SIZE];

	snprintf(why, sizeof(why), "scx was tried: %s", err->message);
	/* Without privileges shadow says the same in its own words. */
	if (ret != -EPERM && ret != -EACCES)
		cli_note(&o->common, "%s; going on in shadow", why);
	o->backend = "shadow";
	loop->view.backend_why = why;
	choose_model(o, &loop->view, NULL, 0);
	return run_backend(o, loop, err);
}

int cli_run(int argc, char **argv)
{
	struct run_options o = {
		.common.command = argv[0],
		.backend = "auto",
		.engine = "auto",
		.interval = 1,
		.control = RUN_CONTROL_OPTIONS,
	};
	struct mlsched_error err;
	struct loop *loop;
	int status = CLI_FAILURE;
	char why[MLSCHED_ERROR_SIZE], model[PATH_MAX];

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (run_record_check(&o.common, &o.record, o.window) != CLI_OK)
		return CLI_FAILURE;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return cli_fail(&o.common, "no memory");
	/* From here on Ctrl+C ends with a summary. */
	loop->fds[EVENT_SIGNAL] = signals();
	loop->stats = o.stats || o.common.verbosity > 0;
	if (mls_notify_open(&loop->view.notify, &err) != 0)
		cli_note(&o.common, "%s", err.message);
	loop->view.common = &o.common;
	loop->view.half_life = o.half_life > 0 ? (uint64_t)(o.half_life * 1e6) :
						 MLS_RECORDER_HALF_LIFE;
	loop->view.backend_why = choose_backend(&o, why, sizeof(why));
	choose_model(&o, &loop->view, model, sizeof(model));
	if (loop->view.backend_why)
		status = run_backend(&o, loop, &err);
	if (status < 0)
		status = o.automatic ? run_shadow_instead(&o, loop, status, &err) :
				       cli_fail(&o.common, "%s", err.message);
	mls_notify_close(&loop->view.notify);
	close(loop->fds[EVENT_SIGNAL]);
	free(loop);
	return status;
}
