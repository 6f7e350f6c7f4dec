// SPDX-License-Identifier: GPL-2.0
/*
 * The program of hdf5_child/, executed: with a socket, a file, and nothing else of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/formats/hdf5_protocol.h"
#include "src/formats/hdf5_spawn.h"
#include "src/util/memory_file.h"

/* The program, as an executable file has it: hdf5_program.c. */
extern const uint8_t mls_h5_program[], mls_h5_program_end[];

extern char **environ;

/* The first numbers are the ones that the process gets; they may be free here. */
int mls_h5_move_up(int fd)
{
	int up = fd < 0 || fd > MLS_H5_IMAGE ? fd : fcntl(fd, F_DUPFD_CLOEXEC, MLS_H5_IMAGE + 1);

	if (up != fd)
		close(fd);
	return up;
}

/* Signals of a terminal are for the caller; everything about them as it is in a new program. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	error = posix_spawnattr_setsigdefault(attributes, &all);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (!error)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
								     POSIX_SPAWN_SETSIGMASK |
								     POSIX_SPAWN_SETPGROUP);
	return error;
}

static int set_files(posix_spawn_file_actions_t *files, int socket, int image)
{
	int error = posix_spawn_file_actions_adddup2(files, socket, MLS_H5_SOCKET);

	for (int fd = MLS_H5_SOCKET + 1; !error && fd < MLS_H5_IMAGE; fd++)
		error = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
	if (!error && image >= 0)
		error = posix_spawn_file_actions_adddup2(files, image, MLS_H5_IMAGE);
	if (!error && image < 0)
		error = posix_spawn_file_actions_addopen(files, MLS_H5_IMAGE, "/dev/null", O_RDWR,
							 0);
	return error;
}

static int execute(int program, const char *argument, int socket, int image, pid_t *pid)
{
	char path[32], *nothing[] = { NULL };
	char *const arguments[] = { (char *)"mlsched-hdf5", (char *)(uintptr_t)argument, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error = posix_spawnattr_init(&attributes);

	if (error)
		return error;
	error = posix_spawn_file_actions_init(&files);
	if (error)
		goto out_attributes;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	error = set_attributes(&attributes);
	if (!error)
		error = set_files(&files, socket, image);
	/* Where the caller has more rights than its user, the user's settings do not count. */
	if (!error)
		error = posix_spawn(pid, path, &files, &attributes, arguments,
				    getauxval(AT_SECURE) ? nothing : environ);
	posix_spawn_file_actions_destroy(&files);
out_attributes:
	posix_spawnattr_destroy(&attributes);
	return error;
}

int mls_h5_spawn(const char *argument, int socket, int image, pid_t *pid, const char **what)
{
	int error, program = mls_h5_move_up(
			   mls_memory_file("mlsched-hdf5", MFD_EXEC, mls_h5_program,
					   (size_t)(mls_h5_program_end - mls_h5_program)));

	*what = "a file in memory";
	if (program < 0)
		return errno;
	*what = "executing a file in memory";
	error = execute(program, argument, socket, image, pid);
	close(program);
	return error;
}
