# SPDX-License-Identifier: GPL-2.0
"""What goes wrong, as exceptions with the C library's own sentence.

Each says in one line the file, the place in it, what was expected and what was found.
Needs nothing of the package, not even the C library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsched.fixed_point import QuantizationReport

__all__ = ["AgreementError", "Error", "FileError", "InputError", "InvalidModelError",
           "ModelNotFoundError", "OutOfMemoryError", "RecordingError", "ShapeError",
           "UnsupportedError"]


class Error(Exception):
    """Whatever mlsched refuses or cannot do.

    code: a positive number of the module errno, as errno.EINVAL.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code), self.__dict__.copy()


class InputError(Error, ValueError):
    """An argument is wrong: a number is not finite, an option not known, ..."""


class ShapeError(InputError):
    """An array has another shape than the model: "Expected shape [?, 10], got [?, 5]"."""


class InvalidModelError(Error, ValueError):
    """A file or a list of layers is no valid model: its structure, a checksum, a number in it."""


class UnsupportedError(Error):
    """Valid, but not for this: the message names the layer or format, and why."""


class AgreementError(Error):
    """Fixed point gives other verdicts than float32 more often than was asked for.

    report: what was measured.
    """

    report: QuantizationReport


class OutOfMemoryError(Error, MemoryError):
    """No memory."""


class FileError(Error, OSError):
    """A file cannot be read or written; errno is the system's reason."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message, code)
        self.errno = code


class ModelNotFoundError(FileError, FileNotFoundError):
    """There is nothing at this path."""


class RecordingError(Error, ValueError):
    """A file is no recording, or not one that this version reads."""
