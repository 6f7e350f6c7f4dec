// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched eval --off-policy: what a model would have come to, by a recording of another
 * one's decisions, beside the controls that always or never migrate.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/eval.h"
#include "src/data/offpolicy.h"
#include "src/data/recording.h"

enum { MODEL, ALWAYS, NEVER, POLICIES };

static const char *const policy_names[POLICIES] = { "model", "always migrate", "never migrate" };

struct rows {
	struct mls_offpolicy_rows list;
	uint64_t skipped;
};

/* All sessions must have been recorded with the model's inputs. */
static int check_schemas(struct mls_recording_reader *reader, const struct cli_off_policy *o,
			 const char *schema)
{
	struct mls_recording_session session;
	struct mlsched_error err;
	int ret;

	for (uint32_t i = 0; (ret = mls_recording_session(reader, i, &session, &err)) == 1; i++) {
		if (strcmp(session.schema, schema) != 0)
			return cli_fail(o->common,
					"%s: session %u: expected schema %s as of the model, found "
					"%s",
					o->recording, i + 1, schema, session.schema);
	}
	return ret ? cli_fail(o->common, "%s", err.message) : CLI_OK;
}

static int read_rows(struct mls_recording_reader *reader, const struct cli_off_policy *o,
		     const struct mlsched_model *model, struct rows *rows)
{
	struct mlsched_error err;
	struct mls_recorded d;
	int ret;

	while ((ret = mls_recording_next(reader, &d, &err)) == 1) {
		struct mlsched_verdict verdict;
		bool migrate;

		if (!mls_offpolicy_takes(&d)) {
			rows->skipped++;
			continue;
		}
		if (mlsched_decide_features(model, d.features, 1, d.n_features, &verdict, &err) !=
		    0)
			return cli_fail(o->common, "%s", err.message);
		migrate = (double)verdict.logit > o->logit;
		if (mls_offpolicy_add(&rows->list, &d, migrate, d.accepted, &o->label) != 0)
			return cli_fail(o->common, "no memory for %llu decisions",
					(unsigned long long)rows->list.n + 1);
	}
	return ret ? cli_fail(o->common, "%s", err.message) : CLI_OK;
}

static json_t *estimate_json(const struct mls_estimate *e)
{
	return json_pack("{s:f, s:f, s:f}", "mean", e->mean, "low", e->low, "high", e->high);
}

static json_t *policy_json(const struct mls_offpolicy *p)
{
	return json_pack("{s:I, s:f, s:o, s:o, s:o}", "agree", (json_int_t)p->agree,
			 "effective_rows", p->effective, "inverse_propensity",
			 estimate_json(&p->inverse), "doubly_robust", estimate_json(&p->robust),
			 "gain", estimate_json(&p->gain));
}

static void show_json(const struct cli_off_policy *o, const struct rows *rows,
		      const struct mls_offpolicy results[POLICIES], const bool known[POLICIES])
{
	static const char *const keys[POLICIES] = { "estimates", "always", "never" };
	json_t *document = json_pack("{s:s, s:s, s:I, s:I, s:i, s:o}", "model", o->model,
				     "recording", o->recording, "decisions",
				     (json_int_t)rows->list.n, "skipped", (json_int_t)rows->skipped,
				     "blocks", (int)results[MODEL].blocks, "recorded",
				     estimate_json(&results[MODEL].recorded));

	for (int p = 0; p < POLICIES; p++)
		json_object_set_new(document, keys[p],
				    known[p] ? policy_json(&results[p]) : json_null());
	cli_json(document);
}

static void print_estimate(const struct mls_estimate *e)
{
	printf("  %10.1f %10.1f .. %10.1f", e->mean, e->low, e->high);
}

static void show(const struct cli_off_policy *o, const struct rows *rows,
		 const struct mls_offpolicy results[POLICIES], const bool known[POLICIES])
{
	const struct mls_offpolicy *m = &results[MODEL];

	printf("%s by %llu decisions of %s in %u blocks of time (%llu others are not the model's "
	       "to make)\n\n",
	       o->model, (unsigned long long)rows->list.n, o->recording, m->blocks,
	       (unsigned long long)rows->skipped);
	printf("%-16s %9s %9s  %-36s%-36s%s\n", "us a decision", "agrees", "weigh as",
	       "  inverse propensity, 95 %", "  doubly robust, 95 %", "  gain over what was done");
	printf("%-16s %8.1f%% %9llu", "as recorded", 100.0, (unsigned long long)m->n);
	print_estimate(&m->recorded);
	putchar('\n');
	for (int p = 0; p < POLICIES; p++) {
		const struct mls_offpolicy *r = &results[p];

		if (!known[p]) {
			printf("%-16s  never tried\n", policy_names[p]);
			continue;
		}
		printf("%-16s %8.1f%% %9.0f", policy_names[p],
		       100.0 * (double)r->agree / (double)r->n, r->effective);
		print_estimate(&r->inverse);
		print_estimate(&r->robust);
		print_estimate(&r->gain);
		putchar('\n');
	}
	printf("\n%s\n",
	       m->gain.low > 0  ? "the model is better than what was done" :
	       m->gain.high < 0 ? "the model is worse than what was done" :
				  "whether the model is better than what was done, this recording "
				  "cannot say");
}

static int estimate(const struct cli_off_policy *o, struct rows *rows)
{
	struct mls_offpolicy results[POLICIES];
	bool known[POLICIES];
	struct mlsched_error err;

	for (int p = 0; p < POLICIES; p++) {
		for (uint64_t i = 0; p != MODEL && i < rows->list.n; i++)
			rows->list.rows[i].policy = p == ALWAYS;
		known[p] = mls_offpolicy_estimate(rows->list.rows, rows->list.n, &results[p],
						  &err) == 0;
		if (p == MODEL && !known[p])
			return cli_fail(o->common, "%s: %s", o->recording, err.message);
	}
	if (o->common->json)
		show_json(o, rows, results, known);
	else
		show(o, rows, results, known);
	return CLI_OK;
}

int cli_eval_off_policy(const struct cli_off_policy *o, const struct mlsched_model *model,
			const char *schema)
{
	struct mls_recording_reader *reader;
	struct rows rows = { 0 };
	struct mlsched_error err;
	int status;

	if (mls_recording_open(o->recording, &err, &reader) != 0)
		return cli_fail(o->common, "%s", err.message);
	status = check_schemas(reader, o, schema);
	if (!status)
		status = read_rows(reader, o, model, &rows);
	if (!status)
		status = estimate(o, &rows);
	mls_recording_reader_close(reader);
	free(rows.list.rows);
	return status;
}
