// SPDX-License-Identifier: GPL-2.0
/* The arithmetic of training with AVX2. */
#include <immintrin.h>

#define VECTOR_SQRT(x) ((vf)_mm256_sqrt_ps((__m256)(x)))
#define WIDTH          8
#define TILE_ROWS      4
#define TILE_VECTORS   2
#define KERNELS        mls_train_kernels_avx2
#include "src/nn/train/kernels_impl.h"
