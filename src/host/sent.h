/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model that a client sends to a scheduler: an ONNX file in memory, whatever the
 * model was read from.  The client reads it as its user, where libraries and
 * processes may be started that the scheduler's sandbox does not have; the
 * scheduler needs no file of the client's, and believes nothing that it is sent.
 */
#ifndef MLS_HOST_SENT_H
#define MLS_HOST_SENT_H

#include <stddef.h>

#include <mlsched/error.h>
#include <mlsched/model.h>

/* Bytes of one: the widest network has 2.1 MB, and meta data stay below 900 KiB. */
#define MLS_SENT_MAX ((size_t)4 << 20)

/**
 * mls_sent_make() - for the client: a model as it is sent
 * @path: where it was read from, for messages
 * @fd:   receives a file in memory that is sealed, to be closed
 *
 * Everything that decides is in it, bit by bit, and the provenance, with nine digits
 * of its numbers.
 * Return: 0; -EFBIG when the meta data are too much to be sent; -ENOMEM; what the
 * system calls return.
 */
int mls_sent_make(const struct mlsched_model *model, const char *path, struct mlsched_error *err,
		  int *fd);

/**
 * mls_sent_check() - for the scheduler: may such a descriptor be read?
 *
 * Only a file in memory with seals is taken: reading it does not wait for anybody,
 * and nobody can change it or cut it meanwhile.  Does not block.
 * Return: 0; -EINVAL when it is something else; -EFBIG when it is empty or larger
 * than MLS_SENT_MAX.
 */
int mls_sent_check(int fd, struct mlsched_error *err);

/**
 * mls_sent_read() - for the scheduler: the model
 * @fd:   that mls_sent_check() is content with; closed
 * @path: what the client calls it, for messages
 *
 * Allocates at most 8 times its size and 1 MiB, like every ONNX file.
 * Return: as mlsched_model_load() of an ONNX file.
 */
int mls_sent_read(int fd, const char *path, struct mlsched_error *err,
		  struct mlsched_model **model);

#endif /* MLS_HOST_SENT_H */
