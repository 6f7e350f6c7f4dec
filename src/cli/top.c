// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched top: a live view of a running scheduler, on a screen by ncurses, or
 * picture after picture into a pipe.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ncurses.h>

#include "src/cli/cli.h"
#include "src/cli/client.h"
#include "src/cli/run_control.h"
#include "src/cli/top_frame.h"
#include "src/util/clock.h"
#include "src/util/error.h"

/* A scheduler that is stopped holds up the keys no longer than this. */
#define ANSWER_SECONDS 2
#define PIPE_HEIGHT    24

enum { OPTION_SOCKET = 0x200, OPTION_BATCH, OPTION_INTERVAL, OPTION_COUNT };

struct top_options {
	struct cli_common common;
	const char *socket;
	bool batch;
	double interval; /* seconds */
	double count; /* pictures, 0: without end */
};

/**
 * struct top - the view
 * @client: NULL: not connected, @message says why
 * @known:  @now holds an answer, and @counts are those of the @span seconds before
 */
struct top {
	const struct top_options *options;
	struct client *client;
	bool known;
	double span;
	char message[MLSCHED_ERROR_SIZE];
	struct snapshot now;
	struct snapshot last;
	struct scheduler_counts counts;
	struct top_frame frame;
};

static const struct argp_option options[] = {
	{ "socket", OPTION_SOCKET, "PATH", 0, "Of the scheduler (" RUN_CONTROL_SOCKET ")", 0 },
	{ "batch", OPTION_BATCH, NULL, 0,
	  "Print picture after picture, as it is done where the output is no terminal", 0 },
	{ "interval", OPTION_INTERVAL, "SECONDS", 0, "Between two pictures (1)", 0 },
	{ "count", OPTION_COUNT, "N", 0, "End after N pictures", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_SOCKET:
		o->socket = arg;
		return 0;
	case OPTION_BATCH:
		o->batch = true;
		return 0;
	case OPTION_INTERVAL:
		o->interval = cli_real(state, "interval", arg, 0.05, 1e6);
		return 0;
	case OPTION_COUNT:
		o->count = floor(cli_real(state, "count", arg, 1, 1e9));
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "A live view of a running scheduler (that of `mlsched run`, backend scx): its domains, "
	       "decisions a second by kind, waits for a CPU.\v"
	       "Keys: a, s and c switch to active, shadow and collect, q ends.  The first picture "
	       "is about the time since the scheduler's start.\n\n"
	       "EXAMPLES\n"
	       "  mlsched top\n"
	       "  mlsched top --batch --interval 5 --count 12\n",
	.children = children,
};

/* ---- what is shown ------------------------------------------------------------------ */

static void disconnect(struct top *t, const struct mlsched_error *err)
{
	snprintf(t->message, sizeof(t->message), "%s", err->message);
	client_close(t->client);
	t->client = NULL;
}

/* Asks for the state; after a failure it connects anew the next time. */
static int look(struct top *t)
{
	struct mlsched_error err;
	json_t *answer = NULL;
	int ret = t->client ? 0 : client_open(t->options->socket, &err, &t->client);

	if (!ret)
		ret = client_ask(t->client, json_pack("{s:s}", "request", "stats"), ANSWER_SECONDS,
				 &answer, &err);
	if (!ret && t->known)
		t->last = t->now;
	if (!ret)
		ret = snapshot_parse(answer, &t->now, &err);
	json_decref(answer);
	if (ret) {
		t->known = false;
		disconnect(t, &err);
		return ret;
	}
	t->message[0] = '\0';
	t->counts = t->now.counts;
	t->span = t->now.seconds;
	if (t->known && snapshot_since(&t->now, &t->last, &t->counts, NULL) == 0)
		t->span = t->now.seconds - t->last.seconds;
	else
		t->counts = t->now.counts;
	t->known = true;
	return 0;
}

static void set_mode(struct top *t, enum mls_policy_mode mode)
{
	struct mlsched_error err;
	json_t *answer = NULL;
	int ret;

	if (!t->client)
		return;
	ret = client_ask(t->client,
			 json_pack("{s:s, s:s}", "request", "mode", "mode",
				   snapshot_mode_names[mode]),
			 ANSWER_SECONDS, &answer, &err);
	json_decref(answer);
	if (ret == -EREMOTEIO)
		snprintf(t->message, sizeof(t->message), "%s", err.message);
	else if (ret)
		disconnect(t, &err);
	else
		t->now.mode = mode;
}

/* ---- into a pipe ---------------------------------------------------------------------- */

static int run_batch(struct top *t)
{
	const struct top_options *o = t->options;
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	for (double i = 0;; i++) {
		if (look(t) != 0)
			return cli_fail(&o->common, "%s", t->message);
		if (o->common.json) {
			cli_json(snapshot_json("stats", &t->now));
		} else {
			top_frame_make(&t->frame, &t->now, &t->counts, t->span, PIPE_HEIGHT);
			for (uint32_t line = 0; line < t->frame.n; line++)
				puts(t->frame.text[line]);
			putchar('\n');
			fflush(stdout);
		}
		if ((o->count > 0 && i + 1 >= o->count) || ferror(stdout))
			return CLI_OK;
		at.tv_sec += (time_t)o->interval;
		at.tv_nsec += (long)(fmod(o->interval, 1) * 1e9);
		if (at.tv_nsec >= 1000000000) {
			at.tv_nsec -= 1000000000;
			at.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
	}
}

/* ---- on a screen ------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void draw(struct top *t)
{
	static const attr_t styles[] = {
		[TOP_PLAIN] = A_NORMAL,
		[TOP_HEAD] = A_REVERSE,
		[TOP_TITLE] = A_BOLD,
	};
	int height = LINES, width = COLS;

	erase();
	t->frame.n = 0;
	if (t->now.version[0])
		top_frame_make(&t->frame, &t->now, &t->counts, t->span,
			       height > 2 ? (uint32_t)height : 2);
	for (int y = 0; y < (int)t->frame.n && y < height - 1; y++) {
		attrset(styles[t->frame.style[y]]);
		mvaddnstr(y, 0, t->frame.text[y], width);
	}
	attrset(A_REVERSE);
	if (t->message[0])
		mvprintw(height - 1, 0, " %.*s ", width > 2 ? width - 2 : 0, t->message);
	else
		mvprintw(height - 1, 0, "%.*s", width, " a active  s shadow  c collect  q quit ");
	attrset(A_NORMAL);
	refresh();
}

/* Return: whether that was the end. */
static bool on_key(struct top *t, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return true;
	case 'a':
		set_mode(t, MLS_POLICY_ACTIVE);
		break;
	case 's':
		set_mode(t, MLS_POLICY_SHADOW);
		break;
	case 'c':
		set_mode(t, MLS_POLICY_COLLECT);
		break;
	default:
		break;
	}
	/* Also after a change of the window's size, which comes as a key. */
	draw(t);
	return false;
}

/* Who ignores SIGHUP gets no keys then, and gets them at once. */
static bool is_terminal_gone(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&terminal, 1, 0) > 0 && terminal.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static void watch_screen(struct top *t)
{
	const struct top_options *o = t->options;
	double next = mls_now_s(), shown = 0;

	for (;;) {
		double left = next - mls_now_s();
		int key;

		if (left <= 0) {
			look(t);
			draw(t);
			next = mls_now_s() + o->interval;
			if (o->count > 0 && ++shown >= o->count)
				return;
			continue;
		}
		timeout((int)(left * 1000) + 1);
		key = getch();
		if (interrupted || (key == ERR ? is_terminal_gone() : on_key(t, key)))
			return;
	}
}

static int run_screen(struct top *t)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	SCREEN *screen;

	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return run_batch(t);
	/* After ncurses has set its own, which end the process. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	watch_screen(t);
	endwin();
	delscreen(screen);
	return CLI_OK;
}

int cli_top(int argc, char **argv)
{
	struct top_options o = { .common.command = argv[0], .interval = 1 };
	struct mlsched_error err;
	struct top *t;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	t = calloc(1, sizeof(*t));
	if (!t)
		return cli_fail(&o.common, "no memory for the view");
	t->options = &o;
	/* Where none runs there is nothing to wait for. */
	if (client_open(o.socket, &err, &t->client) != 0)
		status = cli_fail(&o.common, "%s", err.message);
	else if (o.batch || o.common.json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		status = run_batch(t);
	else
		status = run_screen(t);
	client_close(t->client);
	free(t);
	return status;
}
