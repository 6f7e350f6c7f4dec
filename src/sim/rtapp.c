// SPDX-License-Identifier: GPL-2.0
/* From rt-app's JSON to programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "src/sim/rtapp.h"
#include "src/sim/rtapp_text.h"
#include "src/util/array.h"
#include "src/util/error.h"
#include "src/util/json_file.h"
#include "src/util/json_text.h"

#define MOST_NAMES     256
#define MOST_INSTANCES 100000

/* A resource of the file: those of different kinds have names of their own. */
struct name {
	char kind; /* of the list below */
	uint16_t owner; /* the task whose instances have one each, and one; 0: it is everybody's */
	uint32_t object;
	uint32_t users; /* of a barrier */
	char name[64];
};

enum kind { MUTEX = 'm', CONDITION = 'c', SEMAPHORE = 's', BARRIER = 'b', TIMER = 't' };

struct loading {
	struct sim_workload *w;
	const char *path;
	struct mlsched_error *err;
	const char *task; /* that is being read */
	uint32_t instances; /* of it */
	uint32_t first_code; /* of it */
	struct name names[MOST_NAMES];
	uint32_t n_names;
};

/* sched_prio_to_weight of kernel/sched/core.c in sched_ext's measure: 100 is nice 0. */
static const uint32_t weight_of_nice[40] = { 8668, 7007, 5516, 4519, 3544, 2847, 2271, 1827,
					     1460, 1164, 932,  744,  598,  479,  381,  305,
					     244,  194,  155,  125,  100,  80,   64,   51,
					     41,   33,   27,   21,   17,   13,   11,   8,
					     7,    5,    4,    4,    3,    2,    2,    1 };

static int bad(const struct loading *l, const char *where, const char *what)
{
	return mls_error(l->err, -EINVAL, "%s: task %s%s%s: %s", l->path, l->task,
			 where ? ", " : "", where ? where : "", what);
}

/* @found: what stands in the place of @expected; NULL: nothing */
static int bad_value(const struct loading *l, const char *where, const char *expected,
		     const json_t *found)
{
	char text[MLS_JSON_TEXT], what[64 + 2 * MLS_JSON_TEXT];

	snprintf(what, sizeof(what), "expected %s, found %s", expected, mls_json_text(found, text));
	return bad(l, where, what);
}

static struct sim_instruction *add(struct loading *l, struct sim_instruction i)
{
	if (l->w->n_code == SIM_MAX_CODE)
		return NULL;
	l->w->code[l->w->n_code] = i;
	return &l->w->code[l->w->n_code++];
}

static int too_much(const struct loading *l)
{
	return mls_error(l->err, -E2BIG, "%s: task %s: more than %d events, %d tasks or %d names",
			 l->path, l->task, SIM_MAX_CODE, SIM_MAX_PROGRAMS, MOST_NAMES);
}

/* The object of that name; @own: one for each instance of this task. */
static struct name *find(struct loading *l, enum kind kind, const char *name, bool own)
{
	uint16_t owner = own ? (uint16_t)(l->w->n_starts + 1) : 0;
	/* What the code of a task without instances names must be there, too. */
	uint32_t n = own && l->instances ? l->instances : 1;
	struct name *found;

	for (uint32_t i = 0; i < l->n_names; i++) {
		found = &l->names[i];
		if (found->kind == (char)kind && found->owner == owner &&
		    strcmp(found->name, name) == 0)
			return found;
	}
	if (l->n_names == MOST_NAMES || l->w->n_objects + n > UINT16_MAX)
		return NULL;
	found = &l->names[l->n_names++];
	*found = (struct name){ .kind = (char)kind, .owner = owner, .object = l->w->n_objects };
	snprintf(found->name, sizeof(found->name), "%s", name);
	l->w->n_objects += n;
	return found;
}

static int use(struct loading *l, enum sim_op op, enum kind kind, const char *name)
{
	struct name *object = find(l, kind, name, false);

	if (!object ||
	    !add(l, (struct sim_instruction){ .op = (uint8_t)op, .to = (uint16_t)object->object }))
		return too_much(l);
	return 0;
}

/* ---- events ----------------------------------------------------------------------------- */

/* us from 0 to a day. */
static int duration(const struct loading *l, const char *event, const json_t *value, uint64_t *ns)
{
	json_int_t us = json_integer_value(value);

	if (!json_is_integer(value) || us < 0 || us > 86400000000ll)
		return bad_value(l, event, "microseconds from 0 to 86400000000", value);
	*ns = (uint64_t)us * 1000;
	return 0;
}

static const char *text(const json_t *value)
{
	const char *string = json_string_value(value);

	return string && string[0] && strlen(string) < 64 ? string : NULL;
}

static int add_burst(struct loading *l, const char *event, const json_t *value)
{
	struct sim_instruction i = { .op = SIM_RUN };
	int ret = duration(l, event, value, &i.mean);

	return ret ? ret : add(l, i) ? 0 : too_much(l);
}

static int add_sleep(struct loading *l, const char *event, const json_t *value)
{
	struct sim_instruction i = { .op = SIM_SLEEP };
	int ret = duration(l, event, value, &i.mean);

	return ret ? ret : add(l, i) ? 0 : too_much(l);
}

static int add_timer(struct loading *l, const char *event, const json_t *value)
{
	const char *ref = text(json_object_get(value, "ref"));
	const char *mode = json_string_value(json_object_get(value, "mode"));
	struct sim_instruction i = { .op = SIM_TIMER };
	struct name *object;
	int ret;

	if (!ref)
		return bad_value(l, event, "{\"ref\": NAME, \"period\": US}", value);
	ret = duration(l, event, json_object_get(value, "period"), &i.mean);
	if (ret)
		return ret;
	if (!i.mean)
		return bad_value(l, event, "a period of 1 us or more",
				 json_object_get(value, "period"));
	if (mode && strcmp(mode, "relative") != 0 && strcmp(mode, "absolute") != 0)
		return bad_value(l, event, "a mode relative or absolute",
				 json_object_get(value, "mode"));
	i.count = mode && strcmp(mode, "absolute") == 0;
	/* Of each instance its own, as its tutorial says, or of all who name it. */
	i.stride = strncmp(ref, "unique", 6) == 0;
	object = find(l, TIMER, ref, i.stride);
	if (!object)
		return too_much(l);
	i.to = (uint16_t)object->object;
	return add(l, i) ? 0 : too_much(l);
}

/* A string that names something. */
static int named(struct loading *l, const char *event, const json_t *value, enum sim_op op,
		 enum kind kind)
{
	const char *name = text(value);

	return name ? use(l, op, kind, name) :
		      bad_value(l, event, "a name of 1 to 63 bytes", value);
}

static int add_lock(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_LOCK, MUTEX);
}

static int add_unlock(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_UNLOCK, MUTEX);
}

static int add_signal(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_SIGNAL, CONDITION);
}

static int add_broadcast(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_BROADCAST, CONDITION);
}

static int add_suspend(struct loading *l, const char *event, const json_t *value)
{
	const char *name = json_string_value(value);

	/* Without a name it is resumed by that of its task. */
	if (name && !name[0] && strlen(l->task) < 64)
		return use(l, SIM_BLOCK, CONDITION, l->task);
	return named(l, event, value, SIM_BLOCK, CONDITION);
}

static int add_post(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_POST, SEMAPHORE);
}

static int add_take(struct loading *l, const char *event, const json_t *value)
{
	return named(l, event, value, SIM_TAKE, SEMAPHORE);
}

/* pthread_cond_wait(): lets go of the mutex, and has it again when it goes on. */
static int add_wait(struct loading *l, const char *event, const json_t *value)
{
	const char *ref = text(json_object_get(value, "ref"));
	const char *mutex = text(json_object_get(value, "mutex"));
	int ret;

	if (!ref || !mutex)
		return bad_value(l, event, "{\"ref\": NAME, \"mutex\": NAME}", value);
	ret = use(l, SIM_UNLOCK, MUTEX, mutex);
	if (!ret)
		ret = use(l, SIM_BLOCK, CONDITION, ref);
	return ret ? ret : use(l, SIM_LOCK, MUTEX, mutex);
}

static int add_sync(struct loading *l, const char *event, const json_t *value)
{
	const char *ref = text(json_object_get(value, "ref"));

	if (!ref)
		return bad_value(l, event, "{\"ref\": NAME, \"mutex\": NAME}", value);
	return use(l, SIM_SIGNAL, CONDITION, ref) ? -E2BIG : add_wait(l, event, value);
}

static int add_barrier(struct loading *l, const char *event, const json_t *value)
{
	int ret = named(l, event, value, SIM_BARRIER, BARRIER);

	if (!ret)
		find(l, BARRIER, text(value), false)->users += l->instances;
	return ret;
}

/* By the beginning of their names, the longer ones first: "run0" is a run, too. */
static const struct {
	const char *name;
	int (*add)(struct loading *l, const char *event, const json_t *value);
} events[] = {
	{ "lock", add_lock },     { "unlock", add_unlock },   { "wait", add_wait },
	{ "signal", add_signal }, { "broad", add_broadcast }, { "sync", add_sync },
	{ "sleep", add_sleep },   { "runtime", add_burst },   { "run", add_burst },
	{ "timer", add_timer },   { "suspend", add_suspend }, { "resume", add_broadcast },
	{ "sem_post", add_post }, { "sem_wait", add_take },   { "barrier", add_barrier },
};

/* What is set before a phase or a task: known, and nothing that is simulated. */
static const char *const passed_over[] = { "loop",   "phases",   "instance", "delay",    "priority",
					   "policy", "util_min", "util_max", "taskgroup" };

static int add_event(struct loading *l, const char *key, const json_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed_over); i++)
		if (strcmp(key, passed_over[i]) == 0)
			return 0;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (strncmp(key, events[i].name, strlen(events[i].name)) == 0)
			return events[i].add(l, key, value);
	return bad(l, key, "the simulator has no such event or property");
}

/* ---- phases and tasks ---------------------------------------------------------------------- */

/* @count: -1: for ever */
static int loop_of(const struct loading *l, const json_t *object, json_int_t otherwise,
		   json_int_t *count)
{
	const json_t *value = json_object_get(object, "loop");

	*count = value ? json_integer_value(value) : otherwise;
	if ((value && !json_is_integer(value)) || *count < -1 || !*count || *count > UINT32_MAX)
		return bad_value(l, "loop", "a number from 1 to 4294967295, or -1: for ever",
				 value);
	return 0;
}

static int add_loop(struct loading *l, uint32_t first, json_int_t count, uint8_t level)
{
	struct sim_instruction i = { .op = SIM_LOOP,
				     .level = level,
				     .to = (uint16_t)(first - l->first_code),
				     .count = count < 0 ? 0 : (uint32_t)count };

	return count == 1 ? 0 : add(l, i) ? 0 : too_much(l);
}

static int read_phase(struct loading *l, json_t *phase, json_int_t otherwise, uint8_t level)
{
	uint32_t first = l->w->n_code;
	const char *key;
	json_int_t count;
	json_t *value;
	int ret = loop_of(l, phase, otherwise, &count);

	json_object_foreach(phase, key, value) {
		if (ret)
			break;
		ret = add_event(l, key, value);
	}
	return ret ? ret : add_loop(l, first, count, level);
}

static int read_phases(struct loading *l, const json_t *task)
{
	json_t *phases = json_object_get(task, "phases"), *phase;
	uint32_t first = l->w->n_code;
	const char *key;
	json_int_t count;
	int ret = loop_of(l, task, -1, &count);

	if (!ret && (!json_is_object(phases) || !json_object_size(phases)))
		ret = bad_value(l, "phases", "an object of phases", phases);
	json_object_foreach(phases, key, phase) {
		if (ret)
			break;
		ret = json_is_object(phase) ? read_phase(l, phase, 1, 0) :
					      bad_value(l, key, "an object of events", phase);
	}
	return ret ? ret : add_loop(l, first, count, 1);
}

static int read_weight(const struct loading *l, const json_t *task, uint32_t *weight)
{
	const json_t *priority = json_object_get(task, "priority");
	const char *policy = json_string_value(json_object_get(task, "policy"));
	json_int_t nice = priority ? json_integer_value(priority) : 0;

	if (policy && strcmp(policy, "SCHED_OTHER") != 0)
		return bad_value(l, "policy", "SCHED_OTHER, as no other is simulated",
				 json_object_get(task, "policy"));
	if ((priority && !json_is_integer(priority)) || nice < -20 || nice > 19)
		return bad_value(l, "priority", "a nice value from -20 to 19", priority);
	*weight = weight_of_nice[nice + 20];
	return 0;
}

static int read_task(struct loading *l, const char *name, json_t *task)
{
	struct sim_workload *w = l->w;
	const json_t *instances = json_object_get(task, "instance");
	const json_t *delay = json_object_get(task, "delay");
	json_int_t n = instances ? json_integer_value(instances) : 1;
	struct sim_program *program = &w->programs[w->n_starts];
	int ret;

	l->task = name;
	if (!json_is_object(task))
		return bad_value(l, NULL, "an object", task);
	if ((instances && !json_is_integer(instances)) || n < 0 || n > MOST_INSTANCES)
		return bad_value(l, "instance", "a number from 0 to 100000", instances);
	if (w->n_starts == SIM_MAX_STARTS)
		return too_much(l);
	l->instances = (uint32_t)n;
	l->first_code = w->n_code;
	*program = (struct sim_program){ .name = "task", .code = &w->code[w->n_code], .kib = 64 };
	ret = read_weight(l, task, &program->weight);
	if (!ret && delay)
		ret = add_sleep(l, "delay", delay);
	if (!ret)
		ret = json_object_get(task, "phases") ? read_phases(l, task) :
							read_phase(l, task, -1, 0);
	if (ret)
		return ret;
	if (!add(l, (struct sim_instruction){ .op = SIM_EXIT }))
		return too_much(l);
	w->starts[w->n_starts] =
		(struct sim_start){ .program = (uint16_t)w->n_starts, .n = (uint32_t)n };
	w->n_starts++;
	w->most_tasks += (uint32_t)n;
	return 0;
}

static int read_global(struct loading *l, const json_t *global)
{
	const json_t *seconds = json_object_get(global, "duration");
	const char *policy = json_string_value(json_object_get(global, "default_policy"));
	json_int_t n = seconds ? json_integer_value(seconds) : -1;
	char found[MLS_JSON_TEXT];

	if ((seconds && !json_is_integer(seconds)) || n < -1 || !n || n > 86400)
		return mls_error(l->err, -EINVAL,
				 "%s: global, duration: expected seconds from 1 to 86400, or -1, "
				 "found %s",
				 l->path, mls_json_text(seconds, found));
	if (policy && strcmp(policy, "SCHED_OTHER") != 0)
		return mls_error(l->err, -EINVAL,
				 "%s: global, default_policy: expected SCHED_OTHER, found %s",
				 l->path,
				 mls_json_text(json_object_get(global, "default_policy"), found));
	l->w->duration = n < 0 ? 0 : (uint64_t)n * SIM_S;
	return 0;
}

/* So many come to a barrier as name it, and one where only tasks without instances do. */
static void finish_barriers(struct loading *l)
{
	for (uint32_t k = 0; k < l->w->n_code; k++) {
		struct sim_instruction *i = &l->w->code[k];

		for (uint32_t n = 0; i->op == SIM_BARRIER && n < l->n_names; n++)
			if (l->names[n].kind == BARRIER && l->names[n].object == i->to)
				i->count = l->names[n].users ? l->names[n].users : 1;
	}
}

static int read_root(struct loading *l, const json_t *root)
{
	json_t *tasks = json_object_get(root, "tasks"), *task;
	const char *name;
	int ret = read_global(l, json_object_get(root, "global"));

	if (!ret && (!json_is_object(tasks) || !json_object_size(tasks)))
		ret = mls_error(l->err, -EINVAL, "%s: expected an object \"tasks\" with tasks",
				l->path);
	json_object_foreach(tasks, name, task) {
		if (ret)
			break;
		ret = read_task(l, name, task);
	}
	if (!ret && !l->w->most_tasks)
		ret = mls_error(l->err, -EINVAL, "%s: no task has an instance", l->path);
	if (!ret)
		finish_barriers(l);
	return ret;
}

/* To C a zero byte would be the end of the text, whatever follows. */
static int check_text(const char *path, const char *text, size_t n, struct mlsched_error *err)
{
	const char *zero = memchr(text, '\0', n);
	size_t line = 1, column = 1;

	if (!zero)
		return 0;
	for (const char *p = text; p < zero; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return mls_error(err, -EINVAL, "%s: line %zu, column %zu: expected text, found a zero byte",
			 path, line, column);
}

#define MOST_BYTES ((size_t)16 << 20)
/* As many events as a workload may have, written as tightly as can be. */
#define VALUES ((size_t)1280 << 10)

static int parse_file(const char *path, json_t **root, struct mlsched_error *err)
{
	char *text = NULL, *strict = NULL;
	size_t n;
	int ret = mls_text_file(path, MOST_BYTES, &text, &n, err);

	if (ret)
		return ret;
	ret = check_text(path, text, n, err);
	if (!ret)
		strict = rtapp_strict(text, n);
	free(text);
	if (ret)
		return ret;
	if (!strict)
		return mls_error(err, -ENOMEM, "%s: no memory", path);
	ret = mls_json_parse(path, strict, strlen(strict), n, VALUES, root, err);
	free(strict);
	return ret;
}

int sim_rtapp_load(struct sim_workload *w, const char *path, struct mlsched_error *err)
{
	struct loading *l = calloc(1, sizeof(*l));
	const char *file = strrchr(path, '/');
	json_t *root;
	int ret;

	if (!l)
		return mls_error(err, -ENOMEM, "%s: no memory", path);
	ret = parse_file(path, &root, err);
	if (!ret) {
		memset(w, 0, sizeof(*w));
		snprintf(w->name, sizeof(w->name), "%.31s", file ? file + 1 : path);
		l->w = w;
		l->path = path;
		l->err = err;
		ret = read_root(l, root);
		json_decref(root);
	}
	free(l);
	return ret;
}
