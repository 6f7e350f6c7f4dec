// SPDX-License-Identifier: GPL-2.0
/*
 * The feature schemas of core/features.def as tables for user space.
 */
#include <string.h>

#include <mlsched/schema.h>

#include "src/util/array.h"

#define SCHEMA_BEGIN(name, version)                    static const struct mlsched_feature name##_features[] = {
#define FEATURE(schema, name, unit, min, max, meaning) { #name, unit, min, max, meaning },
#define SCHEMA_END(name) \
	}                \
	;
#include "core/features.def"
#undef SCHEMA_BEGIN
#undef FEATURE
#undef SCHEMA_END

#define SCHEMA_BEGIN(name, version) \
	{ #name, version, ARRAY_SIZE(name##_features), name##_features },
#define FEATURE(schema, name, unit, min, max, meaning)
#define SCHEMA_END(name)
static const struct mlsched_schema schemas[] = {
#include "core/features.def"
};

const struct mlsched_schema *mlsched_schema_at(size_t index)
{
	return index < ARRAY_SIZE(schemas) ? &schemas[index] : NULL;
}

const struct mlsched_schema *mlsched_schema_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		if (strcmp(schemas[i].name, name) == 0)
			return &schemas[i];
	}
	return NULL;
}
