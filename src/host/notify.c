// SPDX-License-Identifier: GPL-2.0
/*
 * The few lines of sd_notify(3) that we need, instead of its library.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/host/notify.h"
#include "src/util/error.h"

/* Twice as often as the manager asks for, as it recommends. */
#define SIGNS_PER_PERIOD 2

/* How often it wants to hear from us: the variables may be another process's. */
static uint64_t period(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!microseconds || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(microseconds, NULL, 10) * 1000 / SIGNS_PER_PERIOD;
}

/* "/path", or "@name" for an abstract one; the length, 0 when it is neither or too long. */
static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
	size_t length = strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(address->sun_path))
		return 0;
	memcpy(address->sun_path, name, length);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
}

int mls_notify_open(struct mls_notify *n, struct mlsched_error *err)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t length;

	*n = (struct mls_notify){ .fd = -1 };
	if (!name)
		return 0;
	length = address_of(name, &address);
	if (length == 0)
		return mls_error(
			err, -EINVAL,
			"NOTIFY_SOCKET: expected a path or @name below %zu characters, got "
			"\"%.40s\"",
			sizeof(address.sun_path), name);
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0 || connect(n->fd, (const struct sockaddr *)&address, length) != 0) {
		int ret = mls_error(err, -errno, "NOTIFY_SOCKET %s: %s", name, strerror(errno));

		mls_notify_close(n);
		return ret;
	}
	n->every = period();
	return 0;
}

void mls_notify(const struct mls_notify *n, const char *format, ...)
{
	char text[512];
	va_list args;
	int length;

	if (n->fd < 0)
		return;
	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;
	(void)!send(n->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void mls_notify_alive(struct mls_notify *n, uint64_t now)
{
	if (n->every == 0 || now < n->next)
		return;
	n->next = now + n->every;
	mls_notify(n, "WATCHDOG=1");
}

void mls_notify_close(struct mls_notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	*n = (struct mls_notify){ .fd = -1 };
}
