/* SPDX-License-Identifier: GPL-2.0 */
/* What readers and writers of protocol buffers share. */
#ifndef MLS_FORMATS_PB_H
#define MLS_FORMATS_PB_H

#include <protobuf-c/protobuf-c.h>

#include <mlsched/error.h>

#include "src/formats/arena.h"
#include "src/formats/savedmodel.pb-c.h"

/* TensorFlow's DataType. */
enum mls_dtype {
	MLS_DT_FLOAT = 1,
	MLS_DT_DOUBLE = 2,
	MLS_DT_INT32 = 3,
	MLS_DT_STRING = 7,
	MLS_DT_INT64 = 9,
	MLS_DT_BOOL = 10,
	MLS_DT_BFLOAT16 = 14,
	MLS_DT_HALF = 19,
	MLS_DT_RESOURCE = 20,
};

/* More dimensions than this are no tensor of ours. */
#define MLS_MAX_RANK 8

/* More numbers than this are no weights of ours: the widest layer. */
#define MLS_MAX_ELEMENTS (256 * 256)

/** mls_pb_unpack() - parse a message into @arena; NULL when it is damaged or too large */
void *mls_pb_unpack(const ProtobufCMessageDescriptor *type, struct mls_arena *arena,
		    const void *data, size_t size);

/**
 * mls_pb_where() - find out where a damaged message is damaged
 * @depth: how many levels of embedded messages to look into
 * @text:  receives a phrase such as "byte 2: field 2 says 22134 bytes, 13280 are left"
 */
void mls_pb_where(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
		  char *text, size_t text_size);

/** mls_dtype_name() - "float32"; "type 99" when it is not one that occurs in models */
const char *mls_dtype_name(int32_t dtype);

/** mls_dtype_size() - bytes of one number as stored; 0 for strings and unknown types */
size_t mls_dtype_size(int32_t dtype);

/** mls_is_float() - float32, float64, float16 or bfloat16 */
bool mls_is_float(int32_t dtype);

/**
 * mls_to_float() - convert [n] little-endian numbers of any numeric type, unaligned
 *
 * @from may lie in what @to has room for: at its end where the numbers become
 * wider, at its beginning where they do not.
 */
void mls_to_float(int32_t dtype, const void *from, size_t n, float *to);

/** mls_from_float() - store [n] numbers as little-endian float32, unaligned */
void mls_from_float(const float *from, size_t n, uint8_t *to);

/**
 * mls_shape_text() - "[10, 64]" for messages
 * @rank: -1 for an unknown rank
 */
const char *mls_shape_text(const int64_t *dims, int rank, char *text, size_t size);

#endif /* MLS_FORMATS_PB_H */
