# SPDX-License-Identifier: GPL-2.0
"""mlsched: models of a learned CPU scheduler, by its C library.

    model = mlsched.load("model.keras")             # also .h5, .onnx, .tflite, SavedModel directories
    outputs = model.predict(rows)                   # float32, read where it lies
    fixed = model.quantize(rows)                    # the integers of the kernel
    print(fixed.report.agreement)
    model.replace(schema="mig15").save("model")     # what `mlsched run --model model` takes

Errors are subclasses of mlsched.Error.  Whether scheduling gets better with a model is
another matter: `mlsched eval` and `mlsched run` tell.
"""

from mlsched._library import lib as _lib
from mlsched._library import text as _text
from mlsched.errors import (
    AgreementError,
    Error,
    FileError,
    InputError,
    InvalidModelError,
    ModelNotFoundError,
    OutOfMemoryError,
    RecordingError,
    ShapeError,
    UnsupportedError,
)
from mlsched.fixed_point import FixedPoint, HiddenLayer, QuantizationReport
from mlsched.formats import Feature, Format, Schema, formats, schemas
from mlsched.inspection import Inspection, inspect
from mlsched.model import Layer, Model, Ranges, convert, load
from mlsched.recordings import to_parquet

__all__ = ["AgreementError", "Error", "Feature", "FileError", "FixedPoint", "Format", "HiddenLayer",
           "InputError", "Inspection", "InvalidModelError", "Layer", "Model", "ModelNotFoundError",
           "OutOfMemoryError", "QuantizationReport", "Ranges", "RecordingError", "Schema",
           "ShapeError", "UnsupportedError", "__version__", "convert", "formats", "inspect", "load",
           "schemas", "to_parquet"]

__version__ = _text(_lib.mlsched_version())
