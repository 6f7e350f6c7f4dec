/* SPDX-License-Identifier: GPL-2.0 */
/* CRC-32C (Castagnoli), RFC 3720 appendix B.4: of TensorFlow's checkpoints and of our models. */
#ifndef MLS_UTIL_CRC32C_H
#define MLS_UTIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * mls_crc32c() - go on with a checksum
 * @crc:  0 at the beginning, else the result for what came before
 * @data: [size] bytes
 *
 * Return: the checksum of everything up to here.
 */
uint32_t mls_crc32c(uint32_t crc, const void *data, size_t size);

#endif /* MLS_UTIL_CRC32C_H */
