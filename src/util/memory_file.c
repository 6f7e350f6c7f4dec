// SPDX-License-Identifier: GPL-2.0
/*
 * Sealed files in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/util/memory_file.h"

#define SEAL_TRIES 20

static int fill(int fd, const uint8_t *data, size_t size)
{
	int tries = 0;

	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	/* Busy: it has waited 150 ms for whoever holds a page of it, as what moves pages does. */
	while (fcntl(fd, F_ADD_SEALS, MLS_MEMORY_SEALS) != 0) {
		if (errno != EBUSY || ++tries == SEAL_TRIES)
			return -1;
	}
	return 0;
}

int mls_memory_file(const char *name, unsigned int flags, const uint8_t *data, size_t size)
{
	const unsigned int always = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, always | flags), error;

	if (fd < 0 && errno == EINVAL && flags)
		fd = memfd_create(name, always);
	if (fd < 0 || fill(fd, data, size) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}
