// SPDX-License-Identifier: GPL-2.0
/*
 * What the scheduler writes down of its decisions: the reader of its array.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/load.h"
#include "src/host/scx_state.h"
#include "src/util/clock.h"
#include "src/util/error.h"

/* A program that began within the window may still be writing: hooks take microseconds. */
#define SETTLE_NS 1000000ull
/* The array holds a window of this many decisions per millisecond, within limits. */
#define DECISIONS_PER_MS 256
#define SMALLEST         16384
#define LARGEST          (1u << 18)

uint32_t mls_scx_records_size(uint64_t window)
{
	uint32_t size = SMALLEST;

	while (size < window / 1000000 * DECISIONS_PER_MS && size < LARGEST)
		size *= 2;
	return size;
}

int mls_scx_records_map(struct mls_scx *s, struct mlsched_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *records;

	if (!s->options.record)
		return 0;
	s->records_bytes = mls_scx_records_size(s->options.record) * sizeof(*s->records);
	s->records_bytes = (s->records_bytes + page - 1) / page * page;
	records = mmap(NULL, s->records_bytes, PROT_READ, MAP_SHARED,
		       bpf_map__fd(s->skel->maps.records), 0);
	if (records == MAP_FAILED)
		return mls_error(err, -errno, "mapping the scheduler's records of %zu bytes: %s",
				 s->records_bytes, strerror(errno));
	s->records = records;
	return 0;
}

void mls_scx_records_unmap(struct mls_scx *s)
{
	if (s->records)
		munmap((void *)s->records, s->records_bytes);
	s->records = NULL;
}

uint64_t mls_scx_records_poll(struct mls_scx *s, bool flush, mls_scx_record_fn *fn, void *context)
{
	struct scheduler_bpf__bss *bss = s->skel ? s->skel->bss : NULL;
	uint64_t head, tail, now = mls_now_ns(), n = 0;
	uint32_t size;

	if (!s->records || !bss)
		return 0;
	size = mls_scx_records_size(s->options.record);
	head = __atomic_load_n(&bss->record_head, __ATOMIC_ACQUIRE);
	for (tail = bss->record_tail; tail < head; tail++, n++) {
		const struct scheduler_record *r = &s->records[(tail + 1) & (size - 1)];
		struct scheduler_record copy;
		uint64_t end = s->options.record;

		/* Another CPU is just filling it in: next time. */
		if (__atomic_load_n(&r->id, __ATOMIC_ACQUIRE) != tail + 1)
			break;
		if (now < r->time + end + SETTLE_NS) {
			if (!flush)
				break;
			if (now < r->time + end)
				end = now > r->time ? now - r->time : 0;
		}
		copy = *r;
		/* From here on the slot belongs to the scheduler again. */
		__atomic_store_n(&bss->record_tail, tail + 1, __ATOMIC_RELEASE);
		fn(context, &copy, end);
	}
	return n;
}
