/* SPDX-License-Identifier: GPL-2.0 */
/* BPF programs of tests, run in the kernel of this machine. */
#ifndef MLS_TESTS_LIB_BPF_H
#define MLS_TESTS_LIB_BPF_H

/** test_no_bpf() - why none can be loaded; NULL: they can */
const char *test_no_bpf(void);

/** test_skip_without_bpf() - skips the running test, and says why, where none can be loaded */
void test_skip_without_bpf(void);

#endif /* MLS_TESTS_LIB_BPF_H */
