/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How every function of this library reports a failure: 0 or -errno as the
 * result, and a sentence for a person in a struct that the caller owns.
 */
#ifndef MLSCHED_ERROR_H
#define MLSCHED_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Size of the message in bytes, the terminating zero included. */
#define MLSCHED_ERROR_SIZE 512

/**
 * struct mlsched_error - what went wrong, for a person
 * @code:    0, or the same -errno that the function returned
 * @message: one sentence without a newline that names the file, the place in
 *           it, what was expected and what was found; cut, never overrun
 *
 * The caller owns it; every function that takes one also takes NULL.  It is
 * written only when the function fails.
 */
struct mlsched_error {
	int code;
	char message[MLSCHED_ERROR_SIZE];
};

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_ERROR_H */
