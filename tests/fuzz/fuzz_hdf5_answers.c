// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds the reader and the writer of Keras files with anything that the process in which
 * libhdf5 runs might answer, were it taken over by a file.  The first byte is 'r' (a
 * file is read) or 'w' (one is made); the rest is one answer after the other:
 *
 *	0x80 to 0xff  a frame as it is (24 bytes) and its payload
 *	0 to 0x7f     an answer to what was asked; this byte mod 6 says which code, then come
 *	              three values (8 bits), the length of the payload (16 bits, little-endian;
 *	              0xffff: what the values say of a tensor) and the payload
 *
 * Behind the last one the process has ended.  Nothing is started: what leads to the
 * process is replaced (FUZZ_LINK_hdf5_answers in tests/fuzz.mk).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "src/formats/hdf5.h"
#include "src/formats/hdf5_protocol.h"
#include "src/formats/keras.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the process that is none. */
#define PID 0x3fffffff

/* Bytes that are sent to the other end of one answer at a time. */
static struct {
	const uint8_t *input;
	size_t n_input;
	uint8_t answer[sizeof(struct mls_h5_frame) + 65536];
	size_t n_answer;
	size_t taken;
	bool ended; /* it is a child that has ended */
} other;

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const *argv, char *const *env);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_kill(pid_t pid, int signal);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __real_kill(pid_t pid, int signal);

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const *argv, char *const *env)
{
	(void)path;
	(void)files;
	(void)attributes;
	(void)argv;
	(void)env;
	*pid = PID;
	other.ended = false;
	return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	(void)timeout;
	must(n == 1);
	fds->revents = fds->events;
	return 1;
}

int __wrap_kill(pid_t pid, int signal)
{
	if (pid != PID)
		return __real_kill(pid, signal);
	must(!other.ended);
	return 0;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	if (id != PID)
		return __real_waitid(type, id, info, options);
	must(!other.ended);
	other.ended = !(options & WNOWAIT);
	info->si_pid = PID;
	info->si_code = CLD_EXITED;
	info->si_status = 1;
	return 0;
}

static uint8_t next_byte(void)
{
	if (!other.n_input)
		return 0;
	other.n_input--;
	return *other.input++;
}

static size_t next_bytes(void *to, size_t n)
{
	if (n > other.n_input)
		n = other.n_input;
	memcpy(to, other.input, n);
	other.input += n;
	other.n_input -= n;
	return n;
}

static void next_answer(uint32_t what)
{
	static const int codes[] = { MLS_H5_CODES };
	struct mls_h5_frame frame = { .what = what };
	uint8_t kind;
	size_t payload;

	other.n_answer = other.taken = 0;
	if (!other.n_input)
		return;
	kind = next_byte();
	if (kind & 0x80) {
		/* A frame that is cut is never whole. */
		if (next_bytes(&frame, sizeof(frame)) < sizeof(frame))
			return;
		payload = frame.size;
	} else {
		frame.code = codes[kind % 6];
		for (int i = 0; i < 3; i++)
			frame.values[i] = next_byte();
		payload = next_byte();
		payload |= (size_t)next_byte() << 8;
		if (payload == 0xffff)
			payload = (size_t)frame.values[1] * frame.values[2] * sizeof(float);
		frame.size = (uint32_t)payload;
	}
	memcpy(other.answer, &frame, sizeof(frame));
	if (payload > sizeof(other.answer) - sizeof(frame))
		payload = sizeof(other.answer) - sizeof(frame);
	other.n_answer = sizeof(frame) + next_bytes(other.answer + sizeof(frame), payload);
	/* Numbers that are not there are zeros; a frame as it is may promise what never comes. */
	if (!(kind & 0x80)) {
		size_t all = sizeof(frame) + payload;

		memset(other.answer + other.n_answer, 0, all - other.n_answer);
		other.n_answer = all;
	}
}

/* A question comes in two pieces, of which the first says what it is. */
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	static size_t left;
	struct mls_h5_frame question;

	(void)fd;
	(void)flags;
	if (!left) {
		must(size == sizeof(question));
		memcpy(&question, bytes, sizeof(question));
		must(question.size <= MLS_H5_MAX_QUESTION);
		left = question.size;
		next_answer(question.what);
	} else {
		must(size <= left);
		left -= size;
	}
	return (ssize_t)size;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
	size_t n = other.n_answer - other.taken;

	(void)fd;
	(void)flags;
	n = n < size ? n : size;
	memcpy(bytes, other.answer + other.taken, n);
	other.taken += n;
	return (ssize_t)n;
}

static void read_model(void)
{
	static const uint8_t signature[] = "\x89HDF\r\n\x1a\n and no more";
	const struct mls_blob blob = { "fuzz", signature, sizeof(signature) };
	struct mlsched_error err = { 0 };
	struct mlsched_model *model = NULL;
	int ret = mls_keras_read(&blob, &err, &model);

	check_outcome(ret, model, &err);
}

/* As src/formats/keras_write.c does it, one of each kind. */
static int make_file(struct mls_h5 *h5, struct mls_blob *content)
{
	static const float numbers[] = { 1, 2, 3, 4, 5, 6 };
	static const char *const names[] = { "kernel:0", "bias:0" };
	const struct mls_h5_names texts = { .n = 2, .names = (const char **)(uintptr_t)names };
	int ret = mls_h5_put_group(h5, "dense");

	if (!ret)
		ret = mls_h5_put_texts(h5, "dense", "weight_names", &texts);
	if (!ret)
		ret = mls_h5_put_text(h5, "", "backend", "tensorflow");
	if (!ret)
		ret = mls_h5_put_tensor(h5, "dense/kernel:0", 3, 2, numbers);
	if (!ret)
		ret = mls_h5_put_link(h5, "other", "dense");
	return ret ? ret : mls_h5_content(h5, content);
}

static void write_file(void)
{
	const struct mls_blob blob = { .path = "fuzz" };
	struct mls_arena arena = MLS_ARENA_INIT((size_t)64 << 20);
	struct mls_blob content = { .path = "fuzz" };
	struct mlsched_error err = { 0 };
	struct mls_h5 *h5 = NULL;
	int ret;

	arena.format = "HDF5";
	ret = mls_h5_make(&blob, &arena, &err, &h5);
	if (!ret)
		ret = make_file(h5, &content);
	if (ret)
		check_message(ret, &err);
	else
		must(mls_h5_detect(content.data, content.size));
	mls_h5_close(h5);
	mls_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	other.input = data + 1;
	other.n_input = size - 1;
	other.ended = true;
	if (data[0] == 'r')
		read_model();
	else if (data[0] == 'w')
		write_file();
	must(other.ended);
	return 0;
}
