// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler without a kernel: everything of `mlsched run --backend scx` that
 * is reached from outside, the control socket, metrics, changes of the model,
 * over scx_without_kernel.c.  With it the commands are tested where there is no
 * sched_ext.
 *
 *	fake_scx OPTION...      those of mlsched run's control, --model PATH, and
 *	                        --engine NAME: one of user space, which is asked as
 *	                        the daemon asks it, but answers at once, and
 *	                        --sandbox: what `mlsched run` gives up is given up
 *
 * Ends with SIGTERM.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "src/cli/run.h"
#include "src/host/shadow.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "src/util/clock.h"
#include "tests/fake/scx_without_kernel.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->control;
		return 0;
	case 'm':
		o->model = arg;
		return 0;
	case 'e':
		o->engine = arg;
		return 0;
	case 't':
		o->tensorflow_library = arg;
		return 0;
	case 's':
		o->no_sandbox = false;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int load(struct mls_scx *s, struct run_view *view, const struct run_options *o,
		struct mlsched_error *err)
{
	struct mlsched_qmodel *fixed;
	struct mlsched_model *model;
	int ret = mlsched_model_load(o->model, err, &model);

	if (!ret)
		ret = mls_shadow_quantize(model, &s->topology, &view->report, err, &fixed);
	if (!ret)
		ret = mls_tuning_of(model, &view->tuning, err);
	if (ret)
		return ret;
	view->mechanisms = view->tuning.mechanisms;
	if (o->engine) {
		mlsched_qmodel_free(fixed);
		ret = mls_engine_open(o->engine, model, o->model, o->tensorflow_library, err,
				      &view->engine);
		view->model = model;
		view->model_path = o->model;
		if (!ret)
			ret = mls_requests_open(view->engine, MLS_VERDICT_AGE, err, &s->requests);
		return ret ? ret : mls_requests_attach(s->requests, -1, s->answers, err);
	}
	view->model = model;
	view->fixed = fixed;
	view->model_path = o->model;
	s->slots[0] = calloc(1, mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	s->active = 0;
	return mls_qnet_pack(mls_qmodel_net(fixed), MLS_SCX_SLOT_WIDTH, false, s->slots[0], err);
}

static int serve(struct run_control *control, int signals)
{
	struct pollfd fds[] = {
		{ .fd = run_control_fd(control), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents)
			run_control_handle(control);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "model", 'm', "PATH", 0, NULL, 0 },
		{ "engine", 'e', "NAME", 0, NULL, 0 },
		{ "tensorflow-library", 't', "PATH", 0, NULL, 0 },
		{ "sandbox", 's', NULL, 0, NULL, 0 },
		{ 0 },
	};
	static const struct argp_child children[] = {
		{ &cli_common_argp, 0, NULL, 0 },
		{ &run_control_argp, 0, NULL, 0 },
		{ 0 },
	};
	static const struct argp argp = { options, parse, NULL, NULL, children, NULL, NULL };
	static struct mls_scx scx;
	struct run_options o = {
		.common.command = argv[0],
		.backend = "scx",
		.no_sandbox = true,
		.control = RUN_CONTROL_OPTIONS,
	};
	struct run_view view = { .common = &o.common };
	struct run_control *control = NULL;
	struct mlsched_error err;
	sigset_t set;
	int ret = 0;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fake_scx_init(&scx);
	if (o.model)
		ret = load(&scx, &view, &o, &err);
	if (!ret)
		ret = run_control_open(&o, &view, &err, &control);
	if (!ret)
		ret = run_control_start(control, &scx, scx.requests, mls_now_ns(), &err);
	if (ret)
		return cli_fail(&o.common, "%s", err.message);
	o.engine = o.engine ? o.engine : "kernel";
	if (run_sandbox(&o) != CLI_OK)
		return CLI_FAILURE;
	cli_json(run_control_json(control));
	ret = serve(control, signalfd(-1, &set, SFD_CLOEXEC));
	run_control_close(control);
	fake_scx_clear(&scx);
	mls_requests_close(scx.requests);
	mls_engine_close(view.engine);
	mlsched_qmodel_free((struct mlsched_qmodel *)view.fixed);
	mlsched_model_free((struct mlsched_model *)view.model);
	return ret;
}
