// SPDX-License-Identifier: GPL-2.0
/*
 * LiteRT files made by hand, see tflite.h.
 *
 * A table stands behind its layout, and in front of everything that it leads
 * to, because offsets only lead forward: so the fields that are offsets are
 * filled in when what they lead to is written.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/tflite.h"

/* The most fields that a table of the schema has, as far as they are written here. */
#define MAX_FIELDS 12

struct out {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
};

/* A table that was written: where it is, and where each of its fields. */
struct table {
	size_t at;
	size_t fields[MAX_FIELDS];
};

/* ---- FlatBuffers ----------------------------------------------------------------------- */

/* @size bytes of zeros, at a multiple of @align. */
static size_t put(struct out *o, size_t size, size_t align)
{
	size_t at = (o->size + align - 1) / align * align;

	while (at + size > o->capacity) {
		o->capacity = o->capacity ? 2 * o->capacity : 4096;
		o->bytes = realloc(o->bytes, o->capacity);
		assert_non_null(o->bytes);
	}
	memset(o->bytes + o->size, 0, at + size - o->size);
	o->size = at + size;
	return at;
}

static void set(struct out *o, size_t at, uint64_t value, size_t size)
{
	value = htole64(value);
	memcpy(o->bytes + at, &value, size);
}

static void lead(struct out *o, size_t from, size_t to)
{
	set(o, from, to - from, sizeof(uint32_t));
}

/* @sizes: [@n] bytes of each field, 0 for one that is left out. */
static struct table put_table(struct out *o, const uint8_t *sizes, size_t n)
{
	size_t vtable = put(o, 4 + 2 * n, 2);
	struct table t = { .at = put(o, 4, 8) };

	set(o, vtable, 4 + 2 * n, 2);
	set(o, t.at, t.at - vtable, 4);
	for (size_t i = 0; i < n; i++) {
		if (!sizes[i])
			continue;
		t.fields[i] = put(o, sizes[i], sizes[i]);
		set(o, vtable + 4 + 2 * i, t.fields[i] - t.at, 2);
	}
	set(o, vtable + 2, o->size - t.at, 2);
	return t;
}

/* A list that the offset at @from leads to; its first element. */
static size_t put_list(struct out *o, size_t from, size_t n, size_t size, size_t align)
{
	size_t at;

	/* The length stands right in front of the elements, which are aligned. */
	while ((put(o, 0, 4) + 4) % align)
		put(o, 4, 4);
	at = put(o, 4, 4);
	set(o, at, n, 4);
	put(o, n * size, 1);
	lead(o, from, at);
	return at + 4;
}

static void put_bytes(struct out *o, size_t from, const void *data, size_t size, size_t align)
{
	size_t at = put_list(o, from, size, 1, align);

	if (size)
		memcpy(o->bytes + at, data, size);
}

static void put_string(struct out *o, size_t from, const char *text)
{
	put_bytes(o, from, text, strlen(text), 4);
	put(o, 1, 1);
}

static void put_ints(struct out *o, size_t from, const int32_t *numbers, int n)
{
	size_t at = put_list(o, from, (size_t)n, 4, 4);

	for (int i = 0; i < n; i++)
		set(o, at + 4 * (size_t)i, (uint32_t)numbers[i], 4);
}

/* ---- the schema ------------------------------------------------------------------------ */

static size_t put_code(struct out *o, const struct test_tflite_operator *op)
{
	const uint8_t sizes[] = { 1, op->custom ? 4 : 0, 4, op->no_code ? 0 : 4 };
	struct table t = put_table(o, sizes, 4);

	set(o, t.fields[0], (uint8_t)op->old_code, 1);
	set(o, t.fields[2], (uint32_t)op->version, 4);
	if (!op->no_code)
		set(o, t.fields[3], (uint32_t)op->code, 4);
	if (op->custom)
		put_string(o, t.fields[1], op->custom);
	return t.at;
}

static size_t put_options(struct out *o, const struct test_tflite_operator *op)
{
	uint8_t sizes[TEST_TFLITE_MAX_OPTIONS] = { 0 };
	struct table t;

	for (int i = 0; i < op->n_options; i++)
		sizes[op->options[i].slot] = op->options[i].kind == TEST_TFLITE_BYTE ? 1 : 4;
	t = put_table(o, sizes, TEST_TFLITE_MAX_OPTIONS);
	for (int i = 0; i < op->n_options; i++) {
		const struct test_tflite_option *option = &op->options[i];
		size_t at = t.fields[option->slot];
		uint32_t bits;

		memcpy(&bits, &option->real, sizeof(bits));
		if (option->kind == TEST_TFLITE_BYTE)
			set(o, at, (uint8_t)option->byte, 1);
		else if (option->kind == TEST_TFLITE_REAL)
			set(o, at, bits, 4);
		else
			put_ints(o, at, option->ints, option->n_ints);
	}
	return t.at;
}

static size_t put_operator(struct out *o, const struct test_tflite_operator *op, int number)
{
	const uint8_t sizes[] = { 4, 4, 4, op->options_type ? 1 : 0, op->options_type ? 4 : 0 };
	struct table t = put_table(o, sizes, 5);

	set(o, t.fields[0], (uint32_t)(op->index < 0 ? number : op->index), 4);
	if (op->options_type)
		set(o, t.fields[3], op->options_type, 1);
	put_ints(o, t.fields[1], op->inputs, op->n_inputs);
	put_ints(o, t.fields[2], op->outputs, op->n_outputs);
	if (op->options_type)
		lead(o, t.fields[4], put_options(o, op));
	return t.at;
}

static size_t put_ranges(struct out *o)
{
	const uint8_t sizes[] = { 4, 4 };
	struct table t = put_table(o, sizes, 2);

	put_ints(o, t.fields[0], (const int32_t[]){ 0 }, 1);
	put_ints(o, t.fields[1], (const int32_t[]){ 0x3f800000 }, 1);
	return t.at;
}

static size_t put_tensor(struct out *o, const struct test_tflite_tensor *tensor)
{
	const uint8_t sizes[] = {
		tensor->rank < 0 ? 0 : 4,
		1,
		4,
		4,
		tensor->ranges ? 4 : 0,
		tensor->variable,
		tensor->sparse ? 4 : 0,
		tensor->n_signature ? 4 : 0,
		0,
		0,
		tensor->external ? 4 : 0,
	};
	struct table t = put_table(o, sizes, sizeof(sizes));

	set(o, t.fields[1], (uint8_t)tensor->type, 1);
	set(o, t.fields[2], tensor->buffer, 4);
	if (tensor->variable)
		set(o, t.fields[5], 1, 1);
	if (tensor->external)
		set(o, t.fields[10], tensor->external, 4);
	if (tensor->rank >= 0)
		put_ints(o, t.fields[0], tensor->dims, tensor->rank);
	put_string(o, t.fields[3], tensor->name);
	if (tensor->ranges)
		lead(o, t.fields[4], put_ranges(o));
	if (tensor->sparse)
		lead(o, t.fields[6], put_table(o, NULL, 0).at);
	if (tensor->n_signature)
		put_ints(o, t.fields[7], tensor->signature, tensor->n_signature);
	return t.at;
}

static size_t put_buffer(struct out *o, const struct test_tflite_buffer *buffer)
{
	const uint8_t sizes[] = { buffer->size ? 4 : 0, buffer->behind ? 8 : 0,
				  buffer->behind ? 8 : 0 };
	struct table t = put_table(o, sizes, 3);

	if (buffer->behind) {
		set(o, t.fields[1], buffer->behind, 8);
		set(o, t.fields[2], 16, 8);
	}
	if (buffer->size)
		put_bytes(o, t.fields[0], buffer->data, buffer->size, 16);
	return t.at;
}

static size_t put_subgraph(struct out *o, const struct test_tflite *m)
{
	const uint8_t sizes[] = { 4, 4, 4, 4 };
	struct table t = put_table(o, sizes, 4);
	size_t tensors = put_list(o, t.fields[0], (size_t)m->n_tensors, 4, 4), operators;

	put_ints(o, t.fields[1], m->inputs, m->n_inputs);
	put_ints(o, t.fields[2], m->outputs, m->n_outputs);
	operators = put_list(o, t.fields[3], (size_t)m->n_operators, 4, 4);
	for (int i = 0; i < m->n_tensors; i++)
		lead(o, tensors + 4 * (size_t)i, put_tensor(o, &m->tensors[i]));
	for (int i = 0; i < m->n_operators; i++)
		lead(o, operators + 4 * (size_t)i, put_operator(o, &m->operators[i], i));
	return t.at;
}

uint8_t *test_tflite_pack(const struct test_tflite *m, size_t *size)
{
	const uint8_t sizes[] = { 4, 4, 4, 4, 4 };
	struct out o = { 0 };
	size_t list, graph;
	struct table t;

	put(&o, 4, 4);
	memcpy(o.bytes + put(&o, 4, 4), "TFL3", 4);
	t = put_table(&o, sizes, 5);
	lead(&o, 0, t.at);
	set(&o, t.fields[0], m->version, 4);
	put_string(&o, t.fields[3], m->description);
	list = put_list(&o, t.fields[1], (size_t)m->n_operators, 4, 4);
	for (int i = 0; i < m->n_operators; i++)
		lead(&o, list + 4 * (size_t)i, put_code(&o, &m->operators[i]));
	list = put_list(&o, t.fields[2], m->n_subgraphs, 4, 4);
	graph = put_subgraph(&o, m);
	for (uint32_t i = 0; i < m->n_subgraphs; i++)
		lead(&o, list + 4 * (size_t)i, graph);
	list = put_list(&o, t.fields[4], (size_t)m->n_buffers, 4, 4);
	for (int i = 0; i < m->n_buffers; i++)
		lead(&o, list + 4 * (size_t)i, put_buffer(&o, &m->buffers[i]));
	*size = o.size;
	return o.bytes;
}

/* ---- describing ------------------------------------------------------------------------ */

void test_tflite_start(struct test_tflite *m)
{
	*m = (struct test_tflite){
		.version = 3,
		.description = "made by hand",
		.n_subgraphs = 1,
		.n_buffers = 1,
	};
}

static struct test_tflite_tensor *add_tensor(struct test_tflite *m)
{
	assert_true(m->n_tensors < TEST_TFLITE_MAX_TENSORS);
	m->tensors[m->n_tensors].name = "t";
	return &m->tensors[m->n_tensors++];
}

int32_t test_tflite_computed(struct test_tflite *m, int32_t rows, int32_t columns)
{
	struct test_tflite_tensor *t = add_tensor(m);

	t->rank = 2;
	t->dims[0] = rows;
	t->dims[1] = columns;
	return m->n_tensors - 1;
}

int32_t test_tflite_stored(struct test_tflite *m, enum test_tflite_type type, int rank,
			   const int32_t *dims, const void *data, size_t size)
{
	struct test_tflite_tensor *t = add_tensor(m);

	t->type = (int8_t)type;
	t->rank = rank;
	if (rank > 0)
		memcpy(t->dims, dims, (size_t)rank * sizeof(*dims));
	assert_true(m->n_buffers < TEST_TFLITE_MAX_TENSORS);
	m->buffers[m->n_buffers] = (struct test_tflite_buffer){ data, size, 0 };
	t->buffer = (uint32_t)m->n_buffers++;
	return m->n_tensors - 1;
}

struct test_tflite_operator *test_tflite_operator(struct test_tflite *m, int32_t code,
						  const int32_t *inputs, int32_t output)
{
	struct test_tflite_operator *op = &m->operators[m->n_operators++];

	assert_true(m->n_operators <= TEST_TFLITE_MAX_OPERATORS);
	*op = (struct test_tflite_operator){
		.code = code,
		.old_code = (int8_t)(code < 127 ? code : 127),
		.version = 1,
		.index = -1,
		.n_outputs = 1,
		.outputs = { output },
	};
	while (inputs[op->n_inputs] >= -1) {
		op->inputs[op->n_inputs] = inputs[op->n_inputs];
		op->n_inputs++;
	}
	return op;
}

/* The schema's BuiltinOptions. */
enum { OPTIONS_FULLY_CONNECTED = 8, OPTIONS_RESHAPE = 17, OPTIONS_MUL = 21 };

/* [2][3]: the weights of a unit stand together. */
static const float weights[6] = { 1, 0.5f, -1, -2, 3, 0.25f };
static const float bias[2] = { 0.5f, -1 };

enum { INPUT, WEIGHTS, BIAS };

static void start_three(struct test_tflite *m)
{
	struct test_tflite_tensor *x;

	test_tflite_start(m);
	x = &m->tensors[test_tflite_computed(m, 1, 3)];
	x->n_signature = 2;
	x->signature[0] = -1;
	x->signature[1] = 3;
	m->n_inputs = 1;
	m->inputs[0] = INPUT;
	test_tflite_stored(m, TEST_TFLITE_FLOAT32, 2, (const int32_t[]){ 2, 3 }, weights,
			   sizeof(weights));
	test_tflite_stored(m, TEST_TFLITE_FLOAT32, 1, (const int32_t[]){ 2 }, bias, sizeof(bias));
}

/* What it makes is the model's output, until the next one. */
static struct test_tflite_operator *next(struct test_tflite *m, int32_t code, int32_t columns,
					 const int32_t *inputs)
{
	m->n_outputs = 1;
	m->outputs[0] = test_tflite_computed(m, 1, columns);
	return test_tflite_operator(m, code, inputs, m->outputs[0]);
}

static struct test_tflite_option *option(struct test_tflite_operator *op, uint8_t type)
{
	op->options_type = type;
	return &op->options[op->n_options++];
}

#define FROM(...) ((const int32_t[]){ __VA_ARGS__, -2 })

void test_tflite_dense(struct test_tflite *m)
{
	start_three(m);
	next(m, TEST_TFLITE_FULLY_CONNECTED, 2, FROM(INPUT, WEIGHTS, BIAS));
}

void test_tflite_everything(struct test_tflite *m)
{
	static const uint16_t halves[] = { 0x3c00, 0x3800, 0xbc00, 0xc000, 0x4200, 0x3400 };
	static const float mean[] = { 2, -3, 4 }, zero = 0, alpha = 0.5f;
	int32_t half, elu, positive, layer, number;
	struct test_tflite_option *o;

	start_three(m);
	m->tensors[INPUT].ranges = true;
	half = test_tflite_stored(m, TEST_TFLITE_FLOAT16, 2, (const int32_t[]){ 2, 3 }, halves,
				  sizeof(halves));
	next(m, TEST_TFLITE_DEQUANTIZE, 3, FROM(half));
	half = m->outputs[0];
	number = test_tflite_stored(m, TEST_TFLITE_FLOAT32, 2, (const int32_t[]){ 1, 3 }, mean,
				    sizeof(mean));
	next(m, TEST_TFLITE_SUB, 3, FROM(INPUT, number));
	o = option(next(m, TEST_TFLITE_RESHAPE, 3, FROM(m->outputs[0])), OPTIONS_RESHAPE);
	o->kind = TEST_TFLITE_INTS;
	o->n_ints = 2;
	o->ints[0] = -1;
	o->ints[1] = 3;
	option(next(m, TEST_TFLITE_FULLY_CONNECTED, 2, FROM(m->outputs[0], half, BIAS)),
	       OPTIONS_FULLY_CONNECTED);
	layer = m->outputs[0];
	number = test_tflite_stored(m, TEST_TFLITE_FLOAT32, 0, NULL, &zero, sizeof(zero));
	next(m, TEST_TFLITE_GREATER, 2, FROM(layer, number));
	positive = m->outputs[0];
	next(m, TEST_TFLITE_ELU, 2, FROM(layer));
	elu = m->outputs[0];
	number = test_tflite_stored(m, TEST_TFLITE_FLOAT32, 0, NULL, &alpha, sizeof(alpha));
	option(next(m, TEST_TFLITE_MUL, 2, FROM(elu, number)), OPTIONS_MUL);
	next(m, TEST_TFLITE_SELECT_V2, 2, FROM(positive, elu, m->outputs[0]));
}

/* ---- finding --------------------------------------------------------------------------- */

uint32_t test_fb_u32(const uint8_t *bytes, size_t at)
{
	uint32_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return le32toh(value);
}

void test_fb_set(uint8_t *bytes, size_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes + at, &value, sizeof(value));
}

size_t test_fb_vtable(const uint8_t *bytes, size_t table)
{
	return table - test_fb_u32(bytes, table);
}

size_t test_fb_field(const uint8_t *bytes, size_t table, int slot)
{
	size_t entry = test_fb_vtable(bytes, table) + 4 + 2 * (size_t)slot;
	uint32_t offset = bytes[entry] | (uint32_t)bytes[entry + 1] << 8;

	return offset ? table + offset : 0;
}

size_t test_fb_follow(const uint8_t *bytes, size_t at)
{
	return at + test_fb_u32(bytes, at);
}

size_t test_fb_list(const uint8_t *bytes, size_t table, int slot)
{
	return test_fb_follow(bytes, test_fb_field(bytes, table, slot)) + 4;
}
