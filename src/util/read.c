// SPDX-License-Identifier: GPL-2.0
/* Reading as much of a file as was asked for; see read.h. */
#include <errno.h>
#include <unistd.h>

#include "src/util/read.h"

ssize_t mls_read_at(int fd, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
