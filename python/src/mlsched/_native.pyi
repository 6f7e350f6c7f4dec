# SPDX-License-Identifier: GPL-2.0
from typing import Any

ffi: Any
lib: Any
