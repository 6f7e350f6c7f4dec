// SPDX-License-Identifier: GPL-2.0
/*
 * The options of `mlsched train`.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/train_options.h"
#include "src/cli/tuning.h"
#include "src/util/array.h"

/*
 * For a model that may refuse: what makes staying cheap, without preempting, which lengthens
 * waits; and more offers than without one.
 */
#define TUNING                                                                            \
	{                                                                                 \
		.mechanisms = 1 << MLS_POLICY_FORK_IN_PLACE | 1 << MLS_POLICY_ASK_AGAIN | \
			      1 << MLS_POLICY_LEVEL_LARGE,                                \
		.worth = { 500000, 1000000, 1500000 },                                    \
	}

enum {
	OPTION_SYNTHETIC = 0x200,
	OPTION_ROWS,
	OPTION_WRITE_CSV,
	OPTION_SCHEMA,
	OPTION_LABEL,
	OPTION_VALIDATION,
	OPTION_SPLIT,
	OPTION_LAYERS,
	OPTION_ACTIVATION,
	OPTION_ALPHA,
	OPTION_LOGITS,
	OPTION_EPOCHS,
	OPTION_BATCH,
	OPTION_RATE,
	OPTION_DECAY,
	OPTION_L2,
	OPTION_ACTIVATION_PENALTY,
	OPTION_CLASS_WEIGHT,
	OPTION_PATIENCE,
	OPTION_SEED,
	OPTION_THREADS,
	OPTION_THRESHOLD,
	OPTION_CHECKPOINT,
	OPTION_CHECKPOINT_EVERY,
	OPTION_RESUME,
	OPTION_FROM,
	OPTION_MACHINES,
	OPTION_WORKLOADS,
	OPTION_COSTS,
	OPTION_RUNS,
	OPTION_ROUNDS,
	OPTION_FUTURES,
	OPTION_MOVE_PRICE,
	OPTION_PRICE_MOST,
	OPTION_WAIT_PRICE,
	OPTION_MECHANISMS,
	OPTION_OFFERS,
	OPTION_INIT,
	OPTION_PRICE,
	OPTION_WAIT,
	OPTION_TIME,
	OPTION_PROGRAM,
	OPTION_MARGIN,
};

_Static_assert(OPTION_MARGIN - OPTION_SYNTHETIC < 64, "a bit of `given` for each");

/* Where rows come from. */
enum { TABLE = 1, PATTERNS = 2, SIM = 4, RECORDING = 8 };

static const char *const source_names[] = { "DATA.csv", "--synthetic", "--from sim",
					    "--from FILE.db" };

/* Options that mean something with some sources of rows only; all others do with each. */
static const struct {
	int key;
	unsigned int sources;
} of_sources[] = {
	{ OPTION_ROWS, PATTERNS },
	{ OPTION_WRITE_CSV, TABLE | PATTERNS },
	{ OPTION_SCHEMA, TABLE },
	{ OPTION_LABEL, TABLE | PATTERNS },
	{ OPTION_VALIDATION, TABLE | PATTERNS },
	{ OPTION_SPLIT, TABLE | PATTERNS },
	{ OPTION_PATIENCE, TABLE | PATTERNS | RECORDING },
	{ OPTION_LAYERS, TABLE | PATTERNS | SIM },
	{ OPTION_ACTIVATION, TABLE | PATTERNS | SIM },
	{ OPTION_ALPHA, TABLE | PATTERNS | SIM },
	{ OPTION_LOGITS, TABLE | PATTERNS | SIM },
	{ OPTION_THRESHOLD, TABLE | PATTERNS | SIM },
	{ OPTION_CHECKPOINT, TABLE | PATTERNS },
	{ OPTION_CHECKPOINT_EVERY, TABLE | PATTERNS },
	{ OPTION_RESUME, TABLE | PATTERNS },
	{ OPTION_MACHINES, SIM },
	{ OPTION_WORKLOADS, SIM },
	{ OPTION_COSTS, SIM },
	{ OPTION_RUNS, SIM },
	{ OPTION_ROUNDS, SIM },
	{ OPTION_FUTURES, SIM },
	{ OPTION_MOVE_PRICE, SIM },
	{ OPTION_PRICE_MOST, SIM },
	{ OPTION_WAIT_PRICE, SIM },
	{ OPTION_MECHANISMS, SIM },
	{ OPTION_OFFERS, SIM },
	{ OPTION_INIT, RECORDING },
	{ OPTION_MARGIN, RECORDING },
	{ OPTION_PRICE, RECORDING },
	{ OPTION_WAIT, RECORDING },
	{ OPTION_TIME, RECORDING },
	{ OPTION_PROGRAM, RECORDING },
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Data:", 1 },
	{ "synthetic", OPTION_SYNTHETIC, "SCHEMA", 0, "Make the rows from load patterns: seed10",
	  1 },
	{ "from", OPTION_FROM, "sim|FILE.db", 0,
	  "Make the rows in the simulator, by both futures of each decision, in rounds; or of a "
	  "recording, to refine a model",
	  1 },
	{ "rows", OPTION_ROWS, "N", 0, "Synthetic rows (65536)", 1 },
	{ "write-csv", OPTION_WRITE_CSV, "FILE", 0, "Write the rows as CSV too", 1 },
	{ "schema", OPTION_SCHEMA, "NAME", 0, "Which columns are inputs (seed10)", 1 },
	{ "label", OPTION_LABEL, "NAME", 0, "Column with 1 for migrate, 0 for keep (migrate)", 1 },
	{ "validation", OPTION_VALIDATION, "SHARE", 0, "Of the rows, for validation (0.1)", 1 },
	{ "split", OPTION_SPLIT, "random|time", 0,
	  "Which rows: drawn by the seed, or the last ones (random)", 1 },
	{ NULL, 0, NULL, 0, "Network:", 2 },
	{ "layers", OPTION_LAYERS, "N,N,...", 0, "Units of the hidden layers (64,64); none: 0", 2 },
	{ "activation", OPTION_ACTIVATION, "NAME,...", 0, "Of all hidden layers or of each (relu)",
	  2 },
	{ "alpha", OPTION_ALPHA, "X", 0, "Of leaky_relu (0.2) and elu (1)", 2 },
	{ "logits", OPTION_LOGITS, NULL, 0, "The model's output is the logit, without sigmoid", 2 },
	{ NULL, 0, NULL, 0, "Training:", 3 },
	{ "epochs", OPTION_EPOCHS, "N", 0, "Passes over the training rows (20)", 3 },
	{ "batch", OPTION_BATCH, "N", 0, "Rows between two steps (64; with --from: 512)", 3 },
	{ "rate", OPTION_RATE, "X", 0,
	  "Learning rate (0.001; from sim: 0.002; from a recording: 0.0002)", 3 },
	{ "decay", OPTION_DECAY, "KIND", 0,
	  "Of the rate: constant, cosine, exponential:FACTOR, step:EPOCHS:FACTOR (cosine)", 3 },
	{ "l2", OPTION_L2, "X", 0, "Penalty on squared weights (0)", 3 },
	{ "activation-penalty", OPTION_ACTIVATION_PENALTY, "X", 0,
	  "Penalty on hidden activations: fewer active units cost the kernel less (0.001)", 3 },
	{ "class-weight", OPTION_CLASS_WEIGHT, "auto|KEEP,MIGRATE", 0,
	  "Factors of the two classes' losses; auto: both weigh the same (1,1)", 3 },
	{ "patience", OPTION_PATIENCE, "N", 0,
	  "Stop after N epochs without a better validation loss (0: never)", 3 },
	{ "seed", OPTION_SEED, "N", 0, "Of rows, split, weights and order (1)", 3 },
	{ "threads", OPTION_THREADS, "N", 0,
	  "Threads (1; with --from: one for each CPU); more help with batches above 128 and never "
	  "change the model",
	  3 },
	{ "threshold", OPTION_THRESHOLD, "P|auto", 0,
	  "Migrate above this probability (0.5; with --from sim: auto); auto: best balanced accuracy "
	  "on validation, or with --from sim what does best in simulated runs",
	  3 },
	{ NULL, 0, NULL, 0, "Files:", 4 },
	{ "output", 'o', "DIR", 0, "The SavedModel to write", 4 },
	{ "checkpoint", OPTION_CHECKPOINT, "FILE", 0, "Keep the state of training in FILE", 4 },
	{ "checkpoint-every", OPTION_CHECKPOINT_EVERY, "N", 0, "Epochs between two (1)", 4 },
	{ "resume", OPTION_RESUME, NULL, 0, "Go on from the checkpoint, if there is one", 4 },
	{ NULL, 0, NULL, 0, "Simulation, with --from sim:", 5 },
	{ "machines", OPTION_MACHINES, "LIST", 0, "As for mlsched sim (8c2l,8c2l2n,32c4l)", 5 },
	{ "workloads", OPTION_WORKLOADS, "LIST", 0,
	  "The same (make,make1,makehalf,message,mixed,imbalance,server)", 5 },
	{ "costs", OPTION_COSTS, "NAME", 0, "The same (server)", 5 },
	{ "runs", OPTION_RUNS, "N", 0, "Of each workload on each machine in a round (6)", 5 },
	{ "rounds", OPTION_ROUNDS, "N", 0, "Each under the model of the one before (4)", 5 },
	{ "futures", OPTION_FUTURES, "N", 0, "Of each answer to a decision (3)", 5 },
	{ "move-price", OPTION_MOVE_PRICE, "US[,US,US]", 0,
	  "Useful work that a move must win to be worth it, and twice that across caches; three: "
	  "with less than 9 runnable tasks for 10 CPUs, with more, with more than 13 (300,1600,2000)",
	  5 },
	{ "price-most", OPTION_PRICE_MOST, "N", 0,
	  "That is of a task with bursts of 2 ms; of others in proportion, up to N times (4)", 5 },
	{ "wait-price", OPTION_WAIT_PRICE, "US", 0,
	  "Of a wait of 1 ms, beside a fifth of its time; of others by the square (600)", 5 },
	{ "mechanisms", OPTION_MECHANISMS, "LIST", 0,
	  "That the scheduler has while the model decides: as for mlsched run "
	  "(fork-in-place,ask-again,level-large)",
	  5 },
	{ "offers", OPTION_OFFERS, "NEAR,NODE,FAR", 0,
	  "So much waiting, in us, must a move within a domain, from another one, from another "
	  "node spare a task before the model is asked; no idle CPU is asked to expect more idle "
	  "time than that (500,1000,1500)",
	  5 },
	{ NULL, 0, NULL, 0, "Refinement, with --from FILE.db:", 6 },
	{ "init", OPTION_INIT, "MODEL", 0,
	  "Begin with its network and weights, and write the refined one only if it is not worse",
	  6 },
	{ "margin", OPTION_MARGIN, "US", 0,
	  "By which a decision may be worse at the lower end of the estimate (0)", 6 },
	{ "price", OPTION_PRICE, "US", 0, "Of a move, as for mlsched label (500)", 6 },
	{ "wait-weight", OPTION_WAIT, "X", 0, "The same (0.3)", 6 },
	{ "time-share", OPTION_TIME, "SHARE", 0,
	  "Of each session's time, at its end, to judge by (0.2)", 6 },
	{ "program-share", OPTION_PROGRAM, "SHARE", 0, "Of programs, to judge by (0.1)", 6 },
	{ 0 },
};

bool cli_parse_activation(const char *name, enum mlsched_activation *activation)
{
	for (int a = 0; a < MLSCHED_ACTIVATION_COUNT; a++) {
		if (strcmp(name, mlsched_activation_name(a)) == 0) {
			*activation = a;
			return true;
		}
	}
	return false;
}

static uint64_t parse_whole(struct argp_state *state, const char *option, const char *text,
			    uint64_t low, uint64_t high)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	/* strtoull() also takes blanks and a sign, and " -1" for the largest number. */
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno || value < low ||
	    value > high)
		argp_error(state, "--%s: expected a whole number from %llu to %llu, got \"%s\"",
			   option, (unsigned long long)low, (unsigned long long)high, text);
	return value;
}

/* Lists are not taken apart by strtok(): an empty name is none that may be left out. */
static void parse_layers(struct argp_state *state, const char *arg, struct mls_train_options *t)
{
	char *rest = strdupa(arg), *word;

	t->n_hidden = 0;
	if (strcmp(arg, "0") == 0)
		return;
	while ((word = strsep(&rest, ","))) {
		uint32_t width = (uint32_t)parse_whole(state, "layers", word, 0, MLSCHED_MAX_WIDTH);

		if (width == 0 || t->n_hidden == MLSCHED_MAX_LAYERS - 1)
			argp_error(state, "--layers: expected 0 or up to %d numbers, got \"%s\"",
				   MLSCHED_MAX_LAYERS - 1, arg);
		t->width[t->n_hidden++] = width;
	}
}

/* One name for all hidden layers, or one for each; the last one goes on. */
static void parse_activations(struct argp_state *state, const char *arg,
			      struct cli_train_options *o)
{
	struct mls_train_options *t = &o->train;
	char *rest = strdupa(arg), *word;

	o->n_activations = 0;
	while ((word = strsep(&rest, ","))) {
		enum mlsched_activation activation;

		if (!cli_parse_activation(word, &activation) || activation == MLSCHED_SOFTMAX)
			argp_error(state,
				   "--activation: expected linear, relu, relu6, leaky_relu, elu, "
				   "sigmoid or tanh, got \"%s\"",
				   word);
		for (uint32_t l = o->n_activations++; l < MLSCHED_MAX_LAYERS - 1; l++)
			t->activation[l] = activation;
	}
}

static void parse_decay(struct argp_state *state, const char *arg, struct mls_decay *decay)
{
	int used = -1;

	*decay = (struct mls_decay){ MLS_DECAY_CONSTANT, 1, 1 };
	if (strcmp(arg, "constant") == 0)
		return;
	if (strcmp(arg, "cosine") == 0) {
		decay->kind = MLS_DECAY_COSINE;
		return;
	}
	if (sscanf(arg, "exponential:%lf%n", &decay->factor, &used) == 1 && used > 0 && !arg[used])
		decay->kind = MLS_DECAY_EXPONENTIAL;
	else if (sscanf(arg, "step:%u:%lf%n", &decay->every, &decay->factor, &used) == 2 &&
		 used > 0 && !arg[used])
		decay->kind = MLS_DECAY_STEP;
	if (decay->kind == MLS_DECAY_CONSTANT || !(decay->factor > 0 && decay->factor <= 1) ||
	    decay->every < 1)
		argp_error(state,
			   "--decay: expected constant, cosine, exponential:FACTOR or "
			   "step:EPOCHS:FACTOR with a factor up to 1, got \"%s\"",
			   arg);
}

static void parse_class_weight(struct argp_state *state, const char *arg,
			       struct cli_train_options *o)
{
	double *w = o->train.class_weight;
	int used = -1;

	o->auto_class_weight = strcmp(arg, "auto") == 0;
	if (o->auto_class_weight)
		return;
	if (sscanf(arg, "%lf,%lf%n", &w[0], &w[1], &used) != 2 || used < 0 || arg[used] ||
	    !(w[0] >= 0 && w[0] <= 1e6 && w[1] >= 0 && w[1] <= 1e6 && w[0] + w[1] > 0))
		argp_error(
			state,
			"--class-weight: expected auto or two numbers from 0, not both 0, got \"%s\"",
			arg);
}

static void parse_split(struct argp_state *state, const char *arg, struct cli_train_options *o)
{
	if (strcmp(arg, "random") == 0)
		o->split = MLS_SPLIT_RANDOM;
	else if (strcmp(arg, "time") == 0)
		o->split = MLS_SPLIT_TIME;
	else
		argp_error(state, "--split: expected random or time, got \"%s\"", arg);
}

/* Whole simulated runs are what a threshold is best judged by; a table has none. */
static float usual_threshold(const struct cli_train_options *o)
{
	return o->from_sim ? NAN : 0.5f;
}

static unsigned int source_of(const struct cli_train_options *o)
{
	return o->recording.path ? RECORDING : o->from_sim ? SIM : o->synthetic ? PATTERNS : TABLE;
}

static const char *name_of_option(int key)
{
	const struct argp_option *option = options;

	while (option->key != key)
		option++;
	return option->name;
}

/* What --from says, or NULL. */
static const char *from_of(const struct cli_train_options *o)
{
	return o->from_sim ? "sim" : o->recording.path;
}

static void name_sources(unsigned int sources, char *text, size_t size)
{
	size_t n = 0;

	for (size_t s = 0; s < ARRAY_SIZE(source_names); s++)
		if (sources & 1u << s)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " or " : "",
					      source_names[s]);
}

/* An option without a meaning is a mistake about what is done: nobody would see that it was passed over. */
static void check_sources(struct argp_state *state, const struct cli_train_options *o)
{
	unsigned int source = source_of(o);
	const char *from = from_of(o);

	for (size_t i = 0; i < ARRAY_SIZE(of_sources); i++) {
		char expected[64];

		if (!(o->given & 1ull << (of_sources[i].key - OPTION_SYNTHETIC)) ||
		    of_sources[i].sources & source)
			continue;
		name_sources(of_sources[i].sources, expected, sizeof(expected));
		argp_error(state, "--%s: expected %s beside it, found %s%s",
			   name_of_option(of_sources[i].key), expected,
			   from         ? "--from " :
			   o->synthetic ? "--synthetic " :
					  "",
			   from         ? from :
			   o->synthetic ? o->synthetic :
					  o->data);
	}
	if (o->auto_class_weight && source & (SIM | RECORDING))
		argp_error(state, "--class-weight auto: expected DATA.csv or --synthetic beside "
				  "it, found --from");
}

static error_t check_together(struct argp_state *state, struct cli_train_options *o)
{
	const char *from = from_of(o);

	if (o->threshold < 0)
		o->threshold = usual_threshold(o);

	if (o->data && o->synthetic)
		argp_error(state, "both a file and --synthetic: %s and %s", o->data, o->synthetic);
	if (from && (o->data || o->synthetic))
		argp_error(state, "both --from %s and %s", from, o->data ? o->data : "--synthetic");
	if (o->recording.path && !o->recording.init)
		argp_error(state, "--from %s needs --init MODEL, which is refined", from);
	if (o->recording.path && o->recording.label.time_share == 0 &&
	    o->recording.label.program_share == 0)
		argp_error(state, "--time-share and --program-share 0 leave nothing to judge by");
	if (!from && !o->data && !o->synthetic)
		argp_error(state, "no data: name a CSV file, --synthetic seed10 or --from sim");
	if (o->synthetic && strcmp(o->synthetic, "seed10") != 0)
		argp_error(state, "--synthetic: there are patterns for seed10, not for \"%s\"",
			   o->synthetic);
	check_sources(state, o);
	if (!o->output && !o->write_csv)
		argp_error(state, "no -o DIR for the model");
	if (o->resume && !o->checkpoint)
		argp_error(state, "--resume needs --checkpoint FILE");
	if (o->given & 1ull << (OPTION_CHECKPOINT_EVERY - OPTION_SYNTHETIC) && !o->checkpoint)
		argp_error(state, "--checkpoint-every needs --checkpoint FILE");
	if (o->train.patience && o->validation == 0)
		argp_error(state, "--patience needs validation rows");
	if (o->n_activations > (o->train.n_hidden ? o->train.n_hidden : 1))
		argp_error(state,
			   "--activation: expected up to %u names, one for each hidden layer, "
			   "got %u",
			   o->train.n_hidden ? o->train.n_hidden : 1, o->n_activations);
	if (isnan(o->threshold) && !o->from_sim && o->validation == 0)
		argp_error(state, "--threshold auto needs validation rows");
	return 0;
}

static error_t parse_data(int key, char *arg, struct argp_state *state)
{
	struct cli_train_options *o = state->input;

	switch (key) {
	case OPTION_SYNTHETIC:
		o->synthetic = arg;
		return 0;
	case OPTION_FROM:
		o->from_sim = strcmp(arg, "sim") == 0;
		o->recording.path = o->from_sim ? NULL : arg;
		return 0;
	case OPTION_ROWS:
		o->n_rows = (uint32_t)parse_whole(state, "rows", arg, 2, 1u << 30);
		return 0;
	case OPTION_WRITE_CSV:
		o->write_csv = arg;
		return 0;
	case OPTION_SCHEMA:
		o->schema = arg;
		if (!mlsched_schema_find(arg))
			argp_error(state, "--schema: there is no schema \"%s\"", arg);
		return 0;
	case OPTION_LABEL:
		o->label = arg;
		return 0;
	case OPTION_VALIDATION:
		o->validation = cli_real(state, "validation", arg, 0, 0.95);
		return 0;
	case OPTION_SPLIT:
		parse_split(state, arg, o);
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPTION_CHECKPOINT:
		o->checkpoint = arg;
		return 0;
	case OPTION_CHECKPOINT_EVERY:
		o->checkpoint_every =
			(uint32_t)parse_whole(state, "checkpoint-every", arg, 1, 1000000);
		return 0;
	case OPTION_RESUME:
		o->resume = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_training(int key, char *arg, struct argp_state *state)
{
	struct cli_train_options *o = state->input;
	struct mls_train_options *t = &o->train;

	switch (key) {
	case OPTION_LAYERS:
		parse_layers(state, arg, t);
		return 0;
	case OPTION_ACTIVATION:
		parse_activations(state, arg, o);
		return 0;
	case OPTION_ALPHA:
		for (uint32_t l = 0; l < MLSCHED_MAX_LAYERS - 1; l++)
			t->alpha[l] = (float)cli_real(state, "alpha", arg, 0, 1000);
		return 0;
	case OPTION_LOGITS:
		t->output = MLSCHED_LINEAR;
		return 0;
	case OPTION_EPOCHS:
		t->epochs = (uint32_t)parse_whole(state, "epochs", arg, 1, 1000000);
		return 0;
	case OPTION_BATCH:
		t->batch = (uint32_t)parse_whole(state, "batch", arg, 1, MLS_TRAIN_MAX_BATCH);
		return 0;
	case OPTION_RATE:
		t->rate = cli_real(state, "rate", arg, 1e-9, 100);
		return 0;
	case OPTION_DECAY:
		parse_decay(state, arg, &t->decay);
		return 0;
	case OPTION_L2:
		t->l2 = cli_real(state, "l2", arg, 0, 1000);
		return 0;
	case OPTION_ACTIVATION_PENALTY:
		t->activation_penalty = cli_real(state, "activation-penalty", arg, 0, 1000);
		return 0;
	case OPTION_CLASS_WEIGHT:
		parse_class_weight(state, arg, o);
		return 0;
	case OPTION_PATIENCE:
		t->patience = (uint32_t)parse_whole(state, "patience", arg, 0, 1000000);
		return 0;
	case OPTION_SEED:
		/* It stands in the model's provenance, where JSON's integers are signed. */
		t->seed = parse_whole(state, "seed", arg, 0, INT64_MAX);
		return 0;
	case OPTION_THREADS:
		o->n_threads =
			(uint32_t)parse_whole(state, "threads", arg, 1, MLS_TRAIN_MAX_THREADS);
		return 0;
	case OPTION_THRESHOLD:
		o->threshold = strcmp(arg, "auto") == 0 ?
				       NAN :
				       (float)cli_real(state, "threshold", arg, 1e-6, 0.999999);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One for all loads, or one for each. */
static void parse_prices(struct argp_state *state, const char *arg, double prices[SIM_LOADS])
{
	char *copy = strdupa(arg), *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (n == SIM_LOADS)
			n++;
		if (n < SIM_LOADS)
			prices[n++] = cli_real(state, "move-price", word, 0, 1e6);
	}
	if (n != 1 && n != SIM_LOADS)
		argp_error(state, "--move-price: expected one number or three, got \"%s\"", arg);
	for (int load = n; load < SIM_LOADS; load++)
		prices[load] = prices[0];
}

static error_t parse_sim(int key, char *arg, struct argp_state *state)
{
	struct cli_train_sim *s = &((struct cli_train_options *)state->input)->sim;

	switch (key) {
	case OPTION_MACHINES:
		s->machines = arg;
		return 0;
	case OPTION_WORKLOADS:
		s->workloads = arg;
		return 0;
	case OPTION_COSTS:
		s->costs = arg;
		return 0;
	case OPTION_RUNS:
		s->runs = (uint32_t)parse_whole(state, "runs", arg, 1, 1000);
		return 0;
	case OPTION_ROUNDS:
		s->rounds = (uint32_t)parse_whole(state, "rounds", arg, 1, 16);
		return 0;
	case OPTION_FUTURES:
		s->futures = (uint32_t)parse_whole(state, "futures", arg, 1, 60);
		return 0;
	case OPTION_MOVE_PRICE:
		parse_prices(state, arg, s->move_price);
		return 0;
	case OPTION_WAIT_PRICE:
		s->wait_price = cli_real(state, "wait-price", arg, 0, 1e6);
		return 0;
	case OPTION_PRICE_MOST:
		s->price_most = (uint32_t)parse_whole(state, "price-most", arg, 1, 1000);
		return 0;
	case OPTION_MECHANISMS:
		s->tuning.mechanisms = cli_mechanisms(state, arg);
		return 0;
	case OPTION_OFFERS:
		cli_offers(state, arg, s->tuning.worth);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_recording(int key, char *arg, struct argp_state *state)
{
	struct cli_train_recording *r = &((struct cli_train_options *)state->input)->recording;
	struct mls_label_options *l = &r->label;

	switch (key) {
	case OPTION_INIT:
		r->init = arg;
		return 0;
	case OPTION_MARGIN:
		r->margin = cli_real(state, "margin", arg, 0, 1e6);
		return 0;
	case OPTION_PRICE:
		l->price = cli_real(state, "price", arg, 0, 1e9);
		return 0;
	case OPTION_WAIT:
		l->wait_weight = cli_real(state, "wait-weight", arg, 0, 1e6);
		return 0;
	case OPTION_TIME:
		l->time_share = cli_real(state, "time-share", arg, 0, 0.9);
		return 0;
	case OPTION_PROGRAM:
		l->program_share = cli_real(state, "program-share", arg, 0, 0.9);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cli_train_options *o = state->input;
	error_t ret;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case ARGP_KEY_ARG:
		if (o->data)
			argp_error(state, "more than one file: %s and %s", o->data, arg);
		o->data = arg;
		return 0;
	case ARGP_KEY_END:
		return check_together(state, o);
	default:
		if (key >= OPTION_SYNTHETIC && key <= OPTION_MARGIN)
			o->given |= 1ull << (key - OPTION_SYNTHETIC);
		ret = parse_data(key, arg, state);
		if (ret == ARGP_ERR_UNKNOWN)
			ret = parse_training(key, arg, state);
		if (ret == ARGP_ERR_UNKNOWN)
			ret = parse_sim(key, arg, state);
		return ret == ARGP_ERR_UNKNOWN ? parse_recording(key, arg, state) : ret;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "DATA.csv -o DIR\n--synthetic seed10 -o DIR\n--from sim -o DIR\n"
		    "--from FILE.db --init MODEL -o DIR",
	.doc = "Trains a network on labelled rows and writes it as a SavedModel.\v"
	       "The CSV file has a header; columns are found by the schema's names, in any order, "
	       "and others are ignored.  The same data, options and seed give the same model, byte "
	       "for byte, whatever the processor and the number of threads, and also when training "
	       "was interrupted (Ctrl+C, or killed) and resumed from its checkpoint.  The model's "
	       "provenance has a date only when SOURCE_DATE_EPOCH is set.\n\n"
	       "EXAMPLES\n"
	       "  mlsched train --synthetic seed10 -o src/model_dir/model_path\n"
	       "  mlsched train decisions.csv -o model --class-weight auto --patience 5\n"
	       "  mlsched train big.csv -o model --checkpoint big.ckpt --resume\n"
	       "  mlsched train --from sim -o model --machines 8c2l\n"
	       "  mlsched train --from explored.db --init model -o refined\n",
	.children = children,
};

static uint32_t online_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MLS_TRAIN_MAX_THREADS ? MLS_TRAIN_MAX_THREADS : (uint32_t)n;
}

int cli_train_parse(int argc, char **argv, struct cli_train_options *o)
{
	*o = (struct cli_train_options){ .common.command = argv[0],
					 .n_rows = 65536,
					 .schema = "seed10",
					 .label = "migrate",
					 .checkpoint_every = 1,
					 .validation = 0.1,
					 .threshold = -1, /* not yet known */
					 .sim = { .machines = "8c2l,8c2l2n,32c4l",
						  .workloads = "make,make1,makehalf,message,mixed,"
							       "imbalance,server",
						  .costs = "server",
						  .runs = 6,
						  .rounds = 4,
						  .futures = 3,
						  .move_price = { 300, 1600, 2000 },
						  .price_most = 4,
						  .wait_price = 600,
						  .tuning = TUNING },
					 .recording.label = MLS_LABEL_OPTIONS };
	bool from;

	mls_train_options_init(&o->train);
	/* What is not said depends on where the rows come from. */
	o->train.batch = 0;
	o->train.rate = 0;
	o->train.activation_penalty = 0.001;
	for (uint32_t l = 0; l < MLSCHED_MAX_LAYERS - 1; l++) {
		o->train.activation[l] = MLSCHED_RELU;
		o->train.alpha[l] = -1; /* by activation, see below */
	}
	if (cli_parse(&argp, argc, argv, o) != 0)
		return CLI_USAGE;
	from = o->from_sim || o->recording.path;
	if (!o->train.batch)
		o->train.batch = from ? 512 : 64;
	if (o->train.rate == 0)
		o->train.rate = o->from_sim ? 2e-3 : o->recording.path ? 2e-4 : 1e-3;
	if (!o->n_threads)
		o->n_threads = from ? online_cpus() : 1;
	for (uint32_t l = 0; l < MLSCHED_MAX_LAYERS - 1; l++) {
		if (o->train.alpha[l] < 0)
			o->train.alpha[l] = o->train.activation[l] == MLSCHED_ELU        ? 1 :
					    o->train.activation[l] == MLSCHED_LEAKY_RELU ? 0.2f :
											   0;
	}
	return 0;
}
