# SPDX-License-Identifier: GPL-2.0
"""What bench/vm-compare consists of."""
