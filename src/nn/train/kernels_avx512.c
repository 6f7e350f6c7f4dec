// SPDX-License-Identifier: GPL-2.0
/* The arithmetic of training with AVX-512. */
#include <immintrin.h>

#define VECTOR_SQRT(x) ((vf)_mm512_sqrt_ps((__m512)(x)))
#define WIDTH          16
#define TILE_ROWS      4
#define TILE_VECTORS   4
#define KERNELS        mls_train_kernels_avx512
#include "src/nn/train/kernels_impl.h"
