// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "src/util/text.h"

void mls_plain_text(char *text, const char *but)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~' || strchr(but, *c))
			*c = '?';
}
