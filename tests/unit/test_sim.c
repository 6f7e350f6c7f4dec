// SPDX-License-Identifier: GPL-2.0
/* src/sim: the engine, its chance, its copies. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/random.h"
#include "src/sim/sweep.h"

#define LIMIT (100 * SIM_S)

static const struct sim_options plain = { .limit = LIMIT };

static struct sim_machine machine_of(const char *name)
{
	struct sim_machine m;

	assert_int_equal(sim_machine_parse(&m, name, NULL), 0);
	return m;
}

/* ---- machines ---------------------------------------------------------------------- */

static void names_say_what_a_machine_has(void **state)
{
	struct sim_machine m = machine_of("16c4l2n2t");

	(void)state;
	assert_int_equal(m.n_cpus, 16);
	assert_int_equal(m.llc[3], 0);
	assert_int_equal(m.llc[4], 1);
	assert_int_equal(m.node[7], 0);
	assert_int_equal(m.node[8], 1);
	assert_int_equal(m.sibling[4], 5);
	assert_int_equal(m.sibling[5], 4);
	assert_int_equal(sim_distance(&m, 4, 4), SIM_SAME);
	assert_int_equal(sim_distance(&m, 4, 5), SIM_NEAR);
	assert_int_equal(sim_distance(&m, 3, 4), SIM_NODE);
	assert_int_equal(sim_distance(&m, 3, 8), SIM_FAR);
	m = machine_of("1024c64l16n");
	assert_int_equal(m.node[1023], 15);
}

static void other_names_are_refused(void **state)
{
	static const char *const names[] = { "",
					     "8",
					     "8c",
					     "8c3l",
					     "0c1l",
					     "8c2l3n",
					     "8c2lx",
					     "8c2l2n3t",
					     "1025c1l",
					     "8c65l",
					     "-8c2l",
					     " 8c2l",
					     "8c2l1n1t1",
					     "c2l",
					     "99999999999999999999c1l",
					     "8c2l                                            " };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct mlsched_error err = { 0 };
		struct sim_machine m;

		if (sim_machine_parse(&m, names[i], &err) != -EINVAL)
			fail_msg("%s was taken", names[i]);
		assert_non_null(strstr(err.message, names[i]));
	}
}

/* ---- chance -------------------------------------------------------------------------- */

static void amounts_have_their_means(void **state)
{
	static const struct {
		enum sim_vary how;
		double deviation; /* of the mean */
	} cases[] = { { SIM_FIXED, 0 },
		      { SIM_AROUND, 0.2886751 },
		      { SIM_EXPONENTIAL, 1 },
		      { SIM_LOGNORMAL, 1.3108325 } };
	enum { N = 1000000 };
	const uint64_t mean = 5 * SIM_MS;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double sum = 0, squares = 0;

		for (uint64_t n = 0; n < N; n++) {
			double x = (double)sim_vary(cases[i].how, mean, sim_draw(7, i, n)) /
				   (double)mean;

			sum += x;
			squares += (x - 1) * (x - 1);
		}
		/* Five deviations of the mean itself. */
		assert_true(fabs(sum / N - 1) <= 5 * cases[i].deviation / sqrt(N) + 1e-3);
		/* The tails end: they may have less, but not a fifth less. */
		assert_true(sqrt(squares / N) <= cases[i].deviation * 1.02 + 1e-9);
		assert_true(sqrt(squares / N) >= cases[i].deviation * 0.8);
	}
	assert_int_equal(sim_vary(SIM_AROUND, 0, 123), 0);
}

/* The exponential one against what it stands for, in quantiles. */
static void quantiles_are_those_of_the_distributions(void **state)
{
	(void)state;
	for (int i = 1; i < 62; i++) {
		uint64_t bits = (uint64_t)i << 58;
		double q = (double)sim_vary(SIM_EXPONENTIAL, 1ull << 32, bits) / 0x1p32;

		assert_true(fabs(q + log(1 - i / 64.0)) < 0.001);
	}
	/* exp(z - 1/2) at the quartiles of the normal distribution. */
	assert_true(fabs((double)sim_vary(SIM_LOGNORMAL, 1ull << 32, 16ull << 58) / 0x1p32 -
			 exp(-0.6744898 - 0.5)) < 0.001);
	assert_true(fabs((double)sim_vary(SIM_LOGNORMAL, 1ull << 32, 48ull << 58) / 0x1p32 -
			 exp(0.6744898 - 0.5)) < 0.001);
}

/* ---- runs ------------------------------------------------------------------------------ */

static const char *const contender_names[] = { "eevdf",      "mlsched",    "refuse",
					       "rusty",      "eevdf-free", "accept",
					       "refuse-llc", "hysteresis", "mechanisms-hysteresis" };
static const char *const machine_names[] = { "1c1l", "4c2l", "8c2l2n", "16c4l2n2t", "128c16l2n" };
#define N_CONTENDERS (sizeof(contender_names) / sizeof(contender_names[0]))
#define N_MACHINES   (sizeof(machine_names) / sizeof(machine_names[0]))

/* Sums over the useful work: whoever schedules, everybody does what it is given, once. */
static void every_policy_does_the_same_work(void **state)
{
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim_workload w;
	const char *name;

	(void)state;
	assert_non_null(results);
	for (size_t m = 0; m < N_MACHINES; m++) {
		struct sim_machine machine = machine_of(machine_names[m]);

		for (uint32_t k = 0; (name = sim_workload_name(k)); k++) {
			uint64_t work = 0;

			for (size_t c = 0; c < N_CONTENDERS; c++) {
				struct sim_contender contender;
				struct sim_options options;
				struct sim *s;

				assert_int_equal(sim_workload_make(&w, name, machine.n_cpus, NULL),
						 0);
				assert_int_equal(sim_contender_find(&contender, contender_names[c],
								    NULL),
						 0);
				options = sim_contender_options(&contender, LIMIT);
				memset(results, 0, sizeof(*results));
				s = sim_new(&machine, &w, contender.policy, &options, 3, results);
				assert_non_null(s);
				assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
				assert_int_equal(s->alive, 0);
				/* Of daemons as much as there was time for. */
				if (c && strcmp(name, "mixed") != 0 && work != results->sum.useful)
					fail_msg(
						"%s on %s: %llu ns of work under %s, %llu under %s",
						name, machine.name,
						(unsigned long long)results->sum.useful,
						contender.name, (unsigned long long)work,
						contender_names[0]);
				work = results->sum.useful;
				/* No CPU does more than there is time. */
				assert_true(results->sum.useful + results->sum.refill +
						    results->sum.kernel <=
					    (results->makespan + SIM_MS) * machine.n_cpus);
				assert_true(results->makespan > 0);
				sim_free(s);
			}
		}
	}
	free(results);
}

/*
 * The load of the virtual machines reports the work that it was given: so many ns on 4
 * CPUs with seed 1 in bench/results/vm-compare.jsonl.
 */
static void the_work_is_that_of_the_virtual_machines(void **state)
{
	static const struct {
		const char *workload;
		double work_ms;
	} cases[] = { { "message", 9585.263 }, { "make", 10309.880 }, { "imbalance", 9518.109 } };
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim_machine machine = machine_of("4c2l");
	struct sim_workload w;

	(void)state;
	assert_non_null(results);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim *s;
		double work;

		assert_int_equal(sim_workload_make(&w, cases[i].workload, 4, NULL), 0);
		s = sim_new(&machine, &w, &sim_policy_eevdf, &plain, 1, results);
		assert_non_null(s);
		assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
		work = (double)results->sum.useful / 1e6;
		if (fabs(work - cases[i].work_ms) > 0.05)
			fail_msg("%s: %.3f ms, expected %.3f", cases[i].workload, work,
				 cases[i].work_ms);
		sim_free(s);
	}
	free(results);
}

/* A copy made at any moment goes on as the original does, to the bit. */
static void a_copy_goes_on_alike(void **state)
{
	const char *name;

	(void)state;
	for (size_t c = 0; c < N_CONTENDERS; c++) {
		for (uint32_t k = 0; (name = sim_workload_name(k)); k++) {
			struct sim_machine machine = machine_of("8c2l2n");
			struct sim_contender contender;
			struct sim_options options;
			struct sim_workload w;
			struct sim *s, *copy, *again;

			assert_int_equal(sim_workload_make(&w, name, machine.n_cpus, NULL), 0);
			assert_int_equal(sim_contender_find(&contender, contender_names[c], NULL),
					 0);
			options = sim_contender_options(&contender, LIMIT);
			s = sim_new(&machine, &w, contender.policy, &options, 5, NULL);
			assert_non_null(s);
			assert_int_equal(sim_run(s, 300 * SIM_MS), 0);
			copy = sim_clone(s);
			again = sim_clone(s);
			assert_non_null(copy);
			assert_non_null(again);
			assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
			assert_int_equal(sim_run(copy, 700 * SIM_MS), 0);
			sim_copy(again, copy);
			assert_int_equal(sim_run(copy, SIM_NEVER - 1), 1);
			assert_int_equal(sim_run(again, SIM_NEVER - 1), 1);
			assert_int_equal(copy->ended, s->ended);
			assert_int_equal(again->ended, s->ended);
			assert_int_equal(copy->events, s->events);
			assert_memory_equal(&copy->sum, &s->sum, sizeof(s->sum));
			assert_memory_equal(&again->sum, &s->sum, sizeof(s->sum));
			assert_memory_equal(copy->tasks, s->tasks,
					    s->most_tasks * sizeof(*s->tasks));
			sim_free(again);
			sim_free(copy);
			sim_free(s);
		}
	}
}

/* Another salt is another future, and what was drawn before stays. */
static void a_salt_changes_the_future_only(void **state)
{
	struct sim_machine machine = machine_of("8c2l");
	struct sim_workload w;
	struct sim *s, *other;

	(void)state;
	assert_int_equal(sim_workload_make(&w, "mixed", 8, NULL), 0);
	s = sim_new(&machine, &w, &sim_policy_mlsched, &plain, 1, NULL);
	assert_non_null(s);
	assert_int_equal(sim_run(s, 200 * SIM_MS), 0);
	other = sim_clone(s);
	assert_non_null(other);
	other->salt = 12345;
	assert_int_equal(other->n_heap, s->n_heap);
	assert_int_equal(other->n_sleepers, s->n_sleepers);
	assert_true(s->n_heap && s->n_sleepers);
	assert_memory_equal(other->heap, s->heap, s->n_heap * sizeof(*s->heap));
	assert_memory_equal(other->sleepers, s->sleepers, s->n_sleepers * sizeof(*s->sleepers));
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(sim_run(other, SIM_NEVER - 1), 1);
	assert_int_not_equal(s->ended, other->ended);
	sim_free(other);
	sim_free(s);
}

/* The default tuning is none, and both parts of another one do what they say. */
static void a_tuning_is_what_the_policy_goes_by(void **state)
{
	static const struct sim_tuning untuned = SIM_TUNING_DEFAULT;
	static const struct sim_tuning shy = { 0, { SIM_S, SIM_S, SIM_S } };
	static const struct sim_tuning eager = { 0, { 0, 0, 0 } };
	static const struct sim_tuning mechanisms = SIM_TUNING_WITH(1 << MLS_POLICY_PREEMPT_SHORT);
	static const struct sim_tuning *const tunings[] = { NULL, &untuned, &shy, &eager,
							    &mechanisms };
	struct sim_results *results = calloc(5, sizeof(*results));
	struct sim_machine machine = machine_of("8c2l2n");
	uint64_t uses[5];
	struct sim_workload w;

	(void)state;
	assert_non_null(results);
	assert_int_equal(sim_workload_make(&w, "mixed", 8, NULL), 0);
	for (int i = 0; i < 5; i++) {
		const struct sim_options options = { .limit = LIMIT, .tuning = tunings[i] };
		struct sim *s =
			sim_new(&machine, &w, &sim_policy_mlsched, &options, 3, &results[i]);

		assert_non_null(s);
		assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
		uses[i] = s->mechanisms[MLS_POLICY_PREEMPT_SHORT];
		sim_free(s);
	}
	assert_memory_equal(&results[0], &results[1], sizeof(results[0]));
	assert_true(results[2].decisions[MLS_POLICY_STEAL] <
		    results[0].decisions[MLS_POLICY_STEAL]);
	assert_true(results[3].decisions[MLS_POLICY_STEAL] >
		    2 * results[0].decisions[MLS_POLICY_STEAL]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(uses[i] > 0, i == 4);
	assert_true(sim_tuning_is_default(&untuned));
	for (int i = 2; i < 5; i++)
		assert_false(sim_tuning_is_default(tunings[i]));
	free(results);
}

/* ---- sweeps -------------------------------------------------------------------------------- */

static void sweep_of(struct sim_sweep *sweep, uint32_t n_threads)
{
	struct mls_pool *pool;

	assert_int_equal(mls_pool_create(n_threads, &pool), 0);
	assert_int_equal(sim_sweep_run(sweep, pool), 0);
	mls_pool_free(pool);
}

static void threads_change_no_number(void **state)
{
	struct sim_machine machine = machine_of("8c2l2n");
	struct sim_workload *workloads = calloc(4, sizeof(*workloads));
	struct sim_contender contenders[2];
	struct sim_cell one[8], many[8];
	struct sim_sweep a = { .cells = one, .n_cells = 8, .n_seeds = 3, .seed = 1, .limit = LIMIT };
	struct sim_sweep b = a;

	(void)state;
	assert_non_null(workloads);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(sim_workload_make(&workloads[i], sim_workload_name(i), 8, NULL),
				 0);
	assert_int_equal(sim_contender_find(&contenders[0], "eevdf", NULL), 0);
	assert_int_equal(sim_contender_find(&contenders[1], "mlsched", NULL), 0);
	for (uint32_t i = 0; i < 8; i++)
		one[i] = many[i] = (struct sim_cell){ .machine = &machine,
						      .workload = &workloads[i / 2],
						      .contender = &contenders[i % 2] };
	b.cells = many;
	sweep_of(&a, 1);
	sweep_of(&b, 4);
	for (uint32_t i = 0; i < 8; i++)
		assert_memory_equal(one[i].results, many[i].results, 3 * sizeof(*one[i].results));
	sim_sweep_clear(&a);
	sim_sweep_clear(&b);
	free(workloads);
}

static void a_run_that_takes_too_long_is_given_up(void **state)
{
	struct sim_machine machine = machine_of("1c1l");
	const struct sim_options brief = { .limit = 10 * SIM_MS };
	struct sim_workload w;
	struct sim *s;

	(void)state;
	assert_int_equal(sim_workload_make(&w, "mixed", 1, NULL), 0);
	s = sim_new(&machine, &w, &sim_policy_eevdf, &brief, 1, NULL);
	assert_non_null(s);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), -ETIMEDOUT);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_say_what_a_machine_has),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(amounts_have_their_means),
		cmocka_unit_test(quantiles_are_those_of_the_distributions),
		cmocka_unit_test(every_policy_does_the_same_work),
		cmocka_unit_test(the_work_is_that_of_the_virtual_machines),
		cmocka_unit_test(a_copy_goes_on_alike),
		cmocka_unit_test(a_salt_changes_the_future_only),
		cmocka_unit_test(a_tuning_is_what_the_policy_goes_by),
		cmocka_unit_test(threads_change_no_number),
		cmocka_unit_test(a_run_that_takes_too_long_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
