// SPDX-License-Identifier: GPL-2.0
/*
 * The progress bar.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/cli/progress.h"
#include "src/util/clock.h"

#define SECOND    1000000000ULL
#define BAR_WIDTH 24
/* What is over before a person wonders shows no bar. */
#define QUIET_BEFORE (SECOND / 2)

void cli_progress_init(struct cli_progress *p, const char *unit, bool wanted)
{
	*p = (struct cli_progress){ .enabled = wanted && isatty(STDERR_FILENO),
				    .unit = unit,
				    .begin = mls_now_ns() };
}

const char *cli_format_count(double count, char *text)
{
	if (count >= 1e6)
		snprintf(text, 16, "%.2f M", count / 1e6);
	else if (count >= 1e4)
		snprintf(text, 16, "%.1f k", count / 1e3);
	else
		snprintf(text, 16, "%.0f", count);
	return text;
}

const char *cli_format_time(double seconds, char *text)
{
	unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;

	if (s < 60)
		snprintf(text, 32, "%lu s", s);
	else if (s < 3600)
		snprintf(text, 32, "%lu min %02lu s", s / 60, s % 60);
	else
		snprintf(text, 32, "%lu h %02lu min", s / 3600, s / 60 % 60);
	return text;
}

double cli_progress_rate(const struct cli_progress *p, double done)
{
	double seconds = (double)(mls_now_ns() - p->begin) / (double)SECOND;

	return p->begun && seconds > 0 ? (done - p->done_at_begin) / seconds : 0;
}

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

/* "[====>     ] " of what room there is between the words, or nothing. */
static void make_bar(char *bar, int room, double share)
{
	int width = room - 3 < BAR_WIDTH ? room - 3 : BAR_WIDTH, full;

	bar[0] = '\0';
	if (width < 4)
		return;
	full = (int)(share * width);
	*bar++ = '[';
	for (int i = 0; i < width; i++)
		*bar++ = i < full ? '=' : i == full ? '>' : ' ';
	strcpy(bar, "] ");
}

static void draw(struct cli_progress *p, double done, double total, const char *label,
		 const char *note)
{
	double share = total > 0 ? done / total : 1, rate = cli_progress_rate(p, done);
	char words[160], bar[BAR_WIDTH + 4], line[256], per_second[16], left[32];
	int width = terminal_width(), room;

	snprintf(words, sizeof(words), "%s  %s %s/s  %s left", note,
		 cli_format_count(rate, per_second), p->unit,
		 rate > 0 ? cli_format_time((total - done) / rate, left) : "?");
	room = width - 2 - (int)(strlen(label) + strlen(words));
	make_bar(bar, room, share);
	snprintf(line, sizeof(line), "%s %s%s", label, bar, words);
	/* A line that wraps could not be overwritten. */
	if (strlen(line) > (size_t)width - 1 && width < (int)sizeof(line))
		line[width - 1] = '\0';
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
	p->shown = true;
}

void cli_progress_update(struct cli_progress *p, double done, double total, const char *label,
			 const char *note)
{
	uint64_t t = mls_now_ns();

	if (!p->begun) {
		p->begun = true;
		p->begin = t;
		p->done_at_begin = done;
	}
	if (!p->enabled || t - p->begin < QUIET_BEFORE || t - p->drawn < SECOND / 10)
		return;
	p->drawn = t;
	draw(p, done, total, label, note);
}

void cli_progress_clear(struct cli_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
