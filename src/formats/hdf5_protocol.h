/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goes over the socket between the reader of Keras models (hdf5.c) and the process
 * in which libhdf5 reads the file for it (hdf5_child/).  Both are of one build on one
 * machine: numbers are as the processor has them.
 *
 * One question, one answer; both a frame and, behind it, its payload.  The process is
 * not trusted: hdf5.c holds each number in its answers against what it may be.
 */
#ifndef MLS_FORMATS_HDF5_PROTOCOL_H
#define MLS_FORMATS_HDF5_PROTOCOL_H

#include <stdint.h>

#include <mlsched/error.h>

/* Descriptors that the process finds open: the socket, and the content of the file that is to be read. */
#define MLS_H5_SOCKET 0
#define MLS_H5_IMAGE  3

enum mls_h5_question {
	MLS_H5_ASK_OPEN =
		1, /* format, path; @values: the limit of the arena, lower and upper half */
	MLS_H5_ASK_LOOK, /* path; answered by @values[0], an enum mls_h5_kind */
	MLS_H5_ASK_LIST, /* group; @values[0] names */
	MLS_H5_ASK_TEXTS, /* object, attribute; @values[0] texts */
	MLS_H5_ASK_TENSOR, /* path; rank and dims, and float32 as they are */
	/* Of a file that is made, instead of those above: */
	MLS_H5_ASK_MAKE, /* format, path */
	MLS_H5_ASK_PUT_GROUP, /* path */
	MLS_H5_ASK_PUT_LINK, /* path, the group or tensor that is to be found there, too */
	MLS_H5_ASK_PUT_TEXT, /* object, attribute, text */
	MLS_H5_ASK_PUT_TEXTS, /* object, attribute, texts; @values[0] of them */
	MLS_H5_ASK_PUT_TENSOR, /* path, float32; @values: rank and dims */
	MLS_H5_ASK_CONTENT, /* ""; answered by the whole file */
};

/* All codes that an answer may have (errno.h): they are handed on to who called the reader. */
#define MLS_H5_CODES 0, -EINVAL, -ENOTSUP, -EFBIG, -ENOMEM, -EBADMSG

/* What one attribute, one list of names, one tensor, or all of a file that is made may come to. */
#define MLS_H5_MAX_ANSWER ((uint32_t)8 << 20)
/* Two paths, and an attribute or a tensor. */
#define MLS_H5_MAX_QUESTION ((uint32_t)2 << 20)
#define MLS_H5_MAX_PATH     1024
/* In a group, or in an attribute. */
#define MLS_H5_MAX_NAMES 4096

/**
 * struct mls_h5_frame - in front of a question or an answer
 * @what:   an enum mls_h5_question, in the answer, too
 * @code:   of an answer: 0 or -errno; then the payload is the message
 * @values: see above
 * @size:   of the payload: texts each with a zero behind it, or numbers
 */
struct mls_h5_frame {
	uint32_t what;
	int32_t code;
	uint32_t values[3];
	uint32_t size;
};

/* ---- the starter (hdf5_starter.h) ------------------------------------------------------------ */

/* The program's argument when it is to be one; otherwise seconds of processor time. */
#define MLS_H5_STARTER "starter"
/* Processes that it has at a time: an archive may want one for each of 16 shards.  One more is refused. */
#define MLS_H5_STARTED 64

/* The first message: whether it can start any. */
struct mls_h5_ready {
	int32_t code; /* 0 or -errno */
	char message[MLSCHED_ERROR_SIZE];
};

/*
 * An order, one message, with the descriptors: the process's socket, one for struct
 * mls_h5_ended, and what it reads.
 */
struct mls_h5_order {
	uint32_t cpu_s;
};
#define MLS_H5_ORDER_FILES 3

/* How a process has ended, as waitid() says. */
struct mls_h5_ended {
	int32_t code;
	int32_t status;
};

#endif /* MLS_FORMATS_HDF5_PROTOCOL_H */
