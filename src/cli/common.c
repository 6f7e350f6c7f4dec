// SPDX-License-Identifier: GPL-2.0
/*
 * What the subcommands share: common options, messages, JSON.
 */
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/formats/format.h"

enum { OPTION_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", OPTION_JSON, NULL, 0, "Print JSON: one document, or one a line for streams", -2 },
	{ "quiet", 'q', NULL, 0, "Print no notes and no progress", -2 },
	{ "verbose", 'v', NULL, 0, "Say more; twice: still more", -2 },
	{ 0 },
};

/* Whether JSON can hold it, which is UTF-8; a file's name may be any bytes. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string != NULL;
}

/* Paths stand in the documents: without this, one that is not UTF-8 would leave them empty. */
static void check_utf8(struct argp_state *state)
{
	for (int i = 1; i < state->argc; i++) {
		if (!is_utf8(state->argv[i]))
			argp_error(state, "--json: an argument is not UTF-8, which JSON has to be");
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cli_common *common = state->input;

	(void)arg;
	switch (key) {
	case OPTION_JSON:
		common->json = true;
		return 0;
	case 'q':
		common->verbosity = -1;
		return 0;
	case 'v':
		common->verbosity++;
		return 0;
	case ARGP_KEY_END:
		if (common->json)
			check_utf8(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_common_argp = { .options = options, .parser = parse };

int cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	argp_err_exit_status = CLI_USAGE;
	return argp_parse(argp, argc, argv, 0, NULL, input);
}

const char *cli_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

double cli_real(struct argp_state *state, const char *option, const char *text, double low,
		double high)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= low && value <= high))
		argp_error(state, "--%s: expected a number from %g to %g, got \"%s\"", option, low,
			   high, text);
	return value;
}

/* A message may quote bytes of a file, which are anybody's, or end in the middle of a character. */
static void clean_lines(char *text)
{
	char *end;

	for (char *line = text; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		mls_clean_text(line);
		if (end)
			*end++ = '\n';
	}
}

int cli_fail(const struct cli_common *common, const char *format, ...)
{
	char message[2 * MLSCHED_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	clean_lines(message);
	if (common->json)
		cli_json(json_pack("{s:s}", "error", message));
	else
		fprintf(stderr, "%s: %s\n", common->command, message);
	return CLI_FAILURE;
}

/* 0 or -errno: a file that is there, or the directory that it is to be in. */
static int can_write(const char *path, const struct stat *file)
{
	char *copy;
	int ret;

	if (file && S_ISDIR(file->st_mode))
		return -EISDIR;
	if (file)
		return access(path, W_OK) == 0 ? 0 : -errno;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	ret = access(dirname(copy), W_OK | X_OK) == 0 ? 0 : -errno;
	free(copy);
	return ret;
}

int cli_may_write(const struct cli_common *common, const char *option, const char *path,
		  const char *const *inputs, uint32_t n)
{
	struct stat file, input;
	bool exists;
	int ret;

	if (!path || strcmp(path, "-") == 0)
		return CLI_OK;
	exists = stat(path, &file) == 0;
	for (uint32_t i = 0; i < n && exists; i++) {
		if (inputs[i] && stat(inputs[i], &input) == 0 && S_ISREG(input.st_mode) &&
		    input.st_dev == file.st_dev && input.st_ino == file.st_ino)
			return cli_fail(common,
					"%s: expected another file than one that is read, found %s",
					option, path);
	}
	ret = can_write(path, exists ? &file : NULL);
	return ret ? cli_fail(common, "%s: %s", path, strerror(-ret)) : CLI_OK;
}

void cli_note(const struct cli_common *common, const char *format, ...)
{
	char *message;
	va_list args;
	int length;

	if (common->verbosity < 0)
		return;
	va_start(args, format);
	length = vasprintf(&message, format, args);
	va_end(args);
	if (length < 0)
		return;
	clean_lines(message);
	fprintf(stderr, "%s\n", message);
	free(message);
}

json_t *cli_text_json(const char *text)
{
	char *clean = strdup(text);
	json_t *string;

	if (clean)
		mls_clean_text(clean);
	string = clean ? json_string(clean) : NULL;
	free(clean);
	return string;
}

static void print_json(json_t *document, size_t flags)
{
	json_dumpf(document, stdout, flags | JSON_REAL_PRECISION(9) | JSON_ENSURE_ASCII);
	putchar('\n');
	fflush(stdout);
	json_decref(document);
}

void cli_json(json_t *document)
{
	print_json(document, JSON_COMPACT);
}

void cli_json_pretty(json_t *document)
{
	print_json(document, JSON_INDENT(2));
}
