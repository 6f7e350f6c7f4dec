/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LiteRT files made by hand: a description of one, and the FlatBuffer that it
 * is, as flatc would write it but for the order.  What tests change in its
 * bytes they find by walking it as trustingly as the writer wrote it.
 *
 * Source: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
 */
#ifndef MLS_TESTS_TFLITE_H
#define MLS_TESTS_TFLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The schema's TensorType, as far as tests name them. */
enum test_tflite_type {
	TEST_TFLITE_FLOAT32 = 0,
	TEST_TFLITE_FLOAT16 = 1,
	TEST_TFLITE_INT32 = 2,
	TEST_TFLITE_INT64 = 4,
	TEST_TFLITE_INT8 = 9,
};

/* The schema's BuiltinOperator, as far as tests name them. */
enum test_tflite_code {
	TEST_TFLITE_ADD = 0,
	TEST_TFLITE_DEQUANTIZE = 6,
	TEST_TFLITE_FULLY_CONNECTED = 9,
	TEST_TFLITE_LOGISTIC = 14,
	TEST_TFLITE_MUL = 18,
	TEST_TFLITE_RELU = 19,
	TEST_TFLITE_RELU6 = 21,
	TEST_TFLITE_RESHAPE = 22,
	TEST_TFLITE_SOFTMAX = 25,
	TEST_TFLITE_TANH = 28,
	TEST_TFLITE_CUSTOM = 32,
	TEST_TFLITE_SUB = 41,
	TEST_TFLITE_DIV = 42,
	TEST_TFLITE_PRELU = 54,
	TEST_TFLITE_MAXIMUM = 55,
	TEST_TFLITE_NEG = 59,
	TEST_TFLITE_GREATER = 61,
	TEST_TFLITE_SELECT = 64,
	TEST_TFLITE_SQRT = 75,
	TEST_TFLITE_RSQRT = 76,
	TEST_TFLITE_LEAKY_RELU = 98,
	TEST_TFLITE_ELU = 111,
	TEST_TFLITE_QUANTIZE = 114,
	TEST_TFLITE_SELECT_V2 = 123,
};

#define TEST_TFLITE_MAX_RANK      10
#define TEST_TFLITE_MAX_INPUTS    4
#define TEST_TFLITE_MAX_OPTIONS   5
#define TEST_TFLITE_MAX_TENSORS   600
#define TEST_TFLITE_MAX_OPERATORS 600

/* Beyond 0 each is a field that most files lack. */
struct test_tflite_buffer {
	const void *data;
	size_t size;
	uint64_t behind; /* where the numbers stand behind the tables */
};

struct test_tflite_tensor {
	const char *name;
	int8_t type;
	int rank; /* -1: no shape */
	int32_t dims[TEST_TFLITE_MAX_RANK];
	int n_signature;
	int32_t signature[TEST_TFLITE_MAX_RANK];
	uint32_t buffer;
	bool ranges; /* smallest and largest values, as converters note them for float numbers, too */
	bool variable;
	bool sparse;
	uint32_t external;
};

/* One field of the options: a byte, a float, or a list of integers. */
struct test_tflite_option {
	enum { TEST_TFLITE_BYTE, TEST_TFLITE_REAL, TEST_TFLITE_INTS } kind;
	int slot;
	int8_t byte;
	float real;
	int n_ints;
	int32_t ints[TEST_TFLITE_MAX_RANK];
};

/**
 * struct test_tflite_operator - and its code, of which each has one of its own
 * @old_code: the byte that was the code once; newer files have @code as well
 * @no_code:  as old files are: without the newer field
 * @version:  of the operator
 * @index:    of the code; -1: its own
 * @options_type: 0: none
 */
struct test_tflite_operator {
	int32_t code;
	int8_t old_code;
	bool no_code;
	const char *custom;
	int32_t version;
	int32_t index;
	int n_inputs;
	int32_t inputs[TEST_TFLITE_MAX_INPUTS];
	int n_outputs;
	int32_t outputs[TEST_TFLITE_MAX_INPUTS];
	uint8_t options_type;
	int n_options;
	struct test_tflite_option options[TEST_TFLITE_MAX_OPTIONS];
};

/**
 * struct test_tflite - a file
 * @n_subgraphs: that many times the same
 */
struct test_tflite {
	uint32_t version;
	const char *description;
	uint32_t n_subgraphs;
	int n_buffers, n_tensors, n_operators;
	struct test_tflite_buffer buffers[TEST_TFLITE_MAX_TENSORS];
	struct test_tflite_tensor tensors[TEST_TFLITE_MAX_TENSORS];
	struct test_tflite_operator operators[TEST_TFLITE_MAX_OPERATORS];
	int n_inputs, n_outputs;
	int32_t inputs[4], outputs[4];
};

/** test_tflite_start() - an empty model of version 3, with the empty buffer 0 */
void test_tflite_start(struct test_tflite *m);

/** test_tflite_computed() - a tensor of [rows, columns] float32 that an operator makes; its number */
int32_t test_tflite_computed(struct test_tflite *m, int32_t rows, int32_t columns);

/**
 * test_tflite_stored() - a tensor with numbers; its number
 * @dims: [@rank]
 * @data: stays the caller's
 */
int32_t test_tflite_stored(struct test_tflite *m, enum test_tflite_type type, int rank,
			   const int32_t *dims, const void *data, size_t size);

/** test_tflite_operator() - from @inputs, up to the first below -1, to @output; without options */
struct test_tflite_operator *test_tflite_operator(struct test_tflite *m, int32_t code,
						  const int32_t *inputs, int32_t output);

/** test_tflite_dense() - a model of one dense layer: [?, 3] by a [2, 3] matrix, and a bias */
void test_tflite_dense(struct test_tflite *m);

/**
 * test_tflite_everything() - a model that has a bit of everything: normalisation
 * in front, a reshape, weights of float16, fused activations, a scaled ELU
 */
void test_tflite_everything(struct test_tflite *m);

/** test_tflite_pack() - the file; to be freed */
uint8_t *test_tflite_pack(const struct test_tflite *m, size_t *size);

/* Where things are in a file that is whole. */

/** test_fb_u32() - the number at a place */
uint32_t test_fb_u32(const uint8_t *bytes, size_t at);

/** test_fb_set() - another number there */
void test_fb_set(uint8_t *bytes, size_t at, uint32_t value);

/** test_fb_vtable() - of the table at a place */
size_t test_fb_vtable(const uint8_t *bytes, size_t table);

/** test_fb_field() - where a table has a field; 0: it has not */
size_t test_fb_field(const uint8_t *bytes, size_t table, int slot);

/** test_fb_follow() - where the offset at a place leads */
size_t test_fb_follow(const uint8_t *bytes, size_t at);

/** test_fb_list() - the first element of a list in a table */
size_t test_fb_list(const uint8_t *bytes, size_t table, int slot);

#endif /* MLS_TESTS_TFLITE_H */
