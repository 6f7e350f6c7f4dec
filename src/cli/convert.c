// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched convert: from one format of model files to another.
 */
#include <errno.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/formats/format.h"
#include "src/util/array.h"
#include "src/util/error.h"
#include "src/util/text.h"

enum { OPTION_FORM = 0x200, OPTION_SCHEMA, OPTION_TO };

struct convert_options {
	struct cli_common common;
	const char *from, *to;
	const struct mls_format *format; /* or NULL: by the name */
	enum mlsched_savedmodel_form form;
	bool has_form;
	const struct mlsched_schema *schema; /* or NULL: what the model says */
};

static const char *const forms[] = {
	[MLSCHED_SAVEDMODEL_VARIABLES] = "variables",
	[MLSCHED_SAVEDMODEL_FROZEN] = "frozen",
};

static const struct argp_option options[] = {
	{ "form", OPTION_FORM, "FORM", 0,
	  "Of a SavedModel: variables (weights in variables/, the default) or frozen (weights in "
	  "saved_model.pb)",
	  0 },
	{ "schema", OPTION_SCHEMA, "NAME", 0,
	  "What the inputs are, of a model that does not say so itself, as those of Keras and ONNX: "
	  "mig15, seed10, ...",
	  0 },
	{ "to", OPTION_TO, "FORMAT", 0,
	  "Format of OUT: savedmodel, h5, keras or onnx (by its name: NAME.h5, NAME.weights.h5, NAME.keras, "
	  "NAME.onnx, else savedmodel)",
	  0 },
	{ 0 },
};

static void parse_form(struct convert_options *o, const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (strcmp(forms[i], arg) == 0) {
			o->form = (enum mlsched_savedmodel_form)i;
			o->has_form = true;
			return;
		}
	}
	argp_error(state, "--form: expected variables or frozen, got \"%s\"", arg);
}

static void parse_to(struct convert_options *o, const char *arg, struct argp_state *state)
{
	char names[256] = "";

	o->format = mls_format_find(arg);
	if (o->format && o->format->write)
		return;
	for (size_t i = 0; mls_format_at(i); i++) {
		if (mls_format_at(i)->write)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 names[0] ? ", " : "", mls_format_at(i)->name);
	}
	argp_error(state, "--to: expected one of %s, got \"%s\"", names, arg);
}

/* Names of models' files that a directory would not be expected under. */
static bool is_of_a_file(const char *path)
{
	static const char *const suffixes[] = { ".pb",   ".pt",  ".pth", ".hdf5",
						".ckpt", ".npz", ".pkl", ".safetensors",
						".db",   ".csv", ".json" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (mls_has_suffix(path, suffixes[i]))
			return true;
	return false;
}

static void parse_schema(struct convert_options *o, const char *arg, struct argp_state *state)
{
	char names[256] = "";

	o->schema = mlsched_schema_find(arg);
	if (o->schema)
		return;
	for (size_t i = 0; mlsched_schema_at(i); i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 names[0] ? ", " : "", mlsched_schema_at(i)->name);
	argp_error(state, "--schema: expected one of %s, got \"%s\"", names, arg);
}

/* A model that says something else knows better. */
static int say_schema(struct mlsched_model **model, const struct mlsched_schema *schema,
		      const char *path, struct mlsched_error *err)
{
	struct mlsched_meta meta = *mlsched_model_meta(*model);
	struct mlsched_model *changed;
	int ret;

	if (meta.schema[0] && strcmp(meta.schema, schema->name) != 0)
		return mls_error(err, -EINVAL, "--schema: expected %s, which %s is, got %s",
				 meta.schema, path, schema->name);
	snprintf(meta.schema, sizeof(meta.schema), "%s", schema->name);
	ret = mlsched_model_with_meta(*model, &meta, err, &changed);
	if (ret)
		return mls_error_prefix(err, ret, "%s", path);
	mlsched_model_free(*model);
	*model = changed;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct convert_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_FORM:
		parse_form(o, arg, state);
		return 0;
	case OPTION_SCHEMA:
		parse_schema(o, arg, state);
		return 0;
	case OPTION_TO:
		parse_to(o, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (o->to)
			argp_error(state, "more than two names: %s", arg);
		*(o->from ? &o->to : &o->from) = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->to)
			argp_error(state, o->from ? "no name for the new model" : "no model named");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "IN OUT",
	.doc = "Reads the model IN, whatever its format, and writes it to OUT.\v"
	       "OUT is replaced as a whole when it is a model or an empty directory already; "
	       "anything else is left alone.\n\n"
	       "EXAMPLES\n  mlsched convert --form frozen src/model_dir/model_path /tmp/frozen\n"
	       "  mlsched convert own.keras own --schema mig15\n"
	       "  mlsched convert models/default /tmp/default.onnx\n"
	       "  mlsched convert models/default /tmp/default.keras\n",
	.children = children,
};

int cli_convert(int argc, char **argv)
{
	struct convert_options o = { .common.command = argv[0] };
	struct mlsched_write_opts opts = { .size = sizeof(opts) };
	const struct mls_format *format;
	struct mlsched_model *model;
	struct mlsched_error err;
	int ret;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	format = o.format ? o.format : mls_format_for_path(o.to);
	if (!o.format && format == mls_format_find("savedmodel") && is_of_a_file(o.to))
		return cli_fail(
			&o.common,
			"%s: expected NAME.h5, NAME.weights.h5, NAME.keras, NAME.onnx or the name "
			"of a directory, found that of another file (--to savedmodel makes a "
			"directory of that name)",
			o.to);
	if (o.has_form && format != mls_format_find("savedmodel"))
		return cli_fail(&o.common, "--form is of a SavedModel, but %s is to be: %s", o.to,
				format->summary);
	if (mlsched_model_load(o.from, &err, &model) != 0)
		return cli_fail(&o.common, "%s", err.message);
	opts.format = format->name;
	opts.form = o.form;
	ret = o.schema ? say_schema(&model, o.schema, o.from, &err) : 0;
	if (ret == 0)
		ret = mlsched_model_write(model, o.to, &opts, NULL, &err);
	if (ret == 0 && o.common.json)
		cli_json(json_pack("{s:s, s:s, s:s}", "from", o.from, "to", o.to, "format",
				   format->name));
	mlsched_model_free(model);
	return ret ? cli_fail(&o.common, "%s", err.message) : CLI_OK;
}
