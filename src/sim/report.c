// SPDX-License-Identifier: GPL-2.0
/* The page of a sweep: HTML with drawings in SVG, one file. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/report.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Of the drawings, in px. */
#define WIDTH   1120
#define LEFT    64
#define LLC_GAP 6
#define CURVES  260 /* height */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>mlsched sim</title>\n<style>\n"
	":root{--ink:#1b1f24;--dim:#667;--line:#d8dce2;--ground:#fff;--row:#f2f4f7;--move:#c0392b}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#9aa3ad;--line:#3a414a;"
	"--ground:#15181c;--row:#20252b;--move:#ff7b6b}}\n"
	"body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--ground);"
	"max-width:1120px;margin:2em auto;padding:0 1em}\n"
	"h1{font-size:22px}h2{font-size:18px;margin-top:2em;border-top:1px solid var(--line);"
	"padding-top:1em}h3{font-size:14px;margin:1.2em 0 .3em}\n"
	"p.note{color:var(--dim)}div.wide{overflow-x:auto}\n"
	"table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:right;"
	"border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;white-space:nowrap}\n"
	"th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:500}\n"
	"svg text{fill:var(--dim);font-size:11px}svg .row{fill:var(--row)}"
	"svg .grid{stroke:var(--line)}svg .move{stroke:var(--move);stroke-width:1.5}\n"
	"</style></head><body>\n";

/* Colours that are told apart also by who sees red and green alike. */
static const char *const colours[] = { "#0072b2", "#e69f00", "#009e73", "#cc79a7",
				       "#d55e00", "#56b4e9", "#999933", "#882255" };

static const char *colour_of(uint32_t i)
{
	return colours[i % ARRAY_SIZE(colours)];
}

/* Names may come from files. */
static void print_text(FILE *file, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '&':
			fputs("&amp;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			fputc(*text, file);
		}
	}
}

/* ---- the table ------------------------------------------------------------------------- */

static double mean(const struct sim_cell *cell, uint32_t n,
		   double (*figure)(const struct sim_results *))
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += figure(&cell->results[i]);
	return sum / n;
}

static double makespan(const struct sim_results *r)
{
	return (double)r->makespan / 1e6;
}

static double moves(const struct sim_results *r)
{
	return (double)sim_moves(&r->sum, SIM_NEAR);
}

static double moves_llc(const struct sim_results *r)
{
	return (double)sim_moves(&r->sum, SIM_NODE);
}

static double refill(const struct sim_results *r)
{
	return (double)r->sum.refill / 1e6;
}

static double wakeup_p99(const struct sim_results *r)
{
	return (double)sim_durations_at(&r->wakeup, 0.99) / 1e6;
}

static double wait_p99(const struct sim_results *r)
{
	return (double)sim_durations_at(&r->wait, 0.99) / 1e6;
}

static const struct {
	const char *heading;
	double (*figure)(const struct sim_results *r);
	int digits;
} figures[] = {
	{ "makespan ms", makespan, 0 },      { "moves", moves, 0 },
	{ "across caches", moves_llc, 0 },   { "refill ms", refill, 1 },
	{ "wake-up p99 ms", wakeup_p99, 2 }, { "wait p99 ms", wait_p99, 2 },
};

static void print_table(FILE *file, const struct sim_cell *cells, uint32_t n, uint32_t n_seeds)
{
	fputs("<div class=\"wide\"><table><tr><th></th>", file);
	for (size_t f = 0; f < ARRAY_SIZE(figures); f++)
		fprintf(file, "<th>%s</th>%s", figures[f].heading,
			f ? "" : "<th>against first</th>");
	fputs("</tr>\n", file);
	for (uint32_t i = 0; i < n; i++) {
		fputs("<tr><td>", file);
		print_text(file, cells[i].contender->name);
		fputs("</td>", file);
		for (size_t f = 0; f < ARRAY_SIZE(figures); f++) {
			double value = mean(&cells[i], n_seeds, figures[f].figure);

			fprintf(file, "<td>%.*f</td>", figures[f].digits, value);
			if (!f && i)
				fprintf(file, "<td>%+.1f %%</td>",
					100 * (value / mean(&cells[0], n_seeds, makespan) - 1));
			else if (!f)
				fputs("<td></td>", file);
		}
		fputs("</tr>\n", file);
	}
	fputs("</table></div>\n", file);
}

/* ---- how long tasks waited ---------------------------------------------------------------- */

/* From 10 us to 1 s. */
static double x_of(double ns)
{
	double decades = log10(ns < 1e4 ? 1 : ns > 1e9 ? 1e5 : ns / 1e4);

	return LEFT + decades / 5 * (WIDTH - LEFT - 20);
}

/* From half of the waits at the bottom to all but one of 10,000 at the top. */
static double y_of(double quantile)
{
	double rest = 1 - quantile < 1e-4 ? 1e-4 : 1 - quantile;

	return 20 + (CURVES - 50) * (1 - log10(0.5 / rest) / log10(0.5 / 1e-4));
}

static void print_axes(FILE *file)
{
	static const char *const times[] = { "10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s" };
	static const struct {
		double quantile;
		const char *name;
	} marks[] = { { 0.5, "50 %" }, { 0.9, "90 %" }, { 0.99, "99 %" }, { 0.999, "99.9 %" } };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		fprintf(file,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%d\"/>"
			"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			x_of(1e4 * pow(10, (double)i)), x_of(1e4 * pow(10, (double)i)), CURVES - 30,
			x_of(1e4 * pow(10, (double)i)), CURVES - 14, times[i]);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		fprintf(file,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			LEFT, WIDTH - 20, y_of(marks[i].quantile), y_of(marks[i].quantile),
			LEFT - 6, y_of(marks[i].quantile) + 4, marks[i].name);
}

static void print_curve(FILE *file, const struct sim_durations *d, uint32_t number,
			const char *name)
{
	fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
		colour_of(number));
	for (double rest = 0.5; d->n && rest > 1e-4; rest *= 0.93)
		fprintf(file, "%.1f,%.1f ", x_of((double)sim_durations_at(d, 1 - rest)),
			y_of(1 - rest));
	fputs("\"><title>", file);
	print_text(file, name);
	fprintf(file, "</title></polyline>\n<text x=\"%d\" y=\"%u\" style=\"fill:%s\">",
		WIDTH - 140, CURVES - 50 - 15 * number, colour_of(number));
	print_text(file, name);
	fputs("</text>\n", file);
}

static int print_waits(FILE *file, const struct sim_cell *cells, uint32_t n, uint32_t n_seeds)
{
	struct sim_durations *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	fprintf(file,
		"<h3>Waits for a CPU: so many are not longer than that</h3>\n"
		"<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n",
		WIDTH, CURVES, WIDTH, CURVES);
	print_axes(file);
	for (uint32_t i = 0; i < n; i++) {
		memset(all, 0, sizeof(*all));
		for (uint32_t k = 0; k < n_seeds; k++) {
			sim_durations_merge(all, &cells[i].results[k].wait);
			sim_durations_merge(all, &cells[i].results[k].wakeup);
		}
		print_curve(file, all, i, cells[i].contender->name);
	}
	fputs("</svg></div>\n", file);
	free(all);
	return 0;
}

/* ---- who ran where -------------------------------------------------------------------------- */

struct turn {
	u64 from, to;
	u32 cpu, task, who, before; /* @before: CPU on which the task ran, and one; 0: nowhere */
	const char *program;
};

struct timeline {
	const struct sim_contender *contender;
	struct turn *turn;
	u32 n, most;
	bool more;
	u32 *last; /* CPU on which each task ran, and one */
};

static void ran(void *observer, const struct sim *s, u32 cpu, u32 task, u64 from)
{
	struct timeline *t = observer;
	const struct sim_task *p = &s->tasks[task];

	if (t->n == t->most) {
		t->more = true;
		return;
	}
	t->turn[t->n++] = (struct turn){ .from = from,
					 .to = s->now,
					 .cpu = cpu,
					 .task = task,
					 .who = p->who,
					 .before = t->last[task],
					 .program = s->workload->programs[p->program].name };
	t->last[task] = p->ran_on == SIM_NONE ? 0 : cpu + 1;
}

/* The more CPUs, the lower is the row of each. */
static const struct rows {
	u32 most; /* CPUs */
	int height, gap;
	bool each; /* has its name; else the first of each last-level cache */
	u32 turns; /* of the beginning that are drawn */
} rows[] = {
	{ 64, 14, 2, true, 6000 },
	{ 256, 6, 1, false, 20000 },
	{ SIM_MAX_CPUS, 3, 0, false, 20000 },
};

static const struct rows *rows_of(const struct sim_machine *m)
{
	const struct rows *r = rows;

	while (m->n_cpus > r->most)
		r++;
	return r;
}

static int row_of(const struct sim_machine *m, u32 cpu)
{
	return 4 + (int)cpu * (rows_of(m)->height + rows_of(m)->gap) + m->llc[cpu] * LLC_GAP;
}

static void print_turns(FILE *file, const struct timeline *t, const struct sim_machine *m, u64 end)
{
	double scale = (WIDTH - LEFT - 10) / (double)(end ? end : 1);
	int row = rows_of(m)->height;

	for (u32 i = 0; i < t->n; i++) {
		const struct turn *turn = &t->turn[i];
		double x = LEFT + (double)turn->from * scale;
		double width = (double)(turn->to - turn->from) * scale;

		fprintf(file,
			"<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>",
			x, row_of(m, turn->cpu), width < 0.3 ? 0.3 : width, row,
			colour_of(turn->who));
		print_text(file, turn->program);
		fprintf(file, " %u: %.3f to %.3f ms</title></rect>\n", turn->who,
			(double)turn->from / 1e6, (double)turn->to / 1e6);
		if (turn->before && m->llc[turn->before - 1] != m->llc[turn->cpu])
			fprintf(file,
				"<line class=\"move\" x1=\"%.2f\" x2=\"%.2f\" y1=\"%d\" y2=\"%d\"/>\n",
				x, x, row_of(m, turn->before - 1) + row / 2,
				row_of(m, turn->cpu) + row / 2);
	}
}

static void print_timeline(FILE *file, const struct timeline *t, const struct sim_machine *m)
{
	u64 end = t->n ? t->turn[t->n - 1].to : 0;
	const struct rows *r = rows_of(m);
	int height = row_of(m, m->n_cpus - 1) + r->height + 24;

	fputs("<h3>", file);
	print_text(file, t->contender->name);
	fprintf(file,
		": who ran where%s</h3>\n<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" role=\"img\">\n",
		t->more ? " (the beginning)" : "", WIDTH, height, WIDTH, height);
	for (u32 cpu = 0; cpu < m->n_cpus; cpu++) {
		fprintf(file,
			"<rect class=\"row\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
			LEFT, row_of(m, cpu), WIDTH - LEFT - 10, r->height);
		if (r->each || !cpu || m->llc[cpu] != m->llc[cpu - 1])
			fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">CPU %u</text>\n",
				LEFT - 6, row_of(m, cpu) + 11, cpu);
	}
	print_turns(file, t, m, end);
	fprintf(file,
		"<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f ms</text>\n"
		"</svg></div>\n",
		LEFT, height - 6, WIDTH - 10, height - 6, (double)end / 1e6);
}

static int draw(FILE *file, const struct sim_sweep *sweep, const struct sim_cell *cell)
{
	struct timeline t = { .contender = cell->contender, .most = rows_of(cell->machine)->turns };
	struct sim_options options = sim_contender_options(cell->contender, sweep->limit);
	struct sim *s = NULL;

	options.ran = ran;
	options.observer = &t;
	t.turn = calloc(t.most, sizeof(*t.turn));
	t.last = calloc(cell->workload->most_tasks, sizeof(*t.last));
	if (t.turn && t.last)
		s = sim_new(cell->machine, cell->workload, cell->contender->policy, &options,
			    sweep->seed, NULL);
	while (s && !t.more && sim_step(s) == 0)
		;
	if (s)
		print_timeline(file, &t, cell->machine);
	sim_free(s);
	free(t.last);
	free(t.turn);
	return s ? 0 : -ENOMEM;
}

/* ---- the page ------------------------------------------------------------------------------------ */

static int print_section(FILE *file, const struct sim_sweep *sweep, const struct sim_cell *cells,
			 uint32_t n)
{
	int ret;

	fputs("<h2>", file);
	print_text(file, cells->title);
	fprintf(file, " on %s</h2>\n", cells->machine->name);
	print_table(file, cells, n, sweep->n_seeds);
	ret = print_waits(file, cells, n, sweep->n_seeds);
	for (uint32_t i = 0; i < n && !ret; i++)
		ret = draw(file, sweep, &cells[i]);
	return ret;
}

int sim_report(const struct sim_sweep *sweep, uint32_t n_contenders, const char *path,
	       struct mlsched_error *err)
{
	FILE *file;
	int ret = 0;

	file = fopen(path, "we");
	if (!file) {
		ret = -errno;
		return mls_error(err, ret, "%s: %s", path, strerror(-ret));
	}
	fputs(head, file);
	fprintf(file,
		"<h1>Schedulers side by side</h1>\n<p class=\"note\">A simulation (<code>mlsched sim</code>): "
		"%s %u seed%s from %" PRIu64
		" on; timelines of the first one. Each colour is a task of "
		"the workload; a red line is a move from one last-level cache to another.</p>\n",
		sweep->n_seeds == 1 ? "of" : "means of", sweep->n_seeds,
		sweep->n_seeds == 1 ? "" : "s", sweep->seed);
	for (uint32_t i = 0; i < sweep->n_cells && !ret; i += n_contenders)
		ret = print_section(file, sweep, &sweep->cells[i], n_contenders);
	fputs("</body></html>\n", file);
	if (ret)
		mls_error(err, ret, "%s: %s", path, strerror(-ret));
	if ((ferror(file) | fclose(file)) && !ret)
		ret = mls_error(err, -EIO, "%s: cannot be written", path);
	return ret;
}
