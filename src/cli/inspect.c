// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched inspect: what a model is and where it comes from.
 */
#include <errno.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/fixed_point.h"
#include "src/formats/outline.h"
#include "src/host/prepare.h"

struct inspect_options {
	struct cli_common common;
	const char *model;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct inspect_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case ARGP_KEY_ARG:
		if (o->model)
			argp_error(state, "more than one model: %s and %s", o->model, arg);
		o->model = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no model named");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.parser = parse,
	.args_doc = "MODEL",
	.doc = "Shows what MODEL is: format, producer, layers, feature schema, threshold, checksum, "
	       "provenance; how it does in fixed point, whether mlsched run takes it, and what to do "
	       "if not.  With -v also every input.  Of a model that is refused it shows what the file "
	       "tells: its layers or nodes, the one that is in the way, and what to do about it.\v"
	       "EXAMPLES\n  mlsched inspect src/model_dir/model_path\n",
	.children = children,
};

static uint32_t parameters_of(const struct mlsched_layer *layer)
{
	return layer->n_in * layer->n_out + (layer->bias ? layer->n_out : 0);
}

static uint32_t all_parameters(const struct mlsched_model *model)
{
	struct mlsched_layer layer;
	uint32_t n = 0;

	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++)
		n += parameters_of(&layer);
	return n;
}

/**
 * struct takes - what the scheduler says to a model
 * @objection: why `mlsched run` does not take it, or ""
 * @advice:    what to do where it does not, or not with every engine; or ""
 */
struct takes {
	struct cli_fixed_point fixed;
	char objection[MLSCHED_ERROR_SIZE];
	const char *advice;
};

static void find_takes(const struct mlsched_model *model, struct takes *t)
{
	struct mlsched_error err = { 0 };
	bool fits = mlsched_model_fits_scheduler(model, &err) == 0;

	cli_fixed_point_find(model, &t->fixed);
	snprintf(t->objection, sizeof(t->objection), "%s", err.message);
	if (fits && t->fixed.kernel)
		t->advice = "";
	else if (fits && t->fixed.quantized)
		t->advice =
			"mlsched run --engine native computes it outside of the kernel, without "
			"loss; the kernel's engine takes it if more verdicts agree (weights and "
			"inputs of smaller ranges, longer training), or fewer units";
	else if (fits)
		t->advice =
			"mlsched run --engine native computes it outside of the kernel; the "
			"kernel's engine takes relu, leaky_relu, relu6 and linear between layers";
	else if (mlsched_model_inputs(model) == 15 && !mlsched_model_meta(model)->schema[0])
		t->advice = "mlsched convert --schema mig15 MODEL OUT, if its inputs are those of "
			    "mig15 (mlsched inspect -v models/default lists them)";
	else
		t->advice =
			"a network with the inputs of seed10 or mig15 and one output, or two with "
			"softmax: mlsched train makes one, docs/python.md does in Keras and "
			"PyTorch";
}

/* ---- JSON ------------------------------------------------------------------- */

static json_t *json_floats(const float *numbers, uint32_t n)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(array, json_real((double)numbers[i]));
	return array;
}

static json_t *json_layers(const struct mlsched_model *model)
{
	json_t *array = json_array();
	struct mlsched_layer layer;

	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++) {
		json_t *object = json_pack("{s:i, s:i, s:s, s:b, s:i}", "inputs", (int)layer.n_in,
					   "units", (int)layer.n_out, "activation",
					   mlsched_activation_name(layer.activation), "bias",
					   layer.bias != NULL, "parameters",
					   (int)parameters_of(&layer));

		if (layer.activation == MLSCHED_LEAKY_RELU || layer.activation == MLSCHED_ELU)
			json_object_set_new(object, "alpha", json_real((double)layer.alpha));
		json_array_append_new(array, object);
	}
	return array;
}

/* Two arrays of the model's width under two names, or null. */
static json_t *json_pair(const char *a_name, const float *a, const char *b_name, const float *b,
			 uint32_t n)
{
	if (!a || !b)
		return json_null();
	return json_pack("{s:o, s:o}", a_name, json_floats(a, n), b_name, json_floats(b, n));
}

/* Also of those that this program does not know. */
static json_t *json_mechanisms(const char *names)
{
	json_t *list = json_array();

	while (*names) {
		size_t n = strcspn(names, ",");

		json_array_append_new(list, json_stringn(names, n));
		names += n + (names[n] == ',');
	}
	return list;
}

static json_t *json_text(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* Those of `mlsched run` that compute it. */
static json_t *json_engines(const struct takes *t)
{
	if (t->objection[0])
		return json_array();
	return t->fixed.kernel ? json_pack("[s, s]", "kernel", "native") :
				 json_pack("[s]", "native");
}

/* Those in which it can be asked: features of mig15 only our own scheduler knows. */
static json_t *json_backends(const struct mlsched_model *model, const struct takes *t)
{
	if (t->objection[0])
		return json_array();
	return mls_model_is_mig15(model) ? json_pack("[s]", "scx") :
					   json_pack("[s, s]", "scx", "shadow");
}

static void print_json(const struct inspect_options *o, const struct mlsched_model *model,
		       const struct takes *t)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	uint32_t n_in = mlsched_model_inputs(model);
	json_t *provenance = meta->provenance ? json_loads(meta->provenance, 0, NULL) : NULL;
	const float *mean, *deviation;
	char checksum[16];

	mlsched_model_normalization(model, &mean, &deviation);
	snprintf(checksum, sizeof(checksum), "%08x", mlsched_model_checksum(model));
	cli_json(json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:i, s:s, s:f, s:f, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o, s:o}",
		"model", o->model, "format", meta->format, "producer", meta->producer, "schema",
		meta->schema, "schema_version",
		schema ? json_integer(schema->version) : json_null(), "inputs", (int)n_in,
		"outputs", (int)mlsched_model_outputs(model), "parameters",
		(int)all_parameters(model), "checksum", checksum, "threshold",
		(double)meta->threshold, "threshold_logit", (double)mlsched_model_threshold(model),
		"layers", json_layers(model), "normalization",
		json_pair("mean", mean, "deviation", deviation, n_in), "calibration",
		meta->n_calibration ?
			json_pair("min", meta->input_min, "max", meta->input_max, n_in) :
			json_null(),
		"fixed_point", cli_fixed_point_json(&t->fixed), "objection",
		json_text(t->objection), "engines", json_engines(t), "backends",
		json_backends(model, t), "advice", json_text(t->advice), "mechanisms",
		meta->tuned ? json_mechanisms(meta->mechanisms) : json_null(), "offers_us",
		meta->tuned ? json_pack("[f, f, f]", meta->offers_us[0], meta->offers_us[1],
					meta->offers_us[2]) :
			      json_null(),
		"provenance", provenance ? provenance : json_null()));
}

/* ---- text ---------------------------------------------------------------------- */

static void print_head(const struct inspect_options *o, const struct mlsched_model *model)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	const float *mean, *deviation;
	struct mlsched_layer layer;

	mlsched_model_normalization(model, &mean, &deviation);
	printf("model          %s\n", o->model);
	printf("format         %s\n", meta->format);
	printf("producer       %s\n", meta->producer[0] ? meta->producer : "not stated");
	if (schema)
		printf("schema         %s, version %u\n", schema->name, schema->version);
	else
		printf("schema         %s\n", meta->schema[0] ? meta->schema : "not stated");
	printf("network        %u", mlsched_model_inputs(model));
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++)
		printf("-%u", layer.n_out);
	printf("\nparameters     %u\n", all_parameters(model));
	printf("normalization  %s\n", mean ? "(x - mean) / deviation" : "none");
	printf("calibration    %s\n",
	       meta->n_calibration ? "smallest and largest value of each input" : "none");
	printf("threshold      %g (logit %g)\n", (double)meta->threshold,
	       (double)mlsched_model_threshold(model));
	if (meta->tuned)
		printf("scheduler      with %s; offers above %g, %g, %g us by distance\n",
		       meta->mechanisms[0] ? meta->mechanisms : "no mechanisms", meta->offers_us[0],
		       meta->offers_us[1], meta->offers_us[2]);
	printf("checksum       %08x\n", mlsched_model_checksum(model));
	if (meta->provenance)
		printf("provenance     %s\n", meta->provenance);
}

static void print_layers(const struct mlsched_model *model)
{
	struct mlsched_layer layer;

	printf("\nlayer  inputs  units  activation         bias  parameters\n");
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++) {
		char activation[40];

		snprintf(activation, sizeof(activation), "%s",
			 mlsched_activation_name(layer.activation));
		if (layer.activation == MLSCHED_LEAKY_RELU || layer.activation == MLSCHED_ELU)
			snprintf(activation + strlen(activation),
				 sizeof(activation) - strlen(activation), " (%g)",
				 (double)layer.alpha);
		printf("%5u  %6u  %5u  %-17s  %-4s  %10u\n", i, layer.n_in, layer.n_out, activation,
		       layer.bias ? "yes" : "no", parameters_of(&layer));
	}
}

static void print_number(const float *numbers, uint32_t i)
{
	if (numbers)
		printf("  %11.6g", (double)numbers[i]);
	else
		printf("  %11s", "-");
}

static void print_inputs(const struct mlsched_model *model)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	const float *mean, *deviation;

	mlsched_model_normalization(model, &mean, &deviation);
	printf("\ninput  name              unit             mean    deviation          min          "
	       "max\n");
	for (uint32_t i = 0; i < mlsched_model_inputs(model); i++) {
		bool named = schema && i < schema->n_features;

		printf("%5u  %-16s  %-8s", i, named ? schema->features[i].name : "-",
		       named && schema->features[i].unit[0] ? schema->features[i].unit : "-");
		print_number(mean, i);
		print_number(deviation, i);
		print_number(meta->n_calibration ? meta->input_min : NULL, i);
		print_number(meta->n_calibration ? meta->input_max : NULL, i);
		putchar('\n');
	}
}

static void print_takes(const struct mlsched_model *model, const struct takes *t)
{
	cli_fixed_point_print(&t->fixed);
	if (t->objection[0])
		printf("mlsched run    does not take it: %s\n", t->objection);
	else
		printf("mlsched run    takes it%s%s\n",
		       mls_model_is_mig15(model) ? " with --backend scx" : "",
		       t->fixed.kernel ? "" : " with --engine native");
	if (t->advice[0])
		printf("what to do     %s\n", t->advice);
}

/* ---- a model that is refused --------------------------------------------------------- */

/**
 * struct refused - what is told of a model that was not loaded
 * @way:    the part that is in the way, or NULL
 * @index:  its number
 * @why:    what is wrong with it
 * @advice: what to do, or ""
 */
struct refused {
	struct mls_outline outline;
	const struct mls_outline_part *way;
	uint32_t index;
	const char *why;
	char advice[600];
};

#define COMPUTED                                                                              \
	"what mlsched computes: one chain of at most 8 dense layers of at most 256 units, "   \
	"with relu, relu6, leaky_relu, elu, sigmoid, tanh or softmax, from one input to one " \
	"output"

/* What the reader says behind the path, which may have any words in it. */
static const char *behind_path(const char *message, const char *path)
{
	const char *at = strstr(message, path);

	return at ? at + strlen(path) : message;
}

/* By what the reader returned, and by what it says where several things are to be done. */
static void find_advice(const char *path, const struct mlsched_error *err, struct refused *r)
{
	const char *producer = r->outline.producer, *said = behind_path(err->message, path);
	bool refused = r->way && r->way->objection[0];
	char without[200] = "";

	if (refused && !r->way->large)
		snprintf(without, sizeof(without), " without %s (%s), of", r->way->name,
			 r->way->kind);
	/* Of a library that is missing, or a file that is not there, the error says what to do. */
	if (strncmp(err->message, "Cannot read model:", 18) == 0)
		return;
	if (strstr(said, "(quantised") || strstr(said, "quantised models are") ||
	    strstr(said, "found quantised ones"))
		snprintf(r->advice, sizeof(r->advice),
			 "save or convert the model without quantisation: mlsched quantises it "
			 "itself");
	else if (strstr(said, "the file has no architecture"))
		snprintf(
			r->advice, sizeof(r->advice),
			"save the whole model, not its weights alone: model.save(\"model.keras\")");
	else if (strstr(said, "expected finite numbers"))
		snprintf(r->advice, sizeof(r->advice),
			 "train the model again, with a smaller learning rate: it has weights that "
			 "are no numbers");
	else if (strstr(said, ": signatures: expected "))
		snprintf(r->advice, sizeof(r->advice),
			 "save the model with one signature that computes it: "
			 "tf.saved_model.save(model, path, signatures=...)");
	else if (err->code == -ENOTSUP || refused)
		snprintf(r->advice, sizeof(r->advice),
			 "train a model%s " COMPUTED " (docs/formats.md lists what is taken of "
			 "each format); mlsched train makes one, docs/python.md does in Keras and "
			 "PyTorch",
			 without[0] ? without : " of");
	else if (err->code == -EINVAL || err->code == -EBADMSG)
		snprintf(r->advice, sizeof(r->advice),
			 "the file is damaged or not complete: copy it again, or save the model "
			 "again with the tool that made it%s%s%s",
			 producer[0] ? " (" : "", producer, producer[0] ? ")" : "");
	else if (err->code == -EFBIG)
		snprintf(r->advice, sizeof(r->advice), "train a smaller model, of " COMPUTED);
}

static json_t *refused_json(const struct inspect_options *o, const struct mlsched_error *err,
			    const struct refused *r)
{
	json_t *parts = json_array();

	for (const struct mls_outline_part *p = r->outline.first; p; p = p->next)
		json_array_append_new(parts,
				      json_pack("{s:s, s:s, s:o, s:o}", "name", p->name, "kind",
						p->kind, "detail", json_text(p->detail),
						"objection", json_text(p->objection)));
	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:s, s:o, s:I, s:o, s:o}", "error",
			 cli_text_json(err->message), "model", cli_text_json(o->model), "format",
			 r->outline.format, "producer", r->outline.producer, "input",
			 json_text(r->outline.input), "parts_are", r->outline.what, "parts", parts,
			 "left_out", (json_int_t)r->outline.n_left_out, "in_the_way",
			 r->way ? json_pack("{s:i, s:s, s:s, s:s}", "part", (int)r->index, "name",
					    r->way->name, "kind", r->way->kind, "why", r->why) :
				  json_null(),
			 "advice", json_text(r->advice));
}

static int longest(const struct mls_outline *outline, bool kinds, size_t at_least)
{
	size_t most = at_least;

	for (const struct mls_outline_part *p = outline->first; p; p = p->next) {
		size_t n = strlen(kinds ? p->kind : p->name);

		most = n > most ? n : most;
	}
	return (int)most;
}

static void print_parts(const struct mls_outline *outline)
{
	int name = longest(outline, false, 4), kind = longest(outline, true, 4);
	uint32_t i = 0;

	if (!outline->first)
		return;
	printf("\n%-8s  %-*s  %-*s  shapes and settings\n", outline->what, name, "name", kind,
	       "kind");
	for (const struct mls_outline_part *p = outline->first; p; p = p->next) {
		printf("%8u  %-*s  ", i++, name, p->name);
		if (p->detail[0] || p->objection[0])
			printf("%-*s  %s", kind, p->kind, p->detail);
		else
			printf("%s", p->kind);
		if (p->objection[0])
			printf("%snot taken: %s", p->detail[0] ? "; " : "", p->objection);
		putchar('\n');
	}
	if (outline->n_left_out)
		printf("and %llu more\n", (unsigned long long)outline->n_left_out);
	putchar('\n');
}

static void print_refused(const struct inspect_options *o, const struct refused *r)
{
	const struct mls_outline *outline = &r->outline;

	printf("model          %s\n", o->model);
	printf("format         %s\n", outline->format);
	printf("producer       %s\n", outline->producer[0] ? outline->producer : "not stated");
	printf("input          %s\n", outline->input[0] ? outline->input : "not known");
	print_parts(outline);
	if (r->way)
		printf("in the way     %s %u, %s (%s): %s\n", outline->what, r->index, r->way->name,
		       r->way->kind, r->why);
	if (r->advice[0])
		printf("what to do     %s\n", r->advice);
}

/* What the file tells to standard output, then the error as of any other command. */
static int tell_refused(const struct inspect_options *o, const struct mlsched_error *err)
{
	struct refused r = { .why = "" };
	int ret = CLI_FAILURE;

	if (mls_model_outline(o->model, &r.outline) != 0) {
		ret = cli_fail(&o->common, "%s", err->message);
		goto out_free;
	}
	r.way = mls_outline_in_the_way(&r.outline, err->message, &r.why, &r.index);
	find_advice(o->model, err, &r);
	if (o->common.json) {
		cli_json(refused_json(o, err, &r));
	} else {
		print_refused(o, &r);
		fflush(stdout);
		ret = cli_fail(&o->common, "%s", err->message);
	}
out_free:
	mls_outline_free(&r.outline);
	return ret;
}

int cli_inspect(int argc, char **argv)
{
	struct inspect_options o = { .common.command = argv[0] };
	struct mlsched_model *model;
	struct mlsched_error err;
	struct takes takes;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (mlsched_model_load(o.model, &err, &model) != 0)
		return tell_refused(&o, &err);
	find_takes(model, &takes);
	if (o.common.json) {
		print_json(&o, model, &takes);
	} else {
		print_head(&o, model);
		print_layers(model);
		putchar('\n');
		print_takes(model, &takes);
		if (o.common.verbosity > 0)
			print_inputs(model);
	}
	mlsched_model_free(model);
	return CLI_OK;
}
