// SPDX-License-Identifier: GPL-2.0
/*
 * OpenMetrics over HTTP/1.1: GET /metrics, one answer a connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/openmetrics.h"
#include "src/cli/run_control_state.h"
#include "src/util/error.h"

#define LOCAL        "127.0.0.1"
#define LONGEST_HEAD 8192

/* The blank line behind the head; nothing that we answer has a body behind it. */
static size_t head_length(const char *data, size_t n)
{
	const char *end = memmem(data, n, "\r\n\r\n", 4);

	return end ? (size_t)(end - data) + 4 : 0;
}

static void send_answer(struct mls_client *client, const char *status, const char *type,
			const char *more, const char *body, size_t n, bool head_only)
{
	char *text = NULL;
	int length = asprintf(&text,
			      "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			      "Connection: close\r\n\r\n%.*s",
			      status, type, n, more, head_only ? 0 : (int)n, body);

	if (length >= 0)
		mls_server_answer(client, text, (size_t)length, true);
	else
		mls_server_answer(client, "", 0, true);
	free(text);
}

static void refuse(struct mls_client *client, const char *status, const char *more)
{
	char body[128];

	snprintf(body, sizeof(body), "%s\n", status);
	send_answer(client, status, "text/plain; charset=utf-8", more, body, strlen(body), false);
}

static void send_metrics(struct run_control *c, struct mls_client *client, bool head_only)
{
	struct snapshot *s = malloc(sizeof(*s));
	char *text = NULL;
	long n = -ENOMEM;

	if (s) {
		run_control_snapshot(c, true, s);
		n = openmetrics_text(s, &text);
	}
	if (n < 0)
		refuse(client, "500 Internal Server Error", "");
	else
		send_answer(client, "200 OK", OPENMETRICS_TYPE, "", text, (size_t)n, head_only);
	if (n >= 0)
		free(text);
	free(s);
}

static void on_request(void *context, struct mls_client *client, const char *head, size_t n)
{
	char method[16], target[256], version[16];

	(void)n;
	if (sscanf(head, "%15[A-Z] %255[^ \r\n] HTTP/%15[0-9.]\r\n", method, target, version) !=
		    3 ||
	    strncmp(version, "1.", 2) != 0) {
		refuse(client, "400 Bad Request", "");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		refuse(client, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
	else if (strcmp(target, "/metrics") != 0)
		refuse(client, "404 Not Found", "");
	else
		send_metrics(context, client, method[0] == 'H');
}

/* "[ADDRESS:]PORT", an IPv6 address in brackets, into @address and the port's value. */
static int parse_address(const char *text, char *address, size_t size, uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : text;
	char *end;
	unsigned long value = strtoul(digits, &end, 10);

	if (*digits < '0' || *digits > '9' || *end || value > 65535)
		return -EINVAL;
	*port = (uint16_t)value;
	if (!colon)
		snprintf(address, size, "%s", LOCAL);
	else if (text[0] == '[' && colon > text + 1 && colon[-1] == ']')
		snprintf(address, size, "%.*s", (int)(colon - text) - 2, text + 1);
	else
		snprintf(address, size, "%.*s", (int)(colon - text), text);
	return 0;
}

int run_metrics_open(struct run_control *c, struct mlsched_error *err)
{
	static const char too_long[] =
		"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n";
	const struct mls_server_options server = {
		.longest = LONGEST_HEAD,
		.length = head_length,
		.handle = on_request,
		.refuse = too_long,
		.context = c,
	};
	const char *where = c->options->control.metrics;
	char address[64];
	uint16_t port;
	int ret;

	ret = mls_server_open(&server, err, &c->metrics);
	if (!ret && strncmp(where, "unix:", 5) == 0)
		ret = mls_server_listen_unix(c->metrics, where + 5, 0666, err);
	else if (!ret && parse_address(where, address, sizeof(address), &port) != 0)
		ret = mls_error(err, -EINVAL,
				"expected unix:PATH, PORT or ADDRESS:PORT, got \"%s\"", where);
	else if (!ret)
		ret = mls_server_listen_tcp(c->metrics, address, port, err);
	return ret ? mls_error_prefix(err, ret, "--metrics") : 0;
}

void run_metrics_address(const struct run_control *c, char *text, size_t size)
{
	const char *where = c->options->control.metrics;
	char address[64];
	uint16_t port;

	if (strncmp(where, "unix:", 5) == 0 ||
	    parse_address(where, address, sizeof(address), &port) != 0)
		snprintf(text, size, "%s", where);
	else
		snprintf(text, size,
			 strchr(address, ':') ? "http://[%s]:%u/metrics" : "http://%s:%u/metrics",
			 address, mls_server_port(c->metrics));
}
