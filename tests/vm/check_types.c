// SPDX-License-Identifier: GPL-2.0
/*
 * Compares the kernel types that our BPF programs declare for themselves with
 * those of a kernel.
 *
 *	check_types VMLINUX_BTF LACKING OBJECT... -- TYPE...
 *
 * TYPE is "struct NAME" or "enum NAME", as the headers declare it; the objects'
 * own BTF says what it looks like there.  Each must be in some object, and in the
 * kernel under its name without "___flavour": a struct with every field, of the
 * same kind and size; an enum with every value under its name (the loader relocates
 * the number); a function of the objects' .ksyms with the same prototype.
 *
 * LACKING is a file of names, one a line ("struct.field", "enum.VALUE",
 * "function()"), that this kernel does not have: one that it has after all is an
 * error too.  Prints one line a difference; status 1 if there is one.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define MAX_LACKING 128
#define DEPTH       8

static struct btf *kernel;
static char lacking[MAX_LACKING][128];
static bool used[MAX_LACKING];
static int n_lacking, differences, compared;

static const char *name_of(const struct btf *btf, const struct btf_type *t)
{
	return btf__name_by_offset(btf, t->name_off);
}

/* Through typedefs and qualifiers. */
static const struct btf_type *strip(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

static size_t base_length(const char *name)
{
	const char *flavour = strstr(name, "___");

	return flavour ? (size_t)(flavour - name) : strlen(name);
}

/* Judges one thing: @wrong is NULL when it is as declared. */
static void judge(const char *owner, const char *part, const char *wrong)
{
	char name[256];

	compared++;
	snprintf(name, sizeof(name), "%s%s%s", owner, part ? "." : "()", part ? part : "");
	for (int i = 0; i < n_lacking; i++) {
		if (strcmp(lacking[i], name) != 0)
			continue;
		used[i] = true;
		if (wrong)
			return;
		wrong = "is there, but is listed as lacking";
	}
	if (!wrong)
		return;
	printf("%s: %s\n", name, wrong);
	differences++;
}

static const char *same_name(const struct btf *btf, const struct btf_type *ours,
			     const struct btf_type *theirs)
{
	const char *a = name_of(btf, ours), *b = name_of(kernel, theirs);
	size_t n = base_length(a);

	return n == strlen(b) && strncmp(a, b, n) == 0 ? NULL : "is of another type";
}

static bool is_number(const struct btf_type *t)
{
	return btf_is_int(t) || btf_is_any_enum(t);
}

static const char *same_prototype(const struct btf *btf, const struct btf_type *ours,
				  const struct btf_type *theirs, int depth);

/* NULL, or how a value of type @our_id differs from one of @their_id. */
static const char *same_type(const struct btf *btf, __u32 our_id, __u32 their_id, int depth)
{
	const struct btf_type *ours = strip(btf, our_id), *theirs = strip(kernel, their_id);

	if (!our_id || !their_id || !depth)
		return our_id && their_id ? NULL : our_id == their_id ? NULL : "void or not void";
	if (is_number(ours) && is_number(theirs))
		return ours->size == theirs->size ? NULL : "is of another size";
	/* A forward declaration is a struct that is not looked into. */
	if ((btf_is_struct(ours) || btf_is_fwd(ours)) &&
	    (btf_is_struct(theirs) || btf_is_fwd(theirs)))
		return same_name(btf, ours, theirs);
	if (btf_kind(ours) != btf_kind(theirs))
		return "is of another kind";
	if (btf_is_array(ours))
		return same_type(btf, btf_array(ours)->type, btf_array(theirs)->type, depth - 1);
	if (btf_is_ptr(ours)) {
		const struct btf_type *a = strip(btf, ours->type), *b = strip(kernel, theirs->type);

		/* void * of ours stands for any pointer */
		if (!ours->type)
			return NULL;
		if (btf_is_func_proto(a) && btf_is_func_proto(b))
			return same_prototype(btf, a, b, depth - 1);
		return same_type(btf, ours->type, theirs->type, depth - 1);
	}
	return NULL;
}

static const char *same_prototype(const struct btf *btf, const struct btf_type *ours,
				  const struct btf_type *theirs, int depth)
{
	const struct btf_param *a = btf_params(ours), *b = btf_params(theirs);
	const char *wrong = same_type(btf, ours->type, theirs->type, depth);

	if (btf_vlen(ours) != btf_vlen(theirs))
		return "takes another number of arguments";
	for (int i = 0; i < btf_vlen(ours) && !wrong; i++)
		wrong = same_type(btf, a[i].type, b[i].type, depth);
	return wrong ? "has another prototype" : NULL;
}

/* The kernel's field, also within its nameless structs and unions. */
static const struct btf_member *find_field(const struct btf_type *t, const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *found = btf__name_by_offset(kernel, m[i].name_off);
		const struct btf_type *inner = strip(kernel, m[i].type);
		const struct btf_member *deeper;

		if (strcmp(found, name) == 0)
			return &m[i];
		if (*found || !btf_is_composite(inner))
			continue;
		deeper = find_field(inner, name);
		if (deeper)
			return deeper;
	}
	return NULL;
}

static void compare_struct(const struct btf *btf, const struct btf_type *ours,
			   const struct btf_type *theirs)
{
	const struct btf_member *m = btf_members(ours);

	for (int i = 0; i < btf_vlen(ours); i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);
		const struct btf_member *found = find_field(theirs, name);

		/* What is our own affair, like the room that libbpf's iterators take. */
		if (strncmp(name, "__opaque", 8) == 0)
			continue;
		judge(name_of(btf, ours), name,
		      found ? same_type(btf, m[i].type, found->type, DEPTH) : "is not there");
	}
}

static bool has_value(const struct btf_type *t, const char *name)
{
	for (int i = 0; i < btf_vlen(t); i++) {
		__u32 off = btf_is_enum(t) ? btf_enum(t)[i].name_off : btf_enum64(t)[i].name_off;

		if (strcmp(btf__name_by_offset(kernel, off), name) == 0)
			return true;
	}
	return false;
}

static void compare_enum(const struct btf *btf, const struct btf_type *ours,
			 const struct btf_type *theirs)
{
	for (int i = 0; i < btf_vlen(ours); i++) {
		__u32 off = btf_is_enum(ours) ? btf_enum(ours)[i].name_off :
						btf_enum64(ours)[i].name_off;
		const char *name = btf__name_by_offset(btf, off);

		judge(name_of(btf, ours), name, has_value(theirs, name) ? NULL : "is not there");
	}
}

static const struct btf_type *find_type(const struct btf *btf, const char *name, bool is_enum)
{
	for (__u32 i = 1; i < btf__type_cnt(btf); i++) {
		const struct btf_type *t = btf__type_by_id(btf, i);

		if ((is_enum ? btf_is_any_enum(t) : btf_is_struct(t)) &&
		    strcmp(name_of(btf, t), name) == 0)
			return t;
	}
	return NULL;
}

/* "struct NAME" or "enum NAME" in the first object that has it. */
static void compare_type(struct btf **objects, int n, const char *what)
{
	bool is_enum = strncmp(what, "enum ", 5) == 0;
	const char *name = strchr(what, ' ') + 1;
	const struct btf_type *ours = NULL, *theirs;
	char base[128];
	int i;

	for (i = 0; i < n && !ours; i++)
		ours = find_type(objects[i], name, is_enum);
	if (!ours) {
		printf("%s: declared, but no program uses it\n", what);
		differences++;
		return;
	}
	snprintf(base, sizeof(base), "%.*s", (int)base_length(name), name);
	theirs = find_type(kernel, base, is_enum);
	if (!theirs) {
		printf("%s: this kernel has none\n", what);
		differences++;
	} else if (is_enum) {
		compare_enum(objects[i - 1], ours, theirs);
	} else {
		compare_struct(objects[i - 1], ours, theirs);
	}
}

static void compare_functions(const struct btf *btf)
{
	for (__u32 i = 1; i < btf__type_cnt(btf); i++) {
		const struct btf_type *section = btf__type_by_id(btf, i);

		if (!btf_is_datasec(section) || strcmp(name_of(btf, section), ".ksyms") != 0)
			continue;
		for (int k = 0; k < btf_vlen(section); k++) {
			const struct btf_type *f =
				btf__type_by_id(btf, btf_var_secinfos(section)[k].type);
			const char *name, *wrong = "is not there";
			char base[128];
			int id;

			if (!btf_is_func(f))
				continue;
			name = name_of(btf, f);
			snprintf(base, sizeof(base), "%.*s", (int)base_length(name), name);
			id = btf__find_by_name_kind(kernel, base, BTF_KIND_FUNC);
			if (id > 0)
				wrong = same_prototype(
					btf, btf__type_by_id(btf, f->type),
					btf__type_by_id(kernel,
							btf__type_by_id(kernel, (__u32)id)->type),
					DEPTH);
			judge(name, NULL, wrong);
		}
	}
}

static void read_lacking(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		exit(2);
	}
	while (n_lacking < MAX_LACKING && fscanf(f, "%127s", lacking[n_lacking]) == 1)
		n_lacking++;
	fclose(f);
}

int main(int argc, char **argv)
{
	struct btf *objects[8];
	int n = 0, i;

	if (argc < 6)
		return 2;
	kernel = btf__parse_raw(argv[1]);
	if (!kernel) {
		perror(argv[1]);
		return 2;
	}
	read_lacking(argv[2]);
	for (i = 3; i < argc && strcmp(argv[i], "--") != 0 && n < 8; i++) {
		objects[n] = btf__parse_elf(argv[i], NULL);
		if (!objects[n++]) {
			perror(argv[i]);
			return 2;
		}
	}
	for (i++; i < argc; i++)
		compare_type(objects, n, argv[i]);
	for (i = 0; i < n; i++)
		compare_functions(objects[i]);
	for (i = 0; i < n_lacking; i++) {
		if (used[i])
			continue;
		printf("%s: listed as lacking, but declared nowhere\n", lacking[i]);
		differences++;
	}
	printf("%d compared, %d differ\n", compared, differences);
	return differences != 0;
}
