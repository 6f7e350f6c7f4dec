// SPDX-License-Identifier: GPL-2.0
/*
 * Migrations of our own tasks, exactly and by the kernel: a histogram trigger on
 * sched:sched_migrate_task, by both CPUs.  Needs root and tracefs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#define EVENT "/sys/kernel/tracing/events/sched/sched_migrate_task/"

static int set_trigger(const char *prefix)
{
	char text[128];
	int fd = open(EVENT "trigger", O_WRONLY | O_APPEND | O_CLOEXEC), length, ret = 0;

	if (fd < 0)
		return -errno;
	length = snprintf(text, sizeof(text),
			  "%shist:keys=orig_cpu,dest_cpu:size=4096 if comm ~ \"%s*\"", prefix,
			  name_prefix);
	if (write(fd, text, (size_t)length) != length)
		ret = -errno;
	close(fd);
	return ret;
}

static bool counting;

void moves_start(void)
{
	int ret = set_trigger("");

	counting = ret == 0;
	if (ret)
		fprintf(stderr, "workload: moves are not counted: " EVENT "trigger: %s\n",
			strerror(-ret));
}

void moves_end(struct moves *moves)
{
	const struct machine *m = &arena->machine;
	FILE *file = counting ? fopen(EVENT "hist", "r") : NULL;
	unsigned int from, to;
	unsigned long long n;
	char line[256];

	*moves = (struct moves){ -1, -1, -1 };
	if (!file)
		return;
	*moves = (struct moves){ 0, 0, 0 };
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "{ orig_cpu: %u, dest_cpu: %u } hitcount: %llu", &from, &to, &n) !=
			    3 ||
		    from >= MAX_CPUS || to >= MAX_CPUS)
			continue;
		moves->all += (long long)n;
		moves->caches += m->cache[from] != m->cache[to] ? (long long)n : 0;
		moves->nodes += m->node[from] != m->node[to] ? (long long)n : 0;
	}
	fclose(file);
	set_trigger("!");
}
