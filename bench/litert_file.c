// SPDX-License-Identifier: GPL-2.0
/*
 * A network as a LiteRT file, for measuring LiteRT: what the library itself
 * only reads (src/formats/tflite_graph.c says which fields there are).
 *
 * A FlatBuffer is written front to back here: an offset always points forward,
 * to what stands behind, and is filled in when that is begun.
 *
 * Source: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runtime.h"
#include "src/util/error.h"

#define VERSION 3

/* Most fields of a table here: those of Tensor. */
#define MAX_FIELDS 8

/* BuiltinOperator, BuiltinOptions, ActivationFunctionType of the schema. */
enum { OP_FULLY_CONNECTED = 9, OPTIONS_FULLY_CONNECTED = 8, FUSED_NONE = 0, FUSED_RELU = 1 };
enum { OP_SUB = 41, OPTIONS_SUB = 28, OP_DIV = 42, OPTIONS_DIV = 29 };

/* Activations that are operators of their own. */
static const struct operation {
	uint32_t code;
	uint32_t options; /* kind, 0: none */
	bool alpha; /* or beta, which is 1 */
} operations[MLSCHED_ACTIVATION_COUNT] = {
	[MLSCHED_RELU6] = { .code = 21 },
	[MLSCHED_LEAKY_RELU] = { .code = 98, .options = 75, .alpha = true },
	[MLSCHED_ELU] = { .code = 111 },
	[MLSCHED_SIGMOID] = { .code = 14 },
	[MLSCHED_TANH] = { .code = 28 },
	[MLSCHED_SOFTMAX] = { .code = 25, .options = 9 },
};

struct file {
	uint8_t *data;
	size_t size;
	size_t room;
	bool full; /* memory ran out: nothing is added any more */
};

static size_t add_bytes(struct file *f, const void *bytes, size_t n)
{
	size_t at = f->size;

	if (f->full)
		return 0;
	if (f->size + n > f->room) {
		size_t room = 2 * (f->size + n) + 4096;
		uint8_t *data = realloc(f->data, room);

		if (!data) {
			f->full = true;
			return 0;
		}
		f->data = data;
		f->room = room;
	}
	if (bytes)
		memcpy(f->data + at, bytes, n);
	else
		memset(f->data + at, 0, n);
	f->size += n;
	return at;
}

static void put16(struct file *f, size_t at, size_t value)
{
	uint16_t number = htole16((uint16_t)value);

	if (!f->full)
		memcpy(f->data + at, &number, sizeof(number));
}

static void put32(struct file *f, size_t at, uint32_t value)
{
	uint32_t number = htole32(value);

	if (!f->full)
		memcpy(f->data + at, &number, sizeof(number));
}

/* Until what is added next is at a multiple of @align, @more bytes further on. */
static void align_for(struct file *f, size_t align, size_t more)
{
	while (!f->full && (f->size + more) % align)
		add_bytes(f, NULL, 1);
}

/* What is added next is what the offset at @at points to. */
static void link_here(struct file *f, size_t at)
{
	put32(f, at, (uint32_t)(f->size - at));
}

/* Where each field of a table is, by its number in the schema. */
struct table {
	size_t field[MAX_FIELDS];
};

/*
 * A table with the fields whose bits are set in @present, four bytes each and 0
 * until they are put; smaller ones are the first bytes of that.  @from is the
 * offset that points to it.
 */
static struct table add_table(struct file *f, size_t from, unsigned int present)
{
	struct table table = { { 0 } };
	size_t vtable, start, n = 0, used = 0;

	for (size_t i = 0; i < MAX_FIELDS; i++) {
		if (present & 1u << i)
			n = i + 1;
	}
	align_for(f, 4, 4 + 2 * n);
	vtable = add_bytes(f, NULL, 4 + 2 * n);
	link_here(f, from);
	start = add_bytes(f, NULL, 4);
	put32(f, start, (uint32_t)(start - vtable));
	for (size_t i = 0; i < n; i++) {
		if (!(present & 1u << i))
			continue;
		table.field[i] = add_bytes(f, NULL, 4);
		put16(f, vtable + 4 + 2 * i, table.field[i] - start);
		used++;
	}
	put16(f, vtable, 4 + 2 * n);
	put16(f, vtable + 2, 4 + 4 * used);
	return table;
}

/* A vector of @n elements of four bytes; returns where the first is. */
static size_t add_vector(struct file *f, size_t from, size_t n, const uint32_t *elements)
{
	size_t at;

	align_for(f, 4, 0);
	link_here(f, from);
	at = add_bytes(f, NULL, 4 + 4 * n) + 4;
	put32(f, at - 4, (uint32_t)n);
	for (size_t i = 0; elements && i < n; i++)
		put32(f, at + 4 * i, elements[i]);
	return at;
}

static void add_string(struct file *f, size_t from, const char *text)
{
	size_t at;

	align_for(f, 4, 0);
	link_here(f, from);
	at = add_bytes(f, NULL, 4);
	put32(f, at, (uint32_t)strlen(text));
	add_bytes(f, text, strlen(text) + 1);
}

/* ---- the network ----------------------------------------------------------------------- */

/* A tensor: constant with numbers, or computed with the number of rows left open. */
struct tensor {
	uint32_t rows, columns; /* rows 0: a list of columns; 1 of what is computed */
	const float *numbers; /* or NULL */
	bool transpose; /* numbers are [columns][rows] */
	char name[32];
};

struct operator
{
	uint32_t code; /* index into codes */
	uint32_t n_in;
	uint32_t in[3];
	uint32_t out;
	uint32_t options; /* kind */
	uint32_t value; /* of their first field */
};

#define MAX_TENSORS   (5 + 4 * MLSCHED_MAX_LAYERS)
#define MAX_OPERATORS (2 + 2 * MLSCHED_MAX_LAYERS)

struct graph {
	struct tensor tensors[MAX_TENSORS];
	uint32_t n_tensors;
	struct operator operators[MAX_OPERATORS];
	uint32_t n_operators;
	uint32_t codes[3 + MLSCHED_ACTIVATION_COUNT];
	uint32_t n_codes;
};

static uint32_t code_index(struct graph *g, uint32_t code)
{
	for (uint32_t i = 0; i < g->n_codes; i++) {
		if (g->codes[i] == code)
			return i;
	}
	g->codes[g->n_codes] = code;
	return g->n_codes++;
}

static uint32_t add_tensor(struct graph *g, struct tensor tensor, const char *kind, uint32_t layer)
{
	snprintf(tensor.name, sizeof(tensor.name), "layer_%u/%s", layer, kind);
	g->tensors[g->n_tensors] = tensor;
	return g->n_tensors++;
}

static uint32_t bits_of(float number)
{
	uint32_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

/* Each input less one number or over one; returns the tensor with the result. */
static uint32_t add_elementwise(struct graph *g, uint32_t code, uint32_t options, uint32_t row,
				const float *numbers, uint32_t n)
{
	struct tensor constants = { 0, n, numbers, false, "" };
	struct tensor computed = { 1, n, NULL, false, "" };
	struct operator o = {.code = code_index(g, code), .n_in = 2, .options = options };

	o.in[0] = row;
	o.in[1] = add_tensor(g, constants, "constants", g->n_operators);
	o.out = add_tensor(g, computed, "normalised", g->n_operators);
	g->operators[g->n_operators++] = o;
	return o.out;
}

/* Returns the tensor that holds what the layer computes of @row. */
static uint32_t add_layer(struct graph *g, uint32_t index, const struct mlsched_layer *layer,
			  uint32_t row)
{
	static const float zeros[MLSCHED_MAX_WIDTH];
	const struct operation *operation = &operations[layer->activation];
	struct tensor weights = { layer->n_out, layer->n_in, layer->weights, true, "" };
	struct tensor bias = { 0, layer->n_out, layer->bias ? layer->bias : zeros, false, "" };
	struct tensor computed = { 1, layer->n_out, NULL, false, "" };
	struct operator dense = {
		.code = code_index(g, OP_FULLY_CONNECTED),
		.n_in = 3,
		.options = OPTIONS_FULLY_CONNECTED
	};

	dense.in[0] = row;
	dense.in[1] = add_tensor(g, weights, "kernel", index);
	dense.in[2] = add_tensor(g, bias, "bias", index);
	dense.out = add_tensor(g, computed, "sums", index);
	dense.value = layer->activation == MLSCHED_RELU ? FUSED_RELU : FUSED_NONE;
	g->operators[g->n_operators++] = dense;
	if (!operation->code)
		return dense.out;
	g->operators[g->n_operators] = (struct operator){
		.code = code_index(g, operation->code),
		.n_in = 1,
		.in = { dense.out },
		.out = add_tensor(g, computed, "activation", index),
		.options = operation->options,
		.value = bits_of(operation->alpha ? layer->alpha : 1),
	};
	return g->operators[g->n_operators++].out;
}

/* ---- the file -------------------------------------------------------------------------- */

static void add_numbers(struct file *f, size_t from, const struct tensor *t)
{
	uint32_t rows = t->rows ? t->rows : 1;
	size_t at;

	/* The schema wants a multiple of 16. */
	align_for(f, 16, 4);
	link_here(f, from);
	at = add_bytes(f, NULL, 4 + sizeof(float) * rows * t->columns);
	put32(f, at, (uint32_t)sizeof(float) * rows * t->columns);
	for (uint32_t r = 0; r < rows; r++) {
		for (uint32_t c = 0; c < t->columns; c++)
			put32(f, at + 4 + 4 * ((size_t)r * t->columns + c),
			      bits_of(t->numbers[t->transpose ? c * rows + r : c]));
	}
}

static void write_tensor(struct file *f, size_t from, const struct tensor *t, uint32_t buffer)
{
	bool open = !t->numbers;
	/* shape, type (0: float32), buffer, name, shape_signature */
	struct table table =
		add_table(f, from, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | (open ? 1u << 7 : 0));
	uint32_t shape[] = { t->rows, t->columns }, signature[] = { UINT32_MAX, t->columns };

	put32(f, table.field[2], buffer);
	add_vector(f, table.field[0], t->rows ? 2 : 1, t->rows ? shape : shape + 1);
	add_string(f, table.field[3], t->name);
	if (open)
		add_vector(f, table.field[7], 2, signature);
}

static void write_operator(struct file *f, size_t from, const struct operator* o)
{
	/* opcode_index, inputs, outputs, builtin_options_type, builtin_options */
	struct table table = add_table(
		f, from, 1u << 0 | 1u << 1 | 1u << 2 | (o->options ? 1u << 3 | 1u << 4 : 0));

	put32(f, table.field[0], o->code);
	add_vector(f, table.field[1], o->n_in, o->in);
	add_vector(f, table.field[2], 1, &o->out);
	if (!o->options)
		return;
	put32(f, table.field[3], o->options);
	table = add_table(f, table.field[4], 1u << 0);
	put32(f, table.field[0], o->value);
}

static void write_graph(struct file *f, size_t from, const struct graph *g, uint32_t out)
{
	/* tensors, inputs, outputs, operators, name */
	struct table table = add_table(f, from, 0x1f);
	uint32_t in = 0, buffer = 1;
	size_t at;

	at = add_vector(f, table.field[0], g->n_tensors, NULL);
	for (uint32_t i = 0; i < g->n_tensors; i++)
		write_tensor(f, at + 4 * i, &g->tensors[i], g->tensors[i].numbers ? buffer++ : 0);
	add_vector(f, table.field[1], 1, &in);
	add_vector(f, table.field[2], 1, &out);
	at = add_vector(f, table.field[3], g->n_operators, NULL);
	for (uint32_t i = 0; i < g->n_operators; i++)
		write_operator(f, at + 4 * i, &g->operators[i]);
	add_string(f, table.field[4], "main");
}

static void write_codes(struct file *f, size_t from, const struct graph *g)
{
	size_t at = add_vector(f, from, g->n_codes, NULL);

	for (uint32_t i = 0; i < g->n_codes; i++) {
		/* deprecated_builtin_code, version, builtin_code */
		struct table table = add_table(f, at + 4 * i, 1u << 0 | 1u << 2 | 1u << 3);

		put32(f, table.field[0], g->codes[i]);
		put32(f, table.field[2], 1);
		put32(f, table.field[3], g->codes[i]);
	}
}

/* The first buffer is empty: that of all tensors that are computed. */
static void write_buffers(struct file *f, size_t from, const struct graph *g)
{
	uint32_t n = 1, buffer = 1;
	size_t at;

	for (uint32_t i = 0; i < g->n_tensors; i++)
		n += g->tensors[i].numbers != NULL;
	at = add_vector(f, from, n, NULL);
	add_table(f, at, 0);
	for (uint32_t i = 0; i < g->n_tensors; i++) {
		struct table table;

		if (!g->tensors[i].numbers)
			continue;
		table = add_table(f, at + 4 * buffer++, 1u << 0);
		add_numbers(f, table.field[0], &g->tensors[i]);
	}
}

static void write_model(struct file *f, const struct graph *g, uint32_t out)
{
	struct table table;
	size_t at;

	/* The root's offset, and the mark. */
	add_bytes(f, NULL, 4);
	add_bytes(f, "TFL3", 4);
	/* version, operator_codes, subgraphs, description, buffers */
	table = add_table(f, 0, 0x1f);
	put32(f, table.field[0], VERSION);
	write_codes(f, table.field[1], g);
	at = add_vector(f, table.field[2], 1, NULL);
	write_graph(f, at, g, out);
	add_string(f, table.field[3], "mlsched");
	write_buffers(f, table.field[4], g);
}

static int write_file(const struct file *f, const char *path, struct mlsched_error *err)
{
	FILE *stream = fopen(path, "wb");
	bool written;

	if (!stream)
		return mls_error(err, -errno, "cannot make %s: %s", path, strerror(errno));
	written = fwrite(f->data, 1, f->size, stream) == f->size;
	if (fclose(stream) != 0 || !written)
		return mls_error(err, -EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* LiteRT's ELU has no alpha. */
static int check_layers(const struct mlsched_model *model, struct mlsched_error *err)
{
	for (uint32_t l = 0; l < mlsched_model_layers(model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(model, l, &layer);
		if (layer.activation == MLSCHED_ELU && layer.alpha != 1)
			return mls_error(err, -ENOTSUP,
					 "layer %u: expected an alpha of 1 for LiteRT's ELU, found "
					 "%g",
					 l, (double)layer.alpha);
	}
	return 0;
}

static uint32_t build(struct graph *g, const struct mlsched_model *model)
{
	uint32_t row = 0, n_in = mlsched_model_inputs(model);
	const float *mean, *deviation;

	g->tensors[0] = (struct tensor){ 1, n_in, NULL, false, "features" };
	g->n_tensors = 1;
	mlsched_model_normalization(model, &mean, &deviation);
	if (mean) {
		row = add_elementwise(g, OP_SUB, OPTIONS_SUB, row, mean, n_in);
		row = add_elementwise(g, OP_DIV, OPTIONS_DIV, row, deviation, n_in);
	}
	for (uint32_t l = 0; l < mlsched_model_layers(model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(model, l, &layer);
		row = add_layer(g, l, &layer, row);
	}
	return row;
}

int bench_litert_write(const struct mlsched_model *model, const char *path,
		       struct mlsched_error *err)
{
	struct graph *g = calloc(1, sizeof(*g));
	struct file file = { .size = 0 };
	int ret;

	if (!g)
		return mls_error(err, -ENOMEM, "no memory for a LiteRT file");
	ret = check_layers(model, err);
	if (!ret) {
		write_model(&file, g, build(g, model));
		ret = file.full ? mls_error(err, -ENOMEM, "no memory for a LiteRT file") :
				  write_file(&file, path, err);
	}
	free(file.data);
	free(g);
	return ret;
}
