// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of training with what every processor of an architecture
 * has: SSE2 on x86-64, NEON on arm64; and the choice between the tables.
 */
#include <errno.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define VECTOR_SQRT(x) ((vf)_mm_sqrt_ps((__m128)(x)))
#elif defined(__aarch64__)
#include <arm_neon.h>
#define VECTOR_SQRT(x) ((vf)vsqrtq_f32((float32x4_t)(x)))
#else
#define VECTOR_SQRT(x)                                                                    \
	((vf){ __builtin_sqrtf((x)[0]), __builtin_sqrtf((x)[1]), __builtin_sqrtf((x)[2]), \
	       __builtin_sqrtf((x)[3]) })
#endif

#define WIDTH        4
#define TILE_ROWS    4
#define TILE_VECTORS 2
#define KERNELS      mls_train_kernels_base
#include "src/nn/train/kernels_impl.h"

static const struct mls_train_kernels *avx512(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
		return &mls_train_kernels_avx512;
#endif
	return NULL;
}

static const struct mls_train_kernels *avx2(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &mls_train_kernels_avx2;
#endif
	return NULL;
}

const struct mls_train_kernels *mls_train_kernels_for(enum mlsched_isa isa)
{
	const struct mls_train_kernels *kernels;

	switch (isa) {
	case MLSCHED_ISA_SCALAR:
	case MLSCHED_ISA_NEON:
		return &mls_train_kernels_base;
	case MLSCHED_ISA_AVX2:
		return avx2();
	case MLSCHED_ISA_AVX512:
		return avx512();
	default:
		kernels = avx512();
		kernels = kernels ? kernels : avx2();
		return kernels ? kernels : &mls_train_kernels_base;
	}
}
