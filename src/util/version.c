// SPDX-License-Identifier: GPL-2.0
/*
 * The version of the library that is running.
 */
#include <mlsched/version.h>

const char *mlsched_version(void)
{
	return MLSCHED_VERSION;
}
