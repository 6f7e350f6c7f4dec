// SPDX-License-Identifier: GPL-2.0
/*
 * CSV in and out.  One field at a time: neither the length of the file nor
 * that of a row matters.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "src/data/csv.h"
#include "src/util/error.h"

/* What stands behind a field. */
enum field_end { END_COMMA, END_LINE, END_FILE };

struct reader {
	FILE *stream;
	const char *name;
	struct mlsched_error *err;
	uint64_t line; /* where the field begins, from 1 */
	uint64_t next_line;
	uint32_t field; /* from 1 */
	char text[MLS_CSV_MAX_FIELD];
	size_t length;
};

/* Where a column goes. */
enum { TO_NOTHING = -1, TO_LABEL = -2 };

struct plan {
	uint32_t n_columns;
	int32_t *target; /* [n_columns]: index of the input, or one of the above */
	const struct mlsched_schema *schema;
	const char *label;
};

static int complain(const struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int complain(const struct reader *r, const char *format, ...)
{
	char message[MLSCHED_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return mls_error(r->err, -EINVAL, "%s:%llu:%u: %s", r->name, (unsigned long long)r->line,
			 r->field, message);
}

static int put(struct reader *r, int c)
{
	if (r->length + 1 >= sizeof(r->text))
		return complain(r, "a field of more than %zu bytes", sizeof(r->text) - 1);
	if (c == '\0')
		return complain(r, "a zero byte: this is not a CSV file");
	if (c == '\n')
		r->next_line++;
	r->text[r->length++] = (char)c;
	return 0;
}

/* The next byte, or EOF: that is the end, or an error of the stream. */
static int next_byte(struct reader *r)
{
	int c = getc_unlocked(r->stream);

	/* What a signal interrupted has read nothing. */
	while (c == EOF && ferror_unlocked(r->stream) && errno == EINTR) {
		clearerr_unlocked(r->stream);
		c = getc_unlocked(r->stream);
	}
	return c;
}

static int broken(const struct reader *r)
{
	return mls_error(r->err, -errno, "%s: %s", r->name, strerror(errno));
}

/* The rest of a quoted field; a doubled quote stands for one.  @next: what follows, or EOF. */
static int read_quoted(struct reader *r, int *next)
{
	for (;;) {
		int c = next_byte(r), ret;

		if (c == EOF && ferror_unlocked(r->stream))
			return broken(r);
		if (c == EOF)
			return complain(r, "a quoted field that does not end");
		if (c == '"') {
			c = next_byte(r);
			if (c != '"') {
				*next = c;
				return 0;
			}
		}
		ret = put(r, c);
		if (ret)
			return ret;
	}
}

/* One field into r->text, and what stood behind it. */
static int read_field(struct reader *r, enum field_end *end)
{
	int c = next_byte(r), ret;
	bool quoted = c == '"';

	r->line = r->next_line;
	r->length = 0;
	if (quoted) {
		ret = read_quoted(r, &c);
		if (ret)
			return ret;
	}
	while (c != ',' && c != '\n' && c != EOF) {
		if (c == '\r') {
			c = next_byte(r);
			if (c == '\n' || c == EOF)
				break;
			return complain(r, "a carriage return within a row");
		}
		if (quoted && c != '\0')
			return complain(r, "expected a comma after the closing quote, got \"%c\"",
					c);
		ret = put(r, c);
		if (ret)
			return ret;
		c = next_byte(r);
	}
	r->text[r->length] = '\0';
	if (c == EOF && ferror_unlocked(r->stream))
		return broken(r);
	if (c == '\n')
		r->next_line++;
	*end = c == ',' ? END_COMMA : c == '\n' ? END_LINE : END_FILE;
	return 0;
}

static char *trimmed(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		text[--n] = '\0';
	return text;
}

/* ---- the header -------------------------------------------------------------- */

static int32_t target_of(const struct plan *plan, const char *column)
{
	if (strcmp(column, plan->label) == 0)
		return TO_LABEL;
	for (uint32_t i = 0; i < plan->schema->n_features; i++) {
		if (strcmp(column, plan->schema->features[i].name) == 0)
			return (int32_t)i;
	}
	return TO_NOTHING;
}

static int add_column(struct reader *r, struct plan *plan, struct mls_csv_report *report)
{
	const char *column = trimmed(r->text);
	int32_t target = target_of(plan, column);
	int32_t *grown;
	size_t used = strlen(report->ignored);

	if (plan->n_columns >= MLS_CSV_MAX_COLUMNS)
		return complain(r, "more than %d columns", MLS_CSV_MAX_COLUMNS);
	for (uint32_t i = 0; target != TO_NOTHING && i < plan->n_columns; i++) {
		if (plan->target[i] == target)
			return complain(r, "column \"%s\" is there twice", column);
	}
	grown = realloc(plan->target, (plan->n_columns + 1) * sizeof(*grown));
	if (!grown)
		return mls_error(r->err, -ENOMEM, "%s: no memory", r->name);
	plan->target = grown;
	plan->target[plan->n_columns++] = target;
	if (target == TO_NOTHING) {
		report->n_ignored++;
		snprintf(report->ignored + used, sizeof(report->ignored) - used, "%s%s",
			 used ? ", " : "", column);
	}
	return 0;
}

static bool has_target(const struct plan *plan, int32_t target)
{
	for (uint32_t i = 0; i < plan->n_columns; i++) {
		if (plan->target[i] == target)
			return true;
	}
	return false;
}

static int check_columns(const struct reader *r, const struct plan *plan,
			 struct mls_csv_report *report)
{
	const struct mlsched_schema *schema = plan->schema;

	for (uint32_t i = 0; i < schema->n_features; i++) {
		const struct mlsched_feature *feature = &schema->features[i];

		if (has_target(plan, (int32_t)i))
			continue;
		if (feature->min != 0 || feature->max != 0)
			return mls_error(r->err, -EINVAL,
					 "%s:1: no column \"%s\", which schema %s needs", r->name,
					 feature->name, schema->name);
		report->n_zero++;
	}
	if (!has_target(plan, TO_LABEL))
		return mls_error(r->err, -EINVAL, "%s:1: no column \"%s\" for the label", r->name,
				 plan->label);
	return 0;
}

/* The mark that some spreadsheets put in front of UTF-8. */
static int skip_byte_order_mark(struct reader *r)
{
	int c = next_byte(r);

	if (c != 0xef) {
		if (c != EOF)
			ungetc(c, r->stream);
		return 0;
	}
	if ((c = next_byte(r)) != 0xbb || (c = next_byte(r)) != 0xbf)
		return c == EOF && ferror_unlocked(r->stream) ?
			       broken(r) :
			       mls_error(r->err, -EINVAL, "%s:1: not a CSV file in ASCII or UTF-8",
					 r->name);
	return 0;
}

/* Of a header with one column: there are always two or more. */
static int check_separator(const struct reader *r)
{
	char found = r->text[strcspn(r->text, ";\t")];

	if (!found)
		return 0;
	return mls_error(r->err, -EINVAL, "%s:1: expected columns separated by commas, found %s",
			 r->name, found == ';' ? "semicolons" : "tabs");
}

static int read_header(struct reader *r, struct plan *plan, struct mls_csv_report *report)
{
	enum field_end end = END_COMMA;
	int ret = skip_byte_order_mark(r);

	if (ret)
		return ret;
	while (end == END_COMMA) {
		r->field++;
		ret = read_field(r, &end);
		if (!ret && end == END_FILE && r->field == 1 && r->length == 0)
			ret = mls_error(r->err, -EINVAL,
					"%s: empty: expected a header with the columns' names",
					r->name);
		if (!ret && end != END_COMMA && r->field == 1)
			ret = check_separator(r);
		if (!ret)
			ret = add_column(r, plan, report);
		if (ret)
			return ret;
	}
	report->n_columns = plan->n_columns;
	return check_columns(r, plan, report);
}

/* ---- rows ---------------------------------------------------------------------- */

static int parse_number(const struct reader *r, const char *column, char *text, float *number)
{
	char *end;

	/* strtof() also knows "nan", "infinity" and hexadecimal: none is a measurement. */
	if (text[strspn(text, "+-.0123456789eE")] == '\0') {
		*number = strtof(text, &end);
		if (end != text && *end == '\0' && isfinite(*number))
			return 0;
	}
	return complain(r, "column \"%s\": expected a finite number, got \"%.60s\"", column, text);
}

static int take_field(struct reader *r, const struct plan *plan, float *inputs, float *label)
{
	int32_t target = plan->target[r->field - 1];
	char *text = trimmed(r->text);
	int ret;

	if (target >= 0)
		return parse_number(r, plan->schema->features[target].name, text, &inputs[target]);
	if (target == TO_NOTHING)
		return 0;
	ret = parse_number(r, plan->label, text, label);
	if (ret)
		return ret;
	if (*label != 0 && *label != 1)
		return complain(r, "column \"%s\": expected 0 or 1, got \"%.60s\"", plan->label,
				text);
	*label = *label == 1; /* it may be -0 */
	return 0;
}

static int read_row(struct reader *r, const struct plan *plan, float *inputs, float *label,
		    enum field_end *end)
{
	uint64_t line = r->next_line;
	int ret;

	r->field = 0;
	do {
		r->field++;
		ret = read_field(r, end);
		if (ret)
			return ret;
		/* An empty line, or nothing behind the last one. */
		if (r->field == 1 && r->length == 0 && *end != END_COMMA && plan->n_columns > 1)
			return 0;
		if (r->field > plan->n_columns)
			return complain(r, "expected %u fields as in the header, got more",
					plan->n_columns);
		ret = take_field(r, plan, inputs, label);
		if (ret)
			return ret;
	} while (*end == END_COMMA);
	if (r->field < plan->n_columns) {
		r->line = line;
		return complain(r, "expected %u fields as in the header, got %u", plan->n_columns,
				r->field);
	}
	return 1;
}

static int read_rows(struct reader *r, const struct plan *plan, struct mls_dataset *data)
{
	float inputs[MLSCHED_MAX_WIDTH] = { 0 }, label = 0;
	enum field_end end = END_LINE;

	while (end != END_FILE) {
		int ret = read_row(r, plan, inputs, &label, &end);

		if (ret == 1)
			ret = mls_dataset_append(data, inputs, label, r->err);
		if (ret)
			return ret;
	}
	if (data->n_rows == 0)
		return mls_error(r->err, -EINVAL, "%s: no rows behind the header", r->name);
	return 0;
}

int mls_csv_read(FILE *stream, const char *name, const struct mlsched_schema *schema,
		 const char *label, struct mls_dataset *data, struct mls_csv_report *report,
		 struct mlsched_error *err)
{
	struct mls_csv_report unused;
	struct plan plan = { .schema = schema, .label = label };
	struct reader *r;
	int ret;

	if (schema->n_features > MLSCHED_MAX_WIDTH)
		return mls_error(err, -EINVAL, "schema %s: more than %d features", schema->name,
				 MLSCHED_MAX_WIDTH);
	r = calloc(1, sizeof(*r));
	if (!r)
		return mls_error(err, -ENOMEM, "%s: no memory", name);
	r->stream = stream;
	r->name = name;
	r->err = err;
	r->next_line = 1;
	report = report ? report : &unused;
	*report = (struct mls_csv_report){ 0 };
	data->schema = schema;
	data->n_inputs = schema->n_features;
	ret = read_header(r, &plan, report);
	if (!ret)
		ret = read_rows(r, &plan, data);
	if (ret)
		mls_dataset_clear(data);
	free(plan.target);
	free(r);
	return ret;
}

int mls_csv_write(FILE *stream, const char *name, const struct mls_dataset *data, const char *label,
		  struct mlsched_error *err)
{
	for (uint32_t i = 0; i < data->n_inputs; i++)
		fprintf(stream, "%s,", data->schema->features[i].name);
	fprintf(stream, "%s\n", label);
	for (uint32_t r = 0; r < data->n_rows; r++) {
		const float *row = data->inputs + (size_t)r * data->n_inputs;

		/* Nine digits: every float comes back as it was. */
		for (uint32_t i = 0; i < data->n_inputs; i++)
			fprintf(stream, "%.9g,", (double)row[i]);
		fprintf(stream, "%d\n", data->labels[r] > 0.5f);
	}
	if (fflush(stream) != 0 || ferror(stream))
		return mls_error(err, -EIO, "%s: cannot write: %s", name,
				 strerror(errno ? errno : EIO));
	return 0;
}
