// SPDX-License-Identifier: GPL-2.0
/*
 * What readers and writers of protocol buffers share: parsing into an arena,
 * telling where a damaged message is damaged, TensorFlow's number types.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/pb.h"

static void *pb_alloc(void *arena, size_t size)
{
	return mls_arena_alloc(arena, size);
}

static void pb_free(void *arena, void *piece)
{
	(void)arena;
	(void)piece;
}

void *mls_pb_unpack(const ProtobufCMessageDescriptor *type, struct mls_arena *arena,
		    const void *data, size_t size)
{
	ProtobufCAllocator allocator = {
		.alloc = pb_alloc,
		.free = pb_free,
		.allocator_data = arena,
	};

	return protobuf_c_message_unpack(type, &allocator, size, data);
}

static bool varint(const uint8_t *data, size_t size, size_t *pos, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 64 && *pos < size; shift += 7) {
		uint8_t byte = data[(*pos)++];

		*value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

struct damage {
	const char *what;
	size_t at;
	uint64_t length, left;
};

/* Walks the fields of one message; true when one of them is damaged. */
static bool find_damage(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
			size_t base, int depth, struct damage *damage)
{
	size_t pos = 0;

	while (pos < size) {
		const ProtobufCFieldDescriptor *field;
		uint64_t tag, length = 0;

		damage->at = base + pos;
		damage->what = "a field without an end";
		if (!varint(data, size, &pos, &tag))
			return true;
		field = protobuf_c_message_descriptor_get_field(type, (unsigned int)(tag >> 3));
		if (field)
			damage->what = field->name;
		switch (tag & 7) {
		case 0:
			if (!varint(data, size, &pos, &length))
				return true;
			continue;
		case 1:
			length = 8;
			break;
		case 2:
			if (!varint(data, size, &pos, &length))
				return true;
			break;
		case 5:
			length = 4;
			break;
		default:
			damage->what = "a field of unknown type";
			return true;
		}
		damage->length = length;
		damage->left = size - pos;
		if (length > size - pos)
			return true;
		if (field && field->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == 2 && depth &&
		    find_damage(field->descriptor, data + pos, (size_t)length, base + pos,
				depth - 1, damage))
			return true;
		pos += (size_t)length;
	}
	return false;
}

void mls_pb_where(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
		  char *text, size_t text_size)
{
	struct damage damage = { 0 };

	if (!find_damage(type, data, size, 0, 8, &damage))
		snprintf(text, text_size, "a message that is damaged in one of its fields");
	else if (damage.length > damage.left)
		snprintf(text, text_size,
			 "one that is cut or damaged: at byte %zu, %s says %" PRIu64
			 " bytes, but %" PRIu64 " are left",
			 damage.at, damage.what, damage.length, damage.left);
	else
		snprintf(text, text_size, "one that is cut or damaged at byte %zu: %s", damage.at,
			 damage.what);
}

const char *mls_dtype_name(int32_t dtype)
{
	static const char *const names[] = {
		[1] = "float32",  [2] = "float64",   [3] = "int32",     [4] = "uint8",
		[5] = "int16",    [6] = "int8",      [7] = "string",    [8] = "complex64",
		[9] = "int64",    [10] = "bool",     [14] = "bfloat16", [17] = "uint16",
		[19] = "float16", [20] = "resource", [21] = "variant",  [22] = "uint32",
		[23] = "uint64",
	};

	if (dtype < 0 || (size_t)dtype >= sizeof(names) / sizeof(names[0]) || !names[dtype])
		return "an unknown type";
	return names[dtype];
}

size_t mls_dtype_size(int32_t dtype)
{
	switch (dtype) {
	case 4: /* uint8 */
	case 6: /* int8 */
	case 10: /* bool */
		return 1;
	case MLS_DT_HALF:
	case MLS_DT_BFLOAT16:
	case 5: /* int16 */
	case 17: /* uint16 */
		return 2;
	case MLS_DT_FLOAT:
	case MLS_DT_INT32:
	case 22: /* uint32 */
		return 4;
	case MLS_DT_DOUBLE:
	case MLS_DT_INT64:
	case 8: /* complex64 */
	case 23: /* uint64 */
		return 8;
	default:
		return 0;
	}
}

bool mls_is_float(int32_t dtype)
{
	return dtype == MLS_DT_FLOAT || dtype == MLS_DT_DOUBLE || dtype == MLS_DT_HALF ||
	       dtype == MLS_DT_BFLOAT16;
}

static float from_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000) << 16;
	uint32_t exponent = half >> 10 & 31, mantissa = half & 1023;

	if (exponent == 31)
		return from_bits(sign | 0x7f800000 | mantissa << 13);
	if (exponent)
		return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
	/* Zero and the denormal numbers: mantissa times 2^-24, which float32 holds exactly. */
	return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
}

static float one_float(int32_t dtype, const uint8_t *from)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	double wide;

	switch (dtype) {
	case MLS_DT_HALF:
	case MLS_DT_BFLOAT16:
		memcpy(&u16, from, sizeof(u16));
		u16 = le16toh(u16);
		return dtype == MLS_DT_HALF ? half_to_float(u16) : from_bits((uint32_t)u16 << 16);
	case MLS_DT_FLOAT:
		memcpy(&u32, from, sizeof(u32));
		return from_bits(le32toh(u32));
	case MLS_DT_INT32:
		memcpy(&u32, from, sizeof(u32));
		return (float)(int32_t)le32toh(u32);
	case MLS_DT_DOUBLE:
		memcpy(&u64, from, sizeof(u64));
		u64 = le64toh(u64);
		memcpy(&wide, &u64, sizeof(wide));
		/* Out of range becomes infinite here and is refused as such. */
		return (float)wide;
	case MLS_DT_INT64:
		memcpy(&u64, from, sizeof(u64));
		return (float)(int64_t)le64toh(u64);
	default:
		return 0;
	}
}

void mls_to_float(int32_t dtype, const void *from, size_t n, float *to)
{
	size_t size = mls_dtype_size(dtype);

	for (size_t i = 0; i < n; i++)
		to[i] = one_float(dtype, (const uint8_t *)from + i * size);
}

void mls_from_float(const float *from, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &from[i], sizeof(bits));
		bits = htole32(bits);
		memcpy(to + i * sizeof(bits), &bits, sizeof(bits));
	}
}

const char *mls_shape_text(const int64_t *dims, int rank, char *text, size_t size)
{
	size_t used;

	if (rank < 0)
		return "[any shape]";
	used = (size_t)snprintf(text, size, "[");
	for (int i = 0; i < rank && used < size; i++) {
		const char *comma = i ? ", " : "";

		if (dims[i] < 0)
			used += (size_t)snprintf(text + used, size - used, "%s?", comma);
		else
			used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, comma,
						 dims[i]);
	}
	if (used < size)
		snprintf(text + used, size - used, "]");
	return text;
}
