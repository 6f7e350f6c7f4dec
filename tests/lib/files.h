/* SPDX-License-Identifier: GPL-2.0 */
/* Files that tests read: fixtures, and what a fuzzer has kept. */
#ifndef MLS_TESTS_FILES_H
#define MLS_TESTS_FILES_H

#include <stddef.h>
#include <stdint.h>

/**
 * test_read_whole() - a file's bytes, in memory of just that size, so that the sanitizers see the end
 *
 * Return: to be freed; NULL when there is no such file.
 */
uint8_t *test_read_whole(const char *path, size_t *size);

/** test_count_entries() - how much is in a directory, hidden files, too */
size_t test_count_entries(const char *directory);

/** test_corpus() - gives each file of a fuzzer's corpus to its function, which must return 0 */
void test_corpus(const char *directory, int (*one)(const uint8_t *data, size_t size));

#endif
