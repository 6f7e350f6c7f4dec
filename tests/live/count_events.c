// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own counts while a command runs.
 *
 *	count_events FILE ID COMMAND...
 *
 * Opens counting perf events for the tracepoint with this id on every CPU, runs
 * the command, and writes two numbers into FILE: the events, and the context
 * switches by /proc/stat.  (The tracepoint of switches is no measure: perf
 * misses some of its events.)  SIGINT is passed on to the command.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS 1024

static volatile sig_atomic_t child;

static void pass_on(int signal_number)
{
	if (child > 0)
		kill(child, signal_number);
}

static int open_counter(uint64_t id, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.disabled = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t sum(const int *fds, int n)
{
	uint64_t total = 0;

	for (int i = 0; i < n; i++) {
		uint64_t value = 0;

		if (fds[i] >= 0 && read(fds[i], &value, sizeof(value)) == sizeof(value))
			total += value;
	}
	return total;
}

static uint64_t context_switches(void)
{
	FILE *file = fopen("/proc/stat", "r");
	unsigned long long n = 0;
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		if (sscanf(line, "ctxt %llu", &n) == 1)
			break;
	}
	free(line);
	if (file)
		fclose(file);
	return n;
}

int main(int argc, char **argv)
{
	static int fds[MAX_CPUS];
	struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	int n_cpus = (int)sysconf(_SC_NPROCESSORS_CONF), status;
	uint64_t switches;
	FILE *file;

	if (argc < 4 || n_cpus > MAX_CPUS)
		return 2;
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		fds[cpu] = open_counter(strtoull(argv[2], NULL, 10), cpu);
		/* A CPU that is offline has no counter and makes no events. */
		if (fds[cpu] < 0 && errno != ENODEV) {
			perror("count_events: perf_event_open");
			return 1;
		}
		if (fds[cpu] >= 0)
			ioctl(fds[cpu], PERF_EVENT_IOC_ENABLE, 0);
	}
	switches = context_switches();
	sigaction(SIGINT, &action, NULL);
	child = fork();
	if (child == 0) {
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	file = fopen(argv[1], "w");
	if (!file)
		return 1;
	fprintf(file, "%llu %llu\n", (unsigned long long)sum(fds, n_cpus),
		(unsigned long long)(context_switches() - switches));
	fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
