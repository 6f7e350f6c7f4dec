/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libmlsched: learned migration decisions.
 *
 * A function is public when it stands in one of these headers.  The library
 * has no global state, prints nothing and never ends the process.
 */
#ifndef MLSCHED_H
#define MLSCHED_H

#include <mlsched/decide.h>
#include <mlsched/error.h>
#include <mlsched/format.h>
#include <mlsched/model.h>
#include <mlsched/quantize.h>
#include <mlsched/schema.h>
#include <mlsched/version.h>

#endif /* MLSCHED_H */
