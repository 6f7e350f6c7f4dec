// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched eval --against-controls: a model beside everything that needs none, in the
 * simulator, and in plain sentences what holds of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/eval.h"
#include "src/cli/tuning.h"
#include "src/sim/figures.h"
#include "src/util/array.h"

/* What a model is to win, in per cent. */
#define FEWER_MOVES 77
#define WON_BACK    75
#define MUCH_TO_WIN 13 /* where refills cost EEVDF that much, */
#define SHORTER     10 /* a model is to be faster by this */
/* p99 waits that differ by less, in ms, are alike. */
#define WAIT_ALIKE 0.05

/* In the order of the table: the first is what all are compared with, the last is judged. */
static const char *const controls[] = {
	"eevdf",      "rusty",  "base",   "mechanisms", "mechanisms-refuse-llc",
	"hysteresis", "refuse", "accept", "eevdf-free", "model",
};
#define N_CONTROLS ARRAY_SIZE(controls)
#define EEVDF      0
#define BOUND      (N_CONTROLS - 2)
#define MODEL      (N_CONTROLS - 1)

enum holds { NO, YES, UNSURE };

struct claim {
	const char *name;
	enum holds holds;
	char text[192];
};

#define MOST_CLAIMS 5

static double mean_of(const struct sim_cell *cell, uint32_t n, enum sim_figure which)
{
	double mean = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += sim_figure(&cell->results[i], which) / n;
	return mean;
}

static struct sim_change against(const struct sim_cell *cells, size_t k, uint32_t n,
				 enum sim_figure which)
{
	return sim_change(cells[k].results, cells[EEVDF].results, n, which);
}

/**
 * won_back() - how much of what refills cost EEVDF a contender wins, in per cent
 *
 * Return: false where there is nothing to win that the seeds could show.
 */
static bool won_back(const struct sim_cell *cells, size_t k, uint32_t n, struct sim_change *share)
{
	struct sim_change bound = against(cells, BOUND, n, SIM_MAKESPAN);
	struct sim_change change = against(cells, k, n, SIM_MAKESPAN);

	if (bound.high >= 0)
		return false;
	share->mean = 100 * change.mean / bound.mean;
	share->low = 100 * change.high / bound.mean;
	share->high = 100 * change.low / bound.mean;
	return true;
}

/* ---- what holds ----------------------------------------------------------------------- */

/* Whether something is at most so much, by its interval. */
static enum holds at_most(const struct sim_change *c, double most)
{
	return c->high <= most ? YES : c->low > most ? NO : UNSURE;
}

static const char *answer(enum holds holds, uint32_t n, char text[48])
{
	if (holds != UNSURE)
		return holds == YES ? "yes" : "no";
	snprintf(text, 48, "%u seeds cannot tell", n);
	return text;
}

static void say(struct claim *claim, const char *name, enum holds holds, const char *what,
		const struct sim_change *c, const char *goal, uint32_t n)
{
	char text[48];

	claim->name = name;
	claim->holds = holds;
	snprintf(claim->text, sizeof(claim->text), "%s %+.1f %% (%+.1f to %+.1f), %s: %s", what,
		 c->mean, c->low, c->high, goal, answer(holds, n, text));
}

static void claim_wait(const struct sim_cell *cells, uint32_t n, enum sim_figure which,
		       struct claim *claim)
{
	bool wakes = which == SIM_WAKEUP_P99;
	const char *name = wakes ? "wakeup_p99" : "wait_p99";
	struct sim_change c = against(cells, MODEL, n, which);
	double more = mean_of(&cells[MODEL], n, which) - mean_of(&cells[EEVDF], n, which);

	if (fabs(more) > WAIT_ALIKE) {
		say(claim, name, at_most(&c, 0),
		    wakes ? "p99 wait after waking up" : "p99 wait in the middle of work", &c,
		    "not longer", n);
		return;
	}
	claim->name = name;
	claim->holds = YES;
	snprintf(claim->text, sizeof(claim->text), "p99 wait %s %+.0f us, not longer: yes",
		 wakes ? "after waking up" : "in the middle of work", more * 1000);
}

static void claim_bound(const struct sim_cell *cells, uint32_t n, struct claim *claim)
{
	struct sim_change bound = against(cells, BOUND, n, SIM_MAKESPAN), share;
	char text[48];

	claim->name = "won_back";
	if (!won_back(cells, MODEL, n, &share)) {
		claim->holds = UNSURE;
		snprintf(claim->text, sizeof(claim->text),
			 "without any refills EEVDF would take %+.1f %% (%+.1f to %+.1f): there is "
			 "nothing to win back that %u seeds could show",
			 bound.mean, bound.low, bound.high, n);
		return;
	}
	claim->holds = share.low >= WON_BACK ? YES : share.high < WON_BACK ? NO : UNSURE;
	snprintf(claim->text, sizeof(claim->text),
		 "of the %.1f %% that moves cost EEVDF %.0f %% (%.0f to %.0f) are won back, at "
		 "least %d %%: %s",
		 -bound.mean, share.mean, share.low, share.high, WON_BACK,
		 answer(claim->holds, n, text));
}

static uint32_t claims_of(const struct sim_cell *cells, uint32_t n,
			  struct claim claims[MOST_CLAIMS])
{
	struct sim_change moves = against(cells, MODEL, n, SIM_MOVES);
	struct sim_change time = against(cells, MODEL, n, SIM_MAKESPAN);
	struct sim_change bound = against(cells, BOUND, n, SIM_MAKESPAN);

	say(&claims[0], "moves", at_most(&moves, -FEWER_MOVES), "moves", &moves,
	    "at least 77 % fewer", n);
	if (bound.mean <= -MUCH_TO_WIN)
		say(&claims[1], "makespan", at_most(&time, -SHORTER), "makespan", &time,
		    "at least 10 % shorter, as there is much to win", n);
	else
		say(&claims[1], "makespan", at_most(&time, 0), "makespan", &time, "not longer", n);
	claim_wait(cells, n, SIM_WAKEUP_P99, &claims[2]);
	claim_wait(cells, n, SIM_WAIT_P99, &claims[3]);
	claim_bound(cells, n, &claims[4]);
	return MOST_CLAIMS;
}

/* ---- text --------------------------------------------------------------------------------- */

static const char *change_text(const struct sim_change *c, char text[32])
{
	if (isinf(c->low))
		snprintf(text, 32, "%s", c->mean == 0 ? "none in both" : "none in EEVDF");
	else
		snprintf(text, 32, "%+.1f ± %.1f %%", c->mean, c->high - c->mean);
	return text;
}

/* printf() counts the two bytes of the sign. */
static int width_of(const char *text, int width)
{
	return strstr(text, "±") ? width + 1 : width;
}

static void print_change(const struct sim_cell *cells, size_t k, uint32_t n, enum sim_figure which)
{
	char text[32] = "";
	struct sim_change c;

	if (k != EEVDF) {
		c = against(cells, k, n, which);
		change_text(&c, text);
	}
	printf(" %*s", width_of(text, 17), text);
}

static void print_row(const struct sim_cell *cells, size_t k, uint32_t n)
{
	const struct sim_cell *cell = &cells[k];
	double llc = mean_of(cell, n, SIM_MOVES_LLC), node = mean_of(cell, n, SIM_MOVES_NODE);
	struct sim_change share;

	printf("%-22s %8.0f", cell->contender->name, mean_of(cell, n, SIM_MAKESPAN));
	print_change(cells, k, n, SIM_MAKESPAN);
	printf(" %7.0f %7.0f %7.0f", mean_of(cell, n, SIM_MOVES) - llc, llc - node, node);
	print_change(cells, k, n, SIM_MOVES);
	printf(" %8.2f", mean_of(cell, n, SIM_WAKEUP_P99));
	print_change(cells, k, n, SIM_WAKEUP_P99);
	printf(" %8.2f", mean_of(cell, n, SIM_WAIT_P99));
	print_change(cells, k, n, SIM_WAIT_P99);
	if (k != EEVDF && won_back(cells, k, n, &share))
		printf(" %7.0f %%", share.mean);
	putchar('\n');
}

static void print_load(const struct sim_cell *cells, uint32_t n, bool first)
{
	struct claim claims[MOST_CLAIMS];
	uint32_t n_claims = claims_of(cells, n, claims);

	printf("%s%s on %s, %u seeds (simulation); differences to eevdf, seed by seed, with 95 %%\n",
	       first ? "" : "\n", cells->title, cells->machine->name, n);
	printf("%-22s %8s %17s %7s %7s %7s %17s %8s %17s %8s %17s %9s\n", "", "ms", "", "near",
	       "caches", "nodes", "all moves", "wake p99", "", "wait p99", "", "won back");
	for (size_t k = 0; k < N_CONTROLS; k++)
		print_row(cells, k, n);
	for (uint32_t i = 0; i < n_claims; i++)
		printf("%s model: %s\n",
		       claims[i].holds == YES ? "+" :
		       claims[i].holds == NO  ? "-" :
						"?",
		       claims[i].text);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *change_json(const struct sim_change *c)
{
	if (isinf(c->low))
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "mean", c->mean, "low", c->low, "high", c->high);
}

static const struct {
	const char *name;
	enum sim_figure which;
} figures[] = {
	{ "makespan_ms", SIM_MAKESPAN },     { "moves", SIM_MOVES },
	{ "moves_llc", SIM_MOVES_LLC },      { "moves_node", SIM_MOVES_NODE },
	{ "wakeup_p99_ms", SIM_WAKEUP_P99 }, { "wait_p99_ms", SIM_WAIT_P99 },
	{ "refill_ms", SIM_REFILL },
};

static json_t *row_json(const struct sim_cell *cells, size_t k, uint32_t n)
{
	json_t *row = json_pack("{s:s}", "policy", cells[k].contender->name);
	struct sim_change share, c;

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		c = against(cells, k, n, figures[i].which);
		json_object_set_new(row, figures[i].name,
				    json_pack("{s:f, s:o}", "mean",
					      mean_of(&cells[k], n, figures[i].which),
					      "against_percent", change_json(&c)));
	}
	json_object_set_new(row, "won_back_percent",
			    won_back(cells, k, n, &share) ? change_json(&share) : json_null());
	return row;
}

static json_t *load_json(const struct sim_cell *cells, uint32_t n)
{
	struct claim claims[MOST_CLAIMS];
	uint32_t n_claims = claims_of(cells, n, claims);
	json_t *rows = json_array(), *list = json_array();

	for (size_t k = 0; k < N_CONTROLS; k++)
		json_array_append_new(rows, row_json(cells, k, n));
	for (uint32_t i = 0; i < n_claims; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:s}", "claim", claims[i].name, "holds",
					claims[i].holds == UNSURE ? json_null() :
								    json_boolean(claims[i].holds),
					"text", claims[i].text));
	return json_pack("{s:s, s:s, s:o, s:o}", "machine", cells->machine->name, "workload",
			 cells->title, "policies", rows, "claims", list);
}

static void print_json(const struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->sweep.n_cells; i += N_CONTROLS)
		json_array_append_new(list, load_json(&s->sweep.cells[i], o->seeds));
	cli_json(json_pack("{s:s, s:s, s:o, s:o, s:i, s:I, s:o}", "model", o->model, "costs",
			   o->costs, "mechanisms", cli_mechanisms_json(s->of_model.mechanisms),
			   "offers_us", cli_offers_json(s->of_model.worth), "seeds", (int)o->seeds,
			   "seed", (json_int_t)o->seed, "loads", list));
}

int cli_eval_against_controls(const struct cli_common *common, struct cli_sim_sweep_options *o)
{
	struct cli_sim_sweep s;
	int status;

	o->policies = (struct cli_names){ .n = N_CONTROLS };
	memcpy(o->policies.name, controls, sizeof(controls));
	status = cli_sim_sweep_make(&s, o, common);
	if (status == CLI_OK)
		status = cli_sim_sweep_run(&s, o, common);
	if (status == CLI_OK && common->json)
		print_json(&s, o);
	for (uint32_t i = 0; status == CLI_OK && !common->json && i < s.sweep.n_cells;
	     i += N_CONTROLS)
		print_load(&s.sweep.cells[i], o->seeds, !i);
	cli_sim_sweep_clear(&s);
	return status;
}
