// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched run: which files and capabilities it keeps once it runs.  How the rest
 * is given up is src/host/sandbox.h.
 */
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/run.h"
#include "src/host/sandbox.h"
#include "src/util/array.h"

static const struct {
	const char *name;
	int number;
} capabilities[] = { { "bpf", CAP_BPF }, { "perfmon", CAP_PERFMON } };

/*
 * The directory in which the model lies, so that another can be put in its place
 * or loaded from beside it.  Directly below the root: the model alone, since all
 * files of the machine lie beside it.
 */
static const char *models(const char *model, char path[PATH_MAX])
{
	char copy[PATH_MAX];

	if (!realpath(model, path))
		return NULL;
	strcpy(copy, path);
	if (strcmp(dirname(copy), "/") == 0)
		return path;
	return dirname(path);
}

static void say(const struct cli_common *common, const struct mls_sandbox_report *report)
{
	char kept[64] = "";

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (report->capabilities >> capabilities[i].number & 1)
			snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "%s%s",
				 kept[0] ? ", " : "", capabilities[i].name);
	}
	cli_note(common, "sandbox: capabilities: %s; system calls: %s; files: %s%d%s%s",
		 kept[0] ? kept : "none", report->filtered ? "filtered" : "all",
		 report->landlock ? "Landlock " : "not guarded, Landlock ", report->landlock,
		 report->missing[0] ? "; missing: " : "", report->missing);
}

int run_sandbox(const struct run_options *o)
{
	char path[PATH_MAX];
	const char *const readable[] = {
		"/sys", /* CPUs, caches, nodes, sched_ext's state, the kernel's types */
		"/proc/sys/vm/overcommit_memory", /* malloc() in threads */
		models(o->model, path),
		NULL,
	};
	const struct mls_sandbox_options options = {
		.readable = readable,
		.stores = o->record.path != NULL,
		.loads_bpf = strcmp(o->backend, "scx") == 0,
		.passes_files = o->control.watch,
	};
	struct mls_sandbox_report report;
	struct mlsched_error err;

	if (o->no_sandbox)
		return CLI_OK;
	/* Its threads are there already, and a sandbox that leaves some out is none. */
	if (strcmp(o->engine, "tensorflow") == 0) {
		cli_note(&o->common, "TensorFlow has started threads of its own: no sandbox");
		return CLI_OK;
	}
	if (mls_sandbox_enter(&options, &report, &err) != 0)
		return cli_fail(&o->common, "%s (--no-sandbox goes without)", err.message);
	if (o->common.verbosity > 0)
		say(&o->common, &report);
	return CLI_OK;
}
