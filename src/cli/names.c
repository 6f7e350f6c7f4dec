// SPDX-License-Identifier: GPL-2.0
/* Lists of names between commas. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/names.h"

int cli_names_split(struct cli_names *names, const char *text)
{
	char *rest, *name;

	*names = (struct cli_names){ .text = strdup(text) };
	if (!names->text)
		return -ENOMEM;
	for (name = strtok_r(names->text, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		if (names->n == CLI_MOST_NAMES)
			return -EINVAL;
		names->name[names->n++] = name;
	}
	return names->n ? 0 : -EINVAL;
}

void cli_names_clear(struct cli_names *names)
{
	free(names->text);
	*names = (struct cli_names){ 0 };
}
