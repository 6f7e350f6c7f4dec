// SPDX-License-Identifier: GPL-2.0
/*
 * start_at SECONDS COMMAND [ARGUMENT...]: runs a command at that reading of
 * CLOCK_MONOTONIC, so that in a deterministic guest a load begins at the same
 * moment of the machine's life however long what came before it took.
 * Status 125: it is later than that already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec start = { 0 }, now;

	if (argc < 3)
		return 2;
	start.tv_sec = strtol(argv[1], NULL, 10);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec >= start.tv_sec) {
		fprintf(stderr, "start_at: %s s: it is %lld s already\n", argv[1],
			(long long)now.tv_sec);
		return 125;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL) != 0)
		;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
