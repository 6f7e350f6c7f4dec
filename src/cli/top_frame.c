// SPDX-License-Identifier: GPL-2.0
/*
 * The picture of `mlsched top`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/run.h"
#include "src/cli/top_frame.h"

#define BAR 20
/* Lines for other things than domains. */
#define OTHERS 14

static void add(struct top_frame *f, enum top_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct top_frame *f, enum top_style style, const char *format, ...)
{
	va_list args;

	if (f->n == TOP_LINES)
		return;
	va_start(args, format);
	vsnprintf(f->text[f->n], TOP_WIDTH, format, args);
	va_end(args);
	f->style[f->n++] = style;
}

static const char *percent(char text[16], unsigned long long part, unsigned long long all)
{
	if (all)
		snprintf(text, 16, "%.1f %%", 100.0 * (double)part / (double)all);
	else
		snprintf(text, 16, "-");
	return text;
}

static void add_head(struct top_frame *f, const struct snapshot *s)
{
	add(f, TOP_TITLE, "mlsched %s  up %.0f s  mode %s  %u of %u CPUs online  %llu restart%s",
	    s->version, s->seconds, snapshot_mode_names[s->mode], s->online, s->cpus,
	    (unsigned long long)s->restarts, s->restarts == 1 ? "" : "s");
	if (s->active >= 0)
		add(f, TOP_PLAIN, "model %08x in slot %d%s  %s", s->checksum, s->active,
		    s->candidate >= 0 ? ", another one on trial" : "", s->path);
	else
		add(f, TOP_PLAIN, "no model: the heuristic decides%s",
		    s->candidate >= 0 ? "; one is on trial" : "");
	add(f, TOP_PLAIN, "%s", "");
}

static void add_domain(struct top_frame *f, const struct snapshot *s, uint32_t d)
{
	const struct mls_scx_domain *domain = &s->domains[d];
	char queued[24] = "-", longest[24] = "-", bar[BAR + 1];
	double load = domain->load < 0 ? 0 : domain->load > 1 ? 1 : domain->load;

	if (domain->queued >= 0) {
		snprintf(queued, sizeof(queued), "%lld", (long long)domain->queued);
		snprintf(longest, sizeof(longest), "%lld", (long long)domain->longest);
	}
	memset(bar, ' ', BAR);
	memset(bar, '|', (size_t)(load * BAR + 0.5));
	bar[BAR] = '\0';
	add(f, TOP_PLAIN, "%6u %4.0f %% [%s] %6u %5u %7s %8s  %.18s", d, domain->load * 100, bar,
	    domain->idle, domain->online, queued, longest, s->lists[d]);
}

static void add_domains(struct top_frame *f, const struct snapshot *s, uint32_t height)
{
	uint32_t room = height > OTHERS ? height - OTHERS : 1, shown = s->n_domains;

	if (shown > room)
		shown = room > 1 ? room - 1 : 1;
	add(f, TOP_HEAD, "domain   load %*s   idle    of  queued  longest  CPUs", BAR + 2, "");
	for (uint32_t d = 0; d < shown; d++)
		add_domain(f, s, d);
	if (shown < s->n_domains)
		add(f, TOP_PLAIN, "       and %u more domains", s->n_domains - shown);
	add(f, TOP_PLAIN, "%s", "");
}

static void add_decisions(struct top_frame *f, const struct scheduler_counts *n, double span)
{
	const struct mls_scx_sums sums = mls_scx_sums(n);
	double rate = span > 0 ? 1 / span : 0;
	unsigned long long safety = 0;
	char share[16];

	add(f, TOP_HEAD,
	    "decisions/s   asked  accepted   refused  share    moved   failed   safety");
	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		safety += n->safety[k];
		add(f, TOP_PLAIN, "%-9s %9.0f %9.0f %9.0f %7s %8.0f %8.0f %8.0f",
		    snapshot_kind_names[k], (double)n->asked[k] * rate,
		    (double)n->accepted[k] * rate, (double)n->refused[k] * rate,
		    percent(share, n->refused[k], n->asked[k]), (double)mls_scx_moved(n, k) * rate,
		    (double)mls_scx_failed(n, k) * rate, (double)n->safety[k] * rate);
	}
	add(f, TOP_PLAIN, "%-9s %9.0f %9.0f %9.0f %7s %8.0f %8.0f %8.0f", "all",
	    (double)sums.asked * rate, (double)sums.accepted * rate, (double)sums.refused * rate,
	    percent(share, sums.refused, sums.asked), (double)sums.moved * rate,
	    (double)sums.failed * rate, (double)safety * rate);
	add(f, TOP_PLAIN, "%s", "");
}

static void add_waits(struct top_frame *f, const struct snapshot *s,
		      const struct scheduler_counts *n, double span)
{
	char p50[32], p99[32], p999[32], longest[32];

	add(f, TOP_PLAIN, "waits/s %.0f  p50 %s  p99 %s  p99.9 %s  longest ever %s",
	    span > 0 ? (double)mls_scx_sums(n).waits / span : 0,
	    run_time_text(p50, mls_scx_wait_at(n, 0.5)),
	    run_time_text(p99, mls_scx_wait_at(n, 0.99)),
	    run_time_text(p999, mls_scx_wait_at(n, 0.999)),
	    run_time_text(longest, (double)s->counts.wait_ns));
}

void top_frame_make(struct top_frame *f, const struct snapshot *s, const struct scheduler_counts *n,
		    double span, uint32_t height)
{
	f->n = 0;
	add_head(f, s);
	add_domains(f, s, height);
	add_decisions(f, n, span);
	add_waits(f, s, n, span);
}
