# SPDX-License-Identifier: GPL-2.0
"""Between Python and the C library: error codes, arrays, text.

Every call of the library releases the GIL (cffi does).  Arrays are lent to it for the length of
a call and never kept; the objects that it makes belong to one cdata with a destructor each, so
they are freed once, when nobody has them any more.
"""

from __future__ import annotations

import errno
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsched import errors
from mlsched._native import ffi, lib

__all__ = ["as_rows", "check", "ffi", "lend", "lib", "new_error", "output_for", "raise_error", "text",
           "vector", "words"]

# Those whose meaning does not depend on what was called.
ALWAYS = {
    errno.EBADMSG: errors.InvalidModelError,
    errno.EFBIG: errors.InvalidModelError,
    errno.ENOTSUP: errors.UnsupportedError,
    errno.ERANGE: errors.AgreementError,
    errno.ENOMEM: errors.OutOfMemoryError,
}


def text(pointer: Any) -> str:
    """A string of the library, "" for NULL.  It has made text of what is none in a file."""
    return str(ffi.string(pointer).decode("utf-8", "replace")) if pointer else ""


def words(value: str, limit: int, name: str) -> bytes:
    """A string for a char[limit] of the library."""
    data = value.encode()
    if len(data) >= limit or b"\0" in data:
        raise errors.InputError(f"{name}: expected at most {limit - 1} bytes without a zero, "
                                f"got {value!r}", errno.EINVAL)
    return data


def new_error() -> Any:
    return ffi.new("struct mlsched_error *")


def raise_error(code: int, message: str, invalid: type[errors.Error] = errors.InputError,
                missing: type[errors.Error] = errors.FileError) -> None:
    """The exception for a negative result.

    invalid: what -EINVAL means here; missing: what -ENOENT does.
    """
    code = -code
    special = {errno.EINVAL: invalid, errno.ENOENT: missing}
    kind = special.get(code) or ALWAYS.get(code, errors.FileError)
    raise kind(message, code)


def check(result: int, error: Any, invalid: type[errors.Error] = errors.InputError,
          missing: type[errors.Error] = errors.FileError) -> None:
    """Raise what a call reports, if it failed."""
    if result:
        raise_error(result, text(error.message), invalid, missing)


def as_rows(rows: ArrayLike, width: int, kind: Any = np.float32) -> tuple[NDArray[Any], bool]:
    """[n, width] of this kind, and whether it was a single row.

    The very array when it already is C-contiguous and of this kind, else a copy.
    """
    array = np.asarray(rows)
    if array.dtype.kind not in ("biuf" if kind is np.float32 else "iu"):
        raise errors.InputError(f"expected {np.dtype(kind).name} or what converts to it, "
                                f"got an array of {array.dtype}", errno.EINVAL)
    single = array.ndim == 1
    if single:
        array = array[np.newaxis, :]
    if array.ndim != 2 or array.shape[1] != width:
        got = ", ".join(map(str, ("?", *array.shape[1:]) if array.ndim == 2 else array.shape))
        raise errors.ShapeError(f"Expected shape [?, {width}], got [{got}]", errno.EINVAL)
    if kind is not np.float32 and not np.can_cast(array.dtype, kind):
        limits = np.iinfo(kind)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise errors.InputError(f"expected numbers of {np.dtype(kind).name}, got "
                                    f"{array.min()} to {array.max()}", errno.EINVAL)
    return np.require(array, kind, ("C", "A")), single


def output_for(out: NDArray[Any] | None, shape: tuple[int, ...], kind: Any,
               rows: NDArray[Any]) -> NDArray[Any]:
    """A new array, or the caller's, which must be just right: it is written in place."""
    if out is None:
        return np.empty(shape, kind)
    if not isinstance(out, np.ndarray) or out.dtype != kind or not out.dtype.isnative:
        raise errors.InputError(f"out: expected an array of {np.dtype(kind).name}, "
                                f"got {getattr(out, 'dtype', type(out).__name__)}", errno.EINVAL)
    if out.shape != shape:
        raise errors.ShapeError(f"out: Expected shape {list(shape)}, got {list(out.shape)}",
                                errno.EINVAL)
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise errors.InputError("out: expected an array that is C-contiguous, aligned and "
                                "writable", errno.EINVAL)
    if np.may_share_memory(out, rows):
        raise errors.InputError("out: expected an array that does not overlap the rows",
                                errno.EINVAL)
    return out


def vector(numbers: ArrayLike, width: int, name: str) -> NDArray[np.float32]:
    """[width] float32; whether it is finite the library looks itself."""
    array = np.require(np.asarray(numbers, np.float32), np.float32, ("C", "A"))
    if array.shape != (width,):
        raise errors.ShapeError(f"{name}: Expected shape [{width}], got {list(array.shape)}",
                                errno.EINVAL)
    return array


def lend(array: NDArray[Any], kind: str, writable: bool = False) -> Any:
    """A pointer to the array's own memory, valid as long as the result is."""
    return ffi.from_buffer(f"{kind}[]", array, require_writable=writable)
