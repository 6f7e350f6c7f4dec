/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a decision costs in the running kernel: loads bpf/qnet_bench.bpf.c,
 * compares its logits with those of user space, and times its programs.
 */
#ifndef MLS_BENCH_IN_KERNEL_H
#define MLS_BENCH_IN_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "bench/harness.h"
#include "core/qnet.h"
#include "src/host/topology.h"

/* What is measured. */
enum bench_in_kernel {
	BENCH_NETWORK, /* the network from converted inputs */
	BENCH_INFER, /* from features: it converts them first */
	BENCH_FEATURES, /* the features of seed10 */
	BENCH_FEATURES_MIG15, /* and of mig15, but for the lengths of queues: kernels tell these */
};

struct bench_object;

/**
 * bench_object_load() - load the object, where the kernel happens to put it
 * @topology: of the machine whose features are filled in; NULL: this one is of
 *            no interest
 *
 * Return: 0; -EPERM without root; what the kernel returns.
 */
int bench_object_load(const struct mls_topology *topology, struct mlsched_error *err,
		      struct bench_object **object);

/**
 * bench_object_put() - a network and rows for it
 * @net:      checked; at most 15 inputs
 * @generic:  not by the kernel for its shape but by the one for any network
 * @features: [n_rows][inputs], Q16.16; the rows that there are begin again
 *            behind the last until there are 4,096
 *
 * Computes every row in the kernel, from converted inputs and from features,
 * and compares both with what the reference computes.
 * @compared: receives how many logits that were
 * Return: 0; -ENOTSUP when it does not fit; -ERANGE when a logit differs; what
 * the kernel returns.
 */
int bench_object_put(struct bench_object *object, const struct qnet_model *net, bool generic,
		     const int32_t *features, size_t n_rows, uint32_t *compared,
		     struct mlsched_error *err);

/**
 * bench_object_measure() - cycles of one of its turns, the turning subtracted
 * @dependent: the next row depends on the last result
 * @samples:   to take the lowest but two of
 * @net:       filled in; see bench_measure_net()
 */
int bench_object_measure(struct bench_object *object, enum bench_in_kernel what, bool dependent,
			 size_t samples, struct bench_net *net, struct mlsched_error *err);

struct bpf_object;

/** bench_object_bpf() - libbpf's object, to look at */
const struct bpf_object *bench_object_bpf(const struct bench_object *object);

void bench_object_close(struct bench_object *object);

/** bench_topology_make() - a machine whose CPUs are divided evenly, all online */
void bench_topology_make(struct mls_topology *topology, uint32_t n_cpus, uint32_t n_domains,
			 uint32_t n_nodes);

#endif /* MLS_BENCH_IN_KERNEL_H */
