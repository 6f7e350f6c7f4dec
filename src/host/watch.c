// SPDX-License-Identifier: GPL-2.0
/*
 * inotify on the directory around a path.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "src/host/watch.h"
#include "src/util/error.h"

/* What comes into the directory, and that it is moved itself; its removal is told anyway. */
#define WATCHED (IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_ONLYDIR)

struct mls_watch {
	int fd;
	char name[NAME_MAX + 1];
};

int mls_watch_open(const char *path, struct mlsched_error *err, struct mls_watch **watch)
{
	struct mls_watch *w = calloc(1, sizeof(*w));
	char *for_dir = strdup(path), *for_base = strdup(path);
	int ret = 0;

	if (!w || !for_dir || !for_base) {
		ret = mls_error(err, -ENOMEM, "no memory to watch %s", path);
		goto out;
	}
	strncpy(w->name, basename(for_base), sizeof(w->name) - 1);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0) {
		ret = mls_error(err, -errno, "inotify: %s", strerror(errno));
		goto out;
	}
	if (inotify_add_watch(w->fd, dirname(for_dir), WATCHED) < 0) {
		ret = mls_error(err, -errno, "cannot watch %s: %s", for_dir, strerror(errno));
		close(w->fd);
	}
out:
	free(for_dir);
	free(for_base);
	if (ret)
		free(w);
	else
		*watch = w;
	return ret;
}

int mls_watch_fd(const struct mls_watch *w)
{
	return w->fd;
}

/* Events follow each other in the buffer, each with its name's length. */
static int read_events(const struct mls_watch *w, const char *buffer, size_t n)
{
	int found = 0;

	for (size_t at = 0; at + sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		/* Removed; or moved: at the path stands another one, if any. */
		if (event->mask & (IN_IGNORED | IN_MOVE_SELF))
			return -ESTALE;
		/* Some were lost: it may have been among them. */
		if (event->mask & IN_Q_OVERFLOW ||
		    (event->len && strcmp(event->name, w->name) == 0))
			found = 1;
		at += sizeof(*event) + event->len;
	}
	return found;
}

int mls_watch_poll(struct mls_watch *w)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	int found = 0;
	ssize_t n;

	while ((n = read(w->fd, buffer, sizeof(buffer))) > 0) {
		int ret = read_events(w, buffer, (size_t)n);

		if (ret < 0)
			return ret;
		found |= ret;
	}
	return found;
}

void mls_watch_close(struct mls_watch *w)
{
	if (!w)
		return;
	close(w->fd);
	free(w);
}
