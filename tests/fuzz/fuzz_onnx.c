// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the ONNX reader: for libFuzzer (`make fuzz FUZZ=onnx`), and
 * for the test that replays the kept corpus.  An input is a file.
 */
#include "src/formats/onnx.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return feed_file("ONNX", mls_onnx_read, mls_onnx_outline, data, size);
}
