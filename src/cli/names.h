/* SPDX-License-Identifier: GPL-2.0 */
/* Lists of names between commas, as options have them. */
#ifndef MLS_CLI_NAMES_H
#define MLS_CLI_NAMES_H

#include <stdint.h>

#define CLI_MOST_NAMES 32

struct cli_names {
	char *text; /* that the others point into */
	const char *name[CLI_MOST_NAMES];
	uint32_t n;
};

/** cli_names_split() - 0; -EINVAL for none or more than CLI_MOST_NAMES; -ENOMEM */
int cli_names_split(struct cli_names *names, const char *text);

void cli_names_clear(struct cli_names *names);

#endif /* MLS_CLI_NAMES_H */
