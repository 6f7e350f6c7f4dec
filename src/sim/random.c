// SPDX-License-Identifier: GPL-2.0
/* Amounts that vary.  Integers: the same on every machine. */
#include "src/sim/random.h"

/*
 * Quantiles of two distributions of mean 1, in 1/4096, between 64 equal parts: exponential,
 * and lognormal of a sigma of 1.  Within a part it is linear.  The last one ends the tail
 * where that makes the mean 1.
 */
static const uint32_t exponential[65] = {
	0,    65,   130,  197,  264,  333,  403,  474,   547,   621,   696,   772,   850,
	930,  1011, 1094, 1178, 1265, 1353, 1443, 1535,  1629,  1725,  1824,  1925,  2029,
	2135, 2244, 2357, 2472, 2591, 2713, 2839, 2969,  3103,  3242,  3386,  3535,  3690,
	3850, 4017, 4192, 4374, 4564, 4764, 4974, 5196,  5430,  5678,  5943,  6225,  6529,
	6857, 7213, 7603, 8035, 8517, 9064, 9696, 10443, 11357, 12535, 14196, 17035, 24576
};
static const uint32_t lognormal[65] = {
	0,    288,  386,  465,  536,  602,  665,  726,   786,   846,   905,   964,   1023,
	1083, 1143, 1204, 1266, 1328, 1392, 1457, 1524,  1592,  1662,  1733,  1806,  1882,
	1960, 2040, 2123, 2208, 2297, 2389, 2484, 2584,  2687,  2795,  2908,  3026,  3149,
	3280, 3417, 3561, 3715, 3877, 4050, 4235, 4433,  4646,  4877,  5127,  5400,  5700,
	6032, 6403, 6821, 7297, 7849, 8498, 9281, 10255, 11521, 13276, 16002, 21411, 42532
};

static uint64_t between(const uint32_t *table, uint64_t mean, uint64_t bits)
{
	uint32_t part = (uint32_t)(bits >> 58);
	uint64_t fraction = bits >> 42 & 0xffff;
	uint64_t value = table[part] + ((uint64_t)(table[part + 1] - table[part]) * fraction >> 16);

	/* Means of up to hours: no product leaves 64 bits. */
	return (mean >> 12) * value + ((mean & 4095) * value >> 12);
}

uint64_t sim_vary(enum sim_vary how, uint64_t mean, uint64_t bits)
{
	if (!mean)
		return 0;
	switch (how) {
	case SIM_AROUND:
		return mean / 2 + bits % (mean + 1);
	case SIM_EXPONENTIAL:
		return between(exponential, mean, bits);
	case SIM_LOGNORMAL:
		return between(lognormal, mean, bits);
	case SIM_FIXED:
		break;
	}
	return mean;
}
