// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the sockets of a running scheduler (tests/fake/scx_without_kernel.h).
 * The first byte says to which and what comes along, the second how many bytes are sent
 * at once (0: all), the rest is sent:
 *
 *	c  the control socket
 *	s  the control socket, with a sealed file in memory
 *	u  the same, with one that can still be changed
 *	t  the same, with two descriptors
 *	h  the metrics, over HTTP
 *
 * Each request has one answer, in order, a JSON object in one line with "ok" and, where
 * that is false, a message; HTTP is answered once, with as many bytes as are announced.
 * Reading a model is left out, which has targets of its own: that at a path with "no"
 * in it cannot be read, others are a network that always refuses.  Time is
 * the target's: whoever waits for a moment has it at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#include "src/cli/run_control_state.h"
#include "src/nn/qnet.h"
#include "tests/fake/scx_without_kernel.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Turns of the loop after all was sent: a swap may go on for longer than anybody looks. */
#define TURNS 64

/* By which the clock goes on at most when somebody waits, ns: for so long the scheduler then decides. */
#define LONGEST_STEP 20000000ull

#define LONGEST_ANSWERS (8u << 20)

/* ---- what is replaced (FUZZ_LINK_control in tests/fuzz.mk) ------------------------------ */

/* 0: no input is being tried, and the clock is the fuzzer's. */
static uint64_t now_ns;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *spec,
			   struct itimerspec *old);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *spec,
			   struct itimerspec *old);
int __wrap_mls_prepare_start(const struct mls_prepare_options *options, struct mlsched_error *err,
			     struct mls_prepare **prepare);
int __wrap_mls_prepare_fd(const struct mls_prepare *prepare);
int __wrap_mls_prepare_end(struct mls_prepare *prepare, struct mls_prepared *prepared,
			   struct mlsched_error *err);
void __wrap_mls_prepare_cancel(struct mls_prepare *prepare);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	if (clock != CLOCK_MONOTONIC || !now_ns)
		return __real_clock_gettime(clock, time);
	*time = (struct timespec){ (time_t)(now_ns / 1000000000ull),
				   (long)(now_ns % 1000000000ull) };
	return 0;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old)
{
	const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };
	uint64_t wait =
		(uint64_t)spec->it_value.tv_sec * 1000000000ull + (uint64_t)spec->it_value.tv_nsec;

	now_ns += wait < LONGEST_STEP ? wait : LONGEST_STEP;
	return __real_timerfd_settime(fd, flags, &at_once, old);
}

struct mls_prepare {
	int fd;
	bool fails;
	const struct mls_topology *topology;
};

/* One unit, which says no. */
static const void *network(const struct mls_topology *topology)
{
	static float weights[MLS_SEED10_WIDTH] = { 0.25f, -0.5f, 0.125f }, bias = -1000;
	static void *slot;
	const struct mlsched_layer layer = { .n_in = MLS_SEED10_WIDTH,
					     .n_out = 1,
					     .activation = MLSCHED_SIGMOID,
					     .weights = weights,
					     .bias = &bias };
	const struct mlsched_model_desc desc = { .size = sizeof(desc),
						 .n_layers = 1,
						 .layers = &layer };
	struct mlsched_quantize_report report;
	struct mlsched_qmodel *fixed;
	struct mlsched_model *model;
	struct mlsched_error err;

	if (slot)
		return slot;
	must(mlsched_model_create(&desc, &err, &model) == 0);
	must(mls_shadow_quantize(model, topology, &report, &err, &fixed) == 0);
	slot = calloc(1, mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	must(slot);
	must(mls_qnet_pack(mls_qmodel_net(fixed), MLS_SCX_SLOT_WIDTH, false, slot, &err) == 0);
	mlsched_qmodel_free(fixed);
	mlsched_model_free(model);
	return slot;
}

int __wrap_mls_prepare_start(const struct mls_prepare_options *options, struct mlsched_error *err,
			     struct mls_prepare **prepare)
{
	(void)err;
	must(options->path[0] == '/' && strlen(options->path) < MLS_SWAP_PATH);
	/* Whatever came along was found good. */
	must(options->sent < 0 || fcntl(options->sent, F_GET_SEALS) >= 0);
	if (options->sent >= 0)
		close(options->sent);
	*prepare = malloc(sizeof(**prepare));
	must(*prepare);
	**prepare = (struct mls_prepare){ eventfd(1, EFD_CLOEXEC),
					  strstr(options->path, "no") != NULL, options->topology };
	must((*prepare)->fd >= 0);
	return 0;
}

int __wrap_mls_prepare_fd(const struct mls_prepare *prepare)
{
	return prepare->fd;
}

void __wrap_mls_prepare_cancel(struct mls_prepare *prepare)
{
	if (prepare)
		close(prepare->fd);
	free(prepare);
}

int __wrap_mls_prepare_end(struct mls_prepare *prepare, struct mls_prepared *prepared,
			   struct mlsched_error *err)
{
	const struct mls_topology *topology = prepare->topology;
	bool fails = prepare->fails;

	__wrap_mls_prepare_cancel(prepare);
	if (fails) {
		*err = (struct mlsched_error){ -ENOENT, "Model not found at path" };
		return err->code;
	}
	*prepared = (struct mls_prepared){ .checksum = 1, .source = 2 };
	prepared->slot = malloc(mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	must(prepared->slot);
	memcpy(prepared->slot, network(topology), mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	return 0;
}

/* ---- the client ------------------------------------------------------------------------- */

struct talk {
	struct run_control *control;
	int fd;
	char *answers;
	size_t n;
};

static void turn(struct talk *talk)
{
	ssize_t n = 1;

	run_control_handle(talk->control);
	while (n > 0) {
		n = recv(talk->fd, talk->answers + talk->n, LONGEST_ANSWERS - talk->n,
			 MSG_DONTWAIT);
		if (n > 0)
			talk->n += (size_t)n;
		must(talk->n < LONGEST_ANSWERS);
	}
}

/* Return: as of sendmsg(), of which the first has the descriptors. */
static ssize_t send_with(int fd, const void *data, size_t size, const int *descriptors, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec bytes = { (void *)(uintptr_t)data, size };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (n) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors, n * sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_all(struct talk *talk, const uint8_t *data, size_t size, size_t at_once,
		     const int *descriptors, size_t n_descriptors)
{
	int waits = 0;

	while (size) {
		size_t wanted = at_once && at_once < size ? at_once : size;
		ssize_t n = send_with(talk->fd, data, wanted, descriptors, n_descriptors);

		/* It was shown out, or its next request waits until a swap is over. */
		if (n < 0 && (errno != EAGAIN || ++waits > TURNS))
			break;
		if (n > 0) {
			n_descriptors = 0;
			data += n;
			size -= (size_t)n;
		}
		turn(talk);
	}
	shutdown(talk->fd, SHUT_WR);
}

/* ---- what must hold of the answers ---------------------------------------------------- */

static void check_answer(const char *line, size_t n)
{
	json_t *answer = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *ok, *why;

	must(json_is_object(answer));
	ok = json_object_get(answer, "ok");
	why = json_object_get(answer, "error");
	must(json_is_boolean(ok) && (json_is_true(ok) || json_is_string(why)));
	must(!why || json_string_length(why) > 0);
	json_decref(answer);
}

/* Requests in what was sent, up to one that is too long, which has the last answer. */
static size_t count_requests(const uint8_t *data, size_t size)
{
	size_t n = 0;

	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) + 1 : size;

		if (length > RUN_CONTROL_LONGEST)
			return n + 1;
		if (!end)
			break;
		n++;
		data += length;
		size -= length;
	}
	return n;
}

static void check_control(const struct talk *talk, const uint8_t *sent, size_t size)
{
	const char *at = talk->answers, *end = at + talk->n;
	size_t n = 0, wanted = count_requests(sent, size);

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		must(line_end);
		check_answer(at, (size_t)(line_end - at));
		at = line_end + 1;
		n++;
	}
	/* Fewer only behind a swap that goes on. */
	must(n == wanted || (n < wanted && mls_swap_phase(talk->control->swap) != MLS_SWAP_IDLE));
}

static void check_http(const struct talk *talk, const uint8_t *sent, size_t size)
{
	char *end = memmem(talk->answers, talk->n, "\r\n\r\n", 4);
	char *announced = strstr(talk->answers, "\r\nContent-Length: ");
	unsigned int status;
	size_t body;

	if (!talk->n) {
		must(!memmem(sent, size, "\r\n\r\n", 4) && size <= 8192);
		return;
	}
	must(sscanf(talk->answers, "HTTP/1.1 %3u ", &status) == 1 && end && announced);
	must(status == 200 || (status >= 400 && status <= 500));
	must(announced < end && strstr(talk->answers, "\r\nConnection: close\r\n") <= end);
	body = strtoul(announced + strlen("\r\nContent-Length: "), NULL, 10);
	must(talk->n - (size_t)(end + 4 - talk->answers) == body ||
	     (size >= 4 && memcmp(sent, "HEAD", 4) == 0 && talk->answers + talk->n == end + 4));
}

/* ---- the target ------------------------------------------------------------------------- */

/* What comes along; @descriptors: [2], to be closed. */
static size_t make_descriptors(char kind, int *descriptors)
{
	const char content = 'm';
	const size_t n = kind == 's' || kind == 'u' ? 1 : kind == 't' ? 2 : 0;

	for (size_t i = 0; i < n; i++) {
		descriptors[i] = memfd_create("model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		must(descriptors[i] >= 0 && write(descriptors[i], &content, 1) == 1);
		while (kind != 'u' && fcntl(descriptors[i], F_ADD_SEALS,
					    F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0)
			must(errno == EBUSY); /* the kernel moves its page */
	}
	return n;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static const char *directory(void)
{
	static char path[] = "/tmp/mlsched-fuzz-XXXXXX", *made;

	if (!made)
		made = mkdtemp(path);
	must(made);
	return made;
}

static void remove_directory(void)
{
	rmdir(directory());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mls_scx scx;
	static bool registered;
	char socket_path[64], metrics_path[80];
	struct run_options options = { .common = { .command = "fuzz", .verbosity = -1 },
				       .control = RUN_CONTROL_OPTIONS };
	struct run_view view = { .common = &options.common };
	struct talk talk = { 0 };
	struct mlsched_error err = { 0 };
	int descriptors[2];
	size_t n_descriptors;

	if (size < 2 || !memchr("csuth", data[0], 5))
		return 0;
	if (!registered)
		registered = atexit(remove_directory) == 0;
	snprintf(socket_path, sizeof(socket_path), "%s/c", directory());
	snprintf(metrics_path, sizeof(metrics_path), "unix:%s/m", directory());
	options.control.socket = socket_path;
	options.control.metrics = metrics_path;
	now_ns = 1000000000;
	fake_scx_init(&scx);
	must(run_control_open(&options, &view, &err, &talk.control) == 0);
	must(run_control_start(talk.control, &scx, NULL, now_ns, &err) == 0);
	talk.fd = connect_to(data[0] == 'h' ? metrics_path + strlen("unix:") : socket_path);
	talk.answers = malloc(LONGEST_ANSWERS);
	must(talk.answers);
	n_descriptors = make_descriptors((char)data[0], descriptors);
	send_all(&talk, data + 2, size - 2, data[1], descriptors, n_descriptors);
	for (int i = 0; i < TURNS; i++)
		turn(&talk);
	talk.answers[talk.n] = '\0';
	if (data[0] == 'h')
		check_http(&talk, data + 2, size - 2);
	else
		check_control(&talk, data + 2, size - 2);
	for (size_t i = 0; i < n_descriptors; i++)
		close(descriptors[i]);
	close(talk.fd);
	run_control_close(talk.control);
	fake_scx_clear(&scx);
	free(talk.answers);
	now_ns = 0;
	return 0;
}
