// SPDX-License-Identifier: GPL-2.0
/* src/sim/label.c, src/sim/learn.c: what a move is worth, and what is learned of it. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/decider.h"
#include "src/sim/learn.h"
#include "src/util/array.h"
#include "tests/lib/sim_world.h"

#define RUNS 4 /* of each case */

static const struct sim_contender heuristic = { .name = "mlsched", .policy = &sim_policy_mlsched };

struct means {
	uint32_t n;
	double benefit; /* ns, mean */
	uint32_t positive;
};

/* What is measured, beside the rest of the options that all have. */
struct labelled {
	const char *workload;
	uint32_t times; /* refills cost so much more */
	uint64_t price; /* of a move */
	uint64_t sticky;
	bool waits_for_nothing; /* useful work counts alone */
};

/* Labels of four runs on a machine. */
static struct means label(struct labelled what)
{
	struct sim_label_options o = sim_label_options_default();
	struct sim_rows rows = { 0 };
	struct means means = { 0 };
	struct sim_machine machine;
	struct sim_workload w;

	for (int load = 0; load < SIM_LOADS; load++)
		o.prices.move[load] = what.price;
	if (what.waits_for_nothing) {
		o.prices.wait = 0;
		o.prices.wait_2 = 0;
	}
	o.horizon_most = 6 * SIM_MS;
	o.one_of = 1;
	o.most = 2000;
	o.sticky = what.sticky;
	assert_int_equal(sim_machine_parse(&machine, "8c2l", NULL), 0);
	for (uint32_t d = 0; d < SIM_DISTANCES; d++)
		machine.costs.refill_per_kib[d] *= what.times;
	assert_int_equal(sim_workload_make(&w, what.workload, 8, NULL), 0);
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		assert_int_equal(sim_label(&machine, &w, &heuristic, seed, SIM_S, &o, &rows), 0);
	for (uint32_t i = 0; i < rows.n; i++) {
		means.benefit += (double)rows.row[i].benefit / rows.n;
		means.positive += rows.row[i].benefit > 0;
	}
	means.n = rows.n;
	sim_rows_clear(&rows);
	return means;
}

static void work_for_idle_cpus_is_worth_a_move(void **state)
{
	struct means m = label(
		(struct labelled){ .workload = "imbalance", .times = 1, .sticky = 3 * SIM_MS });

	(void)state;
	assert_in_range(m.n, 10, 2000);
	assert_true(m.benefit > 200e3);
	assert_true(m.positive > m.n / 2);
}

/*
 * The same loads where a cache costs thirty times as much, or a move has its price.  By work
 * alone: where caches are dear all takes longer, and a move spares longer waits, too.
 */
static void dear_moves_are_not_worth_it(void **state)
{
	struct labelled what = {
		.workload = "message", .times = 1, .sticky = 3 * SIM_MS, .waits_for_nothing = true
	};
	struct means cheap = label(what), dear, priced;

	(void)state;
	what.times = 30;
	dear = label(what);
	assert_true(cheap.benefit > 0);
	assert_true((double)dear.positive / dear.n < (double)cheap.positive / cheap.n - 0.05);

	what.workload = "make";
	dear = label(what);
	what.times = 1;
	cheap = label(what);
	what.price = 100 * SIM_MS;
	priced = label(what);
	assert_true(cheap.benefit > 20e3);
	assert_true(dear.benefit < -50e3);
	/* What is refused may have to move later, and twice: not none. */
	assert_int_equal(priced.n, cheap.n);
	assert_true(priced.benefit < -10e6);
	assert_true(priced.positive < cheap.positive * 2 / 3);
}

/*
 * The trap of procrastination: where a refused task is taken a moment later, a refusal
 * seems to cost little.
 */
static void a_refusal_that_lasts_costs_more(void **state)
{
	struct labelled what = { .workload = "imbalance", .times = 1, .sticky = 3 * SIM_MS };
	struct means lasting = label(what), brief;

	(void)state;
	what.sticky = 1;
	brief = label(what);
	assert_int_equal(lasting.n, brief.n);
	assert_true(lasting.benefit > brief.benefit);
}

static int steals_alone(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	return d->kind == MLS_POLICY_STEAL;
}

/*
 * The trap of the next in turn: where the second task of a queue goes when the first is refused,
 * a CPU has work either way, and it seems to be worth nothing that it has some.
 */
static void a_refusal_leaves_the_cpu_without_work(void **state)
{
	static const struct sim_contender steals = { .policy = &sim_policy_mlsched,
						     .decide = steals_alone };
	struct sim_label_options o = sim_label_options_default();
	struct sim_rows rows = { 0 };
	double benefit = 0;
	uint32_t n = 0;

	(void)state;
	memset(&o.prices, 0, sizeof(o.prices));
	o.one_of = 1;
	world_machine("2c1l");
	/* All begin on one CPU; the other takes one of them, and then the next. */
	world_program(0, 100, 20 * SIM_MS, 0, 1);
	world_tasks(0, 12, 0);
	assert_int_equal(sim_label(&world.machine, &world.workload, &steals, 1, SIM_S, &o, &rows),
			 0);
	for (uint32_t i = 0; i < rows.n; i++) {
		if (!rows.row[i].features[1]) /* newidle: no steal */
			continue;
		benefit += (double)rows.row[i].benefit;
		n++;
	}
	assert_in_range(n, 4, 12);
	assert_true(benefit / n > SIM_MS);
	sim_rows_clear(&rows);
}

/* ---- labels that can be reckoned ---------------------------------------------------- */

/*
 * Two tasks that never stop begin on one CPU, and who refuses all leaves the other one idle.  A
 * move of one of them is worth all the time of the future, which is six of its bursts of 3 ms,
 * 12 ms at the most: exactly.
 */
static void two_on_one_cpu(const char *machine, uint32_t n)
{
	world_machine(machine);
	world_program(0, 100, 100 * SIM_S, 0, 1);
	world_tasks(0, n, 0);
}

/* Nothing counts but useful work, and each decision is labelled. */
static struct sim_label_options work_alone(void)
{
	struct sim_label_options o = sim_label_options_default();

	o.prices = (struct sim_prices){ .most = 4 };
	o.one_of = 1;
	o.most = 4;
	return o;
}

static int refuses_all(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 0;
}

static struct sim_rows label_world(const struct sim_label_options *o,
				   int (*decide)(void *, struct sim *, const struct sim_decision *))
{
	const struct sim_contender c = { .policy = &sim_policy_mlsched, .decide = decide };
	struct sim_rows rows = { 0 };

	assert_int_equal(sim_label(&world.machine, &world.workload, &c, 1, SIM_S, o, &rows), 0);
	assert_in_range(rows.n, 1, UINT32_MAX);
	return rows;
}

/* What the first one is worth, which no future changes. */
static s64 first_benefit(const struct sim_label_options *o,
			 int (*decide)(void *, struct sim *, const struct sim_decision *))
{
	struct sim_rows rows = label_world(o, decide);
	s64 benefit = rows.row[0].benefit;

	assert_int_equal(rows.row[0].spread, 0);
	sim_rows_clear(&rows);
	return benefit;
}

static void a_future_lasts_for_six_bursts_within_its_bounds(void **state)
{
	static const struct {
		u64 least, most, expected;
	} cases[] = { { SIM_MS, 30 * SIM_MS, 18 * SIM_MS },
		      { SIM_MS, 12 * SIM_MS, 12 * SIM_MS },
		      { 20 * SIM_MS, 30 * SIM_MS, 20 * SIM_MS } };
	struct sim_label_options o = work_alone();

	(void)state;
	two_on_one_cpu("2c1l", 2);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		o.horizon_least = cases[i].least;
		o.horizon_most = cases[i].most;
		assert_int_equal(first_benefit(&o, refuses_all), cases[i].expected);
	}
}

/*
 * The trap of the policy that moves everything: the copies go on under the one that is being
 * learned.  Where it lets the other task go at the next tick, a refusal costs one tick; where
 * it refuses that as well, all of the future.
 */
static void futures_go_on_under_the_policy_that_is_learned(void **state)
{
	struct sim_label_options o = work_alone();

	(void)state;
	two_on_one_cpu("2c1l", 2);
	assert_int_equal(first_benefit(&o, steals_alone), SIM_TICK);
	assert_int_equal(first_benefit(&o, refuses_all), 12 * SIM_MS);
}

/* Less than nine runnable tasks for ten CPUs, more, more than thirteen: each has its price. */
static void a_move_has_the_price_of_the_load_of_its_moment(void **state)
{
	static const struct {
		const char *machine;
		uint32_t tasks;
		enum sim_load load;
	} cases[] = { { "3c1l", 2, SIM_LIGHT },  { "10c1l", 8, SIM_LIGHT },
		      { "10c1l", 9, SIM_FULL },  { "2c1l", 2, SIM_FULL },
		      { "10c1l", 13, SIM_FULL }, { "10c1l", 14, SIM_OVER },
		      { "2c1l", 3, SIM_OVER } };
	struct sim_label_options o = work_alone();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		two_on_one_cpu(cases[i].machine, cases[i].tasks);
		for (enum sim_load load = 0; load < SIM_LOADS; load++) {
			memset(o.prices.move, 0, sizeof(o.prices.move));
			o.prices.move[load] = SIM_MS;
			/* Six bursts are one and a half times the 12 ms that the price is for. */
			assert_int_equal(first_benefit(&o, refuses_all),
					 12 * SIM_MS - (load == cases[i].load) * 3 * SIM_MS / 2);
		}
	}
}

/* It is twice that across caches, and in proportion to how long the task will hold its place. */
static void a_move_has_a_price_by_distance_and_by_how_long_it_holds(void **state)
{
	static const struct {
		const char *machine;
		uint32_t most;
		u64 horizon, price; /* of 18 ms that it holds */
	} cases[] = { { "2c1l", 4, 12 * SIM_MS, 1500 * SIM_US },
		      { "2c2l", 4, 12 * SIM_MS, 3000 * SIM_US },
		      { "2c1l", 1, 12 * SIM_MS, 1000 * SIM_US },
		      { "2c1l", 4, 4 * SIM_MS, 4000 * SIM_US },
		      { "2c1l", 5, 4 * SIM_MS, 4500 * SIM_US } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_label_options o = work_alone();

		two_on_one_cpu(cases[i].machine, 2);
		o.horizon_most = cases[i].horizon;
		o.prices.most = cases[i].most;
		o.prices.move[SIM_FULL] = SIM_MS;
		assert_int_equal(first_benefit(&o, refuses_all),
				 (s64)cases[i].horizon - (s64)cases[i].price);
	}
}

/*
 * The trap of the mean: many short waits and a long one are the same in a sum.  For a
 * refusal one of the two tasks waits all the time, 4 ms at a time: to the next tick.
 */
static void waits_count_by_their_time_and_long_ones_more(void **state)
{
	static const struct {
		u64 horizon, squares; /* of ms */
	} cases[] = { { 1, 1 }, { 2, 4 }, { 4, 16 }, { 8, 32 } };
	struct sim_label_options o;

	(void)state;
	two_on_one_cpu("2c1l", 2);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		o = work_alone();
		o.horizon_most = cases[i].horizon * SIM_MS;
		o.prices.wait_2 = SIM_MS;
		assert_int_equal(first_benefit(&o, refuses_all),
				 (cases[i].horizon + cases[i].squares) * SIM_MS);
		o.prices.wait_2 = 0;
		o.prices.wait = 1024; /* a ns for a ns, but for rounding */
		assert_in_range(first_benefit(&o, refuses_all),
				2 * cases[i].horizon * SIM_MS - 1024,
				2 * cases[i].horizon * SIM_MS + 1024);
	}
}

/* A program whose runs or sleeps, or both, are drawn. */
static void draws(uint32_t program, bool runs, bool sleeps)
{
	struct sim_instruction *code = &world.workload.code[4 * program];

	for (uint8_t i = 0; i < 2; i++) {
		code[i].stream = i;
		code[i].stride = 1;
		if (i ? sleeps : runs)
			code[i].vary = SIM_EXPONENTIAL;
	}
}

/*
 * Both answers are given the same future, so that what has nothing to do with the move cancels
 * out, to the ns; and the next future is another one.
 */
static void both_answers_meet_the_same_chance(void **state)
{
	struct sim_label_options o = work_alone();
	struct sim_rows rows;
	uint32_t n = 0;

	(void)state;
	/* What comes and goes by chance is below the other cache. */
	two_on_one_cpu("4c2l", 0);
	world_program(1, 100, SIM_MS, SIM_MS, 0);
	draws(1, true, true);
	world_tasks(0, 2, 1);
	world_tasks(1, 1, 2);
	o.most = 20; /* later ones see how a safety rule ends the wait */
	rows = label_world(&o, refuses_all);
	assert_int_equal(rows.n, 20);
	for (uint32_t i = 0; i < rows.n; i++) {
		assert_int_equal(rows.row[i].benefit, 12 * SIM_MS);
		assert_int_equal(rows.row[i].spread, 0);
	}
	sim_rows_clear(&rows);

	/* Beside it, it makes a difference, and not the same one in each future. */
	two_on_one_cpu("2c1l", 1);
	world_program(1, 100, SIM_MS, SIM_MS, 0);
	draws(1, true, true);
	world_tasks(1, 3, 0);
	rows = label_world(&o, refuses_all);
	for (uint32_t i = 0; i < rows.n; i++)
		n += rows.row[i].spread > 0;
	assert_in_range(n, rows.n / 2, rows.n);
	sim_rows_clear(&rows);
}

/* What was asked first at one moment in the world itself, and how often copies asked that again. */
struct asked {
	const struct sim *world;
	u64 when;
	struct sim_decision first;
	uint32_t n, later, again;
};

static int refuses_and_counts(void *context, struct sim *s, const struct sim_decision *d)
{
	struct asked *a = context;

	if (!a->world)
		a->world = s;
	if (s != a->world) {
		a->again += s->now == a->when && d->kind == a->first.kind &&
			    d->task == a->first.task && d->dst == a->first.dst;
		return 0;
	}
	a->n++;
	if (s->now == a->when) {
		a->later++;
	} else {
		a->when = s->now;
		a->first = *d;
	}
	return 0;
}

/*
 * The trap of the decisions before: an event repeats the answers that it had, and asks nobody
 * anew, who might answer otherwise (a coin, say).
 */
static void a_copy_of_an_event_has_its_answers(void **state)
{
	struct sim_label_options o = work_alone();
	struct asked asked = { 0 };
	const struct sim_contender c = { .policy = &sim_policy_mlsched,
					 .decide = refuses_and_counts,
					 .context = &asked };
	struct sim_rows rows = { 0 };

	(void)state;
	two_on_one_cpu("2c1l", 3);
	o.most = 20;
	assert_int_equal(sim_label(&world.machine, &world.workload, &c, 1, SIM_S, &o, &rows), 0);
	assert_in_range(rows.n, 20, 21);
	assert_in_range(asked.later, 5, asked.n); /* two are offered at a time */
	assert_int_equal(asked.again, 0);
	sim_rows_clear(&rows);
}

static int places_alone(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	return d->kind == MLS_POLICY_WAKEUP || d->kind == MLS_POLICY_FORK;
}

/*
 * The trap of chance: the future changes after the event of the decision, not before it.  One
 * task falls asleep, for how long is drawn in that event, and its CPU asks for work: until it
 * wakes up is what a move is worth, and that is known in all futures.
 */
static void the_future_changes_behind_the_event(void **state)
{
	struct sim_label_options o = work_alone();
	struct sim_rows first, other;
	uint32_t n = 0;

	(void)state;
	two_on_one_cpu("2c1l", 1);
	world_program(1, 100, 50 * SIM_MS, 3 * SIM_MS, 0);
	draws(1, false, true);
	world_tasks(1, 1, 0);
	world_tasks(0, 1, 0);
	o.most = 50;
	first = label_world(&o, places_alone);
	o.seed = 2;
	other = label_world(&o, places_alone);
	assert_int_equal(first.n, other.n);
	for (uint32_t i = 0; i < first.n; i++) {
		if (first.row[i].kind != MLS_POLICY_STEAL)
			continue;
		assert_int_equal(first.row[i].spread, 0);
		assert_int_equal(first.row[i].benefit, other.row[i].benefit);
		n += first.row[i].benefit < 12 * (s64)SIM_MS;
	}
	assert_in_range(n, 10, 50);
	sim_rows_clear(&first);
	sim_rows_clear(&other);
}

/* The trap of the run that got stuck: no run gives more rows than it may, but for one event's. */
static void a_run_gives_no_more_rows_than_it_may(void **state)
{
	struct sim_label_options o = work_alone();
	struct sim_rows rows;
	uint32_t n;

	(void)state;
	two_on_one_cpu("2c1l", 2);
	o.most = 20;
	rows = label_world(&o, refuses_all);
	assert_int_equal(rows.n, 20);
	sim_rows_clear(&rows);
	/* Of all decisions one in so many is chosen, by chance. */
	two_on_one_cpu("2c1l", 1);
	world_program(1, 100, SIM_MS, SIM_MS, 0);
	world_tasks(1, 3, 0);
	o.most = 10000;
	rows = label_world(&o, refuses_all);
	n = rows.n;
	assert_in_range(n, 200, 10000);
	sim_rows_clear(&rows);
	o.one_of = 7;
	rows = label_world(&o, refuses_all);
	assert_in_range(rows.n, n / 14, n / 4);
	sim_rows_clear(&rows);
}

/* Labelling looks at a run and does not touch it: the same decisions are met without futures. */
static void labelling_does_not_disturb_the_run(void **state)
{
	const struct sim_tuning tuning = { .mechanisms = 15, .worth = { SIM_MS, SIM_MS, SIM_MS } };
	const struct sim_contender all = { .policy = &sim_policy_mlsched, .tuning = &tuning };
	struct sim_label_options one = sim_label_options_default(), three = one;
	struct sim_rows a = { 0 }, b = { 0 };
	struct sim_machine machine;
	struct sim_workload w;
	uint32_t n = 0;

	(void)state;
	one.futures = 1;
	one.horizon_least = one.horizon_most = SIM_MS;
	assert_int_equal(sim_machine_parse(&machine, "8c2l2n", NULL), 0);
	for (uint32_t k = 0; sim_workload_name(k); k++) {
		assert_int_equal(sim_workload_make(&w, sim_workload_name(k), 8, NULL), 0);
		assert_int_equal(sim_label(&machine, &w, &all, 3, SIM_S, &one, &a), 0);
		assert_int_equal(sim_label(&machine, &w, &all, 3, SIM_S, &three, &b), 0);
		assert_int_equal(a.n, b.n);
		n += a.n;
		for (uint32_t i = 0; i < a.n; i++)
			assert_memory_equal(a.row[i].features, b.row[i].features,
					    sizeof(a.row[i].features));
		a.n = b.n = 0;
	}
	assert_in_range(n, 100, UINT32_MAX);
	sim_rows_clear(&a);
	sim_rows_clear(&b);
}

/* Labels are of the tuning that the contender has: who is asked more often has more rows. */
static void labels_are_made_under_the_tuning(void **state)
{
	static const struct sim_tuning eager = { 0, { 0, 0, 0 } },
				       shy = { 0, { SIM_S, SIM_S, SIM_S } };
	static const struct sim_tuning *const tunings[] = { &shy, NULL, &eager };
	struct sim_label_options o = sim_label_options_default();
	struct sim_machine machine;
	struct sim_workload w;
	uint32_t n[3] = { 0 };

	(void)state;
	o.futures = 1;
	o.most = 10000;
	assert_int_equal(sim_machine_parse(&machine, "8c2l", NULL), 0);
	assert_int_equal(sim_workload_make(&w, "message", 8, NULL), 0);
	for (int i = 0; i < 3; i++) {
		struct sim_contender c = heuristic;
		struct sim_rows rows = { 0 };

		c.tuning = tunings[i];
		for (uint64_t seed = 1; seed <= 2 * RUNS; seed++)
			assert_int_equal(sim_label(&machine, &w, &c, seed, SIM_S, &o, &rows), 0);
		n[i] = rows.n;
		sim_rows_clear(&rows);
	}
	assert_true(n[0] < n[1] / 2);
	assert_true(n[1] < n[2] * 3 / 4);
}

static uint32_t learn_with(uint32_t n_threads, const struct sim_tuning *tuning, float threshold,
			   struct mlsched_model **model, struct sim_learn_round *rounds)
{
	struct sim_learn_options o;
	struct sim_workload *workloads = calloc(2, sizeof(*workloads));
	struct sim_lesson lessons[2];
	struct mls_dataset data;
	struct sim_learn_round none;
	struct mlsched_error err;
	uint32_t best;

	assert_non_null(workloads);
	sim_learn_options_init(&o);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sim_machine_parse(&lessons[i].machine, "8c2l", NULL), 0);
		assert_int_equal(sim_workload_make(&workloads[i], i ? "message" : "make", 8, NULL),
				 0);
		lessons[i].workload = &workloads[i];
	}
	o.lessons = lessons;
	o.n_lessons = 2;
	o.rounds = 2;
	o.limit = SIM_S / 2;
	o.held_out = 2;
	o.train.epochs = 10;
	o.n_threads = n_threads;
	o.threshold = threshold;
	if (tuning)
		o.tuning = *tuning;
	assert_int_equal(sim_learn(&o, rounds, &none, &best, &data, &err, model), 0);
	assert_true(rounds[best].accepted);
	sim_learn_clear(&data);
	free(workloads);
	return best;
}

static void learn(uint32_t n_threads, const struct sim_tuning *tuning, struct mlsched_model **model,
		  struct sim_learn_round *rounds)
{
	learn_with(n_threads, tuning, NAN, model, rounds);
}

/*
 * The first round's rows and network are the same whatever the threshold.  What is chosen by
 * whole runs is the one that they judge best of those that are tried.
 */
static void a_threshold_is_chosen_by_whole_runs(void **state)
{
	static const float tried[] = { 0.5f, 0.4f, 0.3f, 0.2f, 0.1f };
	struct sim_learn_round chosen[2], fixed[2];
	double best = HUGE_VAL;
	float at = 0;
	struct mlsched_model *model;
	uint32_t number = learn_with(2, NULL, NAN, &model, chosen);

	(void)state;
	assert_true(mlsched_model_meta(model)->threshold == chosen[number].threshold);
	mlsched_model_free(model);
	for (int i = 0; i < 5; i++) {
		number = learn_with(2, NULL, tried[i], &model, fixed);
		assert_true(mlsched_model_meta(model)->threshold == tried[i]);
		assert_true(fixed[number].threshold == tried[i]);
		mlsched_model_free(model);
		assert_int_equal(fixed[0].rows, chosen[0].rows);
		if (fixed[0].score < best) {
			best = fixed[0].score;
			at = tried[i];
		}
	}
	assert_true(chosen[0].threshold == at);
	assert_true(chosen[0].score == best);
}

static void a_model_is_the_same_with_any_number_of_threads(void **state)
{
	struct sim_learn_round a[2], b[2];
	struct mlsched_model *one, *many;

	(void)state;
	learn(1, NULL, &one, a);
	learn(3, NULL, &many, b);
	assert_int_equal(mlsched_model_checksum(one), mlsched_model_checksum(many));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].rows, b[i].rows);
		assert_true(a[i].score == b[i].score);
	}
	/* What it learns at the least: that message passing is moved too often. */
	assert_true(a[0].moved < 0.95);
	mlsched_model_free(one);
	mlsched_model_free(many);
}

/* Rows and judgement are of the tuning: who is offered next to nothing moves far less. */
static void a_model_learns_and_is_judged_under_the_tuning(void **state)
{
	const struct sim_tuning shy = { 0, { SIM_S, SIM_S, SIM_S } };
	struct sim_learn_round usual[2], tuned[2];
	struct mlsched_model *model;

	(void)state;
	learn(2, NULL, &model, usual);
	mlsched_model_free(model);
	learn(2, &shy, &model, tuned);
	mlsched_model_free(model);
	for (int i = 0; i < 2; i++) {
		assert_true(tuned[i].moved < 0.7 * usual[i].moved);
	}
}

static void models_of_other_schemas_are_refused(void **state)
{
	const float weights[10] = { 0 }, bias[1] = { 0 };
	const struct mlsched_layer layer = { .n_in = 10,
					     .n_out = 1,
					     .activation = MLSCHED_LINEAR,
					     .weights = weights,
					     .bias = bias };
	const struct mlsched_meta meta = { .schema = "seed10", .threshold = 0.5f };
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 1, .layers = &layer, .meta = &meta
	};
	struct sim_decider d = { 0 };
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mlsched_model_create(&desc, &err, &model), 0);
	assert_int_equal(sim_decider_init(&d, model, &err), -EINVAL);
	assert_non_null(strstr(err.message, "seed10"));
	mlsched_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_for_idle_cpus_is_worth_a_move),
		cmocka_unit_test(dear_moves_are_not_worth_it),
		cmocka_unit_test(a_refusal_that_lasts_costs_more),
		cmocka_unit_test(a_refusal_leaves_the_cpu_without_work),
		cmocka_unit_test(a_future_lasts_for_six_bursts_within_its_bounds),
		cmocka_unit_test(futures_go_on_under_the_policy_that_is_learned),
		cmocka_unit_test(a_move_has_the_price_of_the_load_of_its_moment),
		cmocka_unit_test(a_move_has_a_price_by_distance_and_by_how_long_it_holds),
		cmocka_unit_test(waits_count_by_their_time_and_long_ones_more),
		cmocka_unit_test(both_answers_meet_the_same_chance),
		cmocka_unit_test(a_copy_of_an_event_has_its_answers),
		cmocka_unit_test(the_future_changes_behind_the_event),
		cmocka_unit_test(a_run_gives_no_more_rows_than_it_may),
		cmocka_unit_test(labelling_does_not_disturb_the_run),
		cmocka_unit_test(a_model_is_the_same_with_any_number_of_threads),
		cmocka_unit_test(labels_are_made_under_the_tuning),
		cmocka_unit_test(a_threshold_is_chosen_by_whole_runs),
		cmocka_unit_test(a_model_learns_and_is_judged_under_the_tuning),
		cmocka_unit_test(models_of_other_schemas_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
