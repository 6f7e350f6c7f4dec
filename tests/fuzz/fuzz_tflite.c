// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the LiteRT reader: for libFuzzer (`make fuzz FUZZ=tflite`), and
 * for the test that replays the kept corpus.  An input is a file.
 */
#include "src/formats/tflite.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return feed_file("LiteRT", mls_tflite_read, mls_tflite_outline, data, size);
}
