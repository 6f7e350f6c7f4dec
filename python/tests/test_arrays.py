# SPDX-License-Identifier: GPL-2.0
"""Memory and threads: what is read where it lies, what is kept, what is freed, and when others run."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import golden, network
from numpy.typing import NDArray

import mlsched


def peak(function: Callable[[], object]) -> int:
    """Bytes that Python and NumPy allocated at the same time during a call."""
    function()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_float32_rows_in_c_order_are_read_where_they_lie(model: mlsched.Model) -> None:
    rows = np.zeros((100_000, 10), np.float32)
    out = np.empty((len(rows), 1), np.float32)
    fixed, integers = model.quantize(), np.empty(len(rows), np.int64)
    features = np.zeros(rows.shape, np.int32)
    assert peak(lambda: model.predict(rows, out=out)) < 20_000
    assert peak(lambda: model.logits(rows, out=out[:, 0])) < 20_000
    assert peak(lambda: fixed.logits(rows, out=integers)) < 20_000
    assert peak(lambda: fixed.logits_q16(features, out=integers)) < 20_000
    # The measure can fail: a copy is seen.
    assert peak(lambda: model.predict(rows.astype(np.float64), out=out)) > rows.nbytes


def test_without_out_only_the_result_is_made(model: mlsched.Model) -> None:
    rows = np.zeros((100_000, 10), np.float32)
    assert peak(lambda: model.predict(rows)) < len(rows) * 4 + 20_000


def big_endian(rows: NDArray[np.float32]) -> NDArray[Any]:
    return rows.astype(">f4")


def misaligned(rows: NDArray[np.float32]) -> NDArray[Any]:
    data = bytearray(rows.nbytes + 1)
    found = np.frombuffer(data, np.float32, rows.size, offset=1).reshape(rows.shape)
    found[...] = rows
    assert not found.flags.aligned
    return found


def read_only(rows: NDArray[np.float32]) -> NDArray[Any]:
    found = rows.copy()
    found.flags.writeable = False
    return found


@pytest.mark.parametrize("form", [
    big_endian, misaligned, read_only, np.asfortranarray, lambda rows: rows.astype(np.float64),
    lambda rows: np.repeat(rows, 2, axis=0)[::2], lambda rows: rows[::-1].copy()[::-1],
    lambda rows: rows.tolist(),
], ids=["big-endian", "misaligned", "read-only", "fortran", "float64", "strided", "reversed", "lists"])
def test_other_arrays_give_the_same_bits(form: Callable[[Any], Any], model: mlsched.Model,
                                         rows: NDArray[np.float32]) -> None:
    other = form(rows)
    wanted = model.predict(rows)
    assert model.predict(other).tobytes() == wanted.tobytes()
    fixed = model.quantize()
    assert (fixed.logits(other) == fixed.logits(rows)).all()


def test_integers_and_booleans_are_rows_too(model: mlsched.Model) -> None:
    ones = model.predict(np.ones((3, 10), np.float32)).tobytes()
    for kind in (np.int8, np.uint64, bool, np.float16):
        assert model.predict(np.ones((3, 10), kind)).tobytes() == ones


@pytest.mark.parametrize("out", [
    np.empty((1000, 1)), np.empty((1000, 1), ">f4"), np.empty(1000, np.float32),
    np.empty((999, 1), np.float32), np.empty((1000, 2), np.float32)[:, :1],
    read_only(np.empty((1000, 1), np.float32)), misaligned(np.zeros((1000, 1), np.float32)),
    [[0.0]] * 1000,
], ids=["float64", "big-endian", "flat", "short", "strided", "read-only", "misaligned", "list"])
def test_an_out_that_does_not_do_is_refused_and_not_written(out: Any, model: mlsched.Model,
                                                            rows: NDArray[np.float32]) -> None:
    before = np.array(out).tobytes()
    with pytest.raises(mlsched.InputError, match="^out: "):
        model.predict(rows, out=out)
    assert np.array(out).tobytes() == before


def test_out_must_not_overlap_the_rows(generator: np.random.Generator) -> None:
    model = network(generator, 10, 8, 10, last="linear")
    rows = np.zeros((4, 10), np.float32)
    before = rows.copy()
    with pytest.raises(mlsched.InputError, match="does not overlap"):
        model.predict(rows[:2], out=rows[1:3])
    assert (rows == before).all()
    assert model.predict(rows[:2], out=rows[2:]) is not None


def test_out_is_what_is_returned(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    out = np.empty((len(rows), 1), np.float32)
    assert model.predict(rows, out=out) is out
    assert out.tobytes() == model.predict(rows).tobytes()
    one = np.empty((1, 1), np.float32)
    assert model.predict(rows[5], out=one) is one and one[0, 0] == out[5, 0]


def test_no_array_is_kept(rows: NDArray[np.float32], generator: np.random.Generator) -> None:
    weights, bias = np.ones((10, 1), np.float32), np.zeros(1, np.float32)
    low, high = rows.min(axis=0), rows.max(axis=0)
    given = [rows, weights, bias, low, high]
    before = [sys.getrefcount(array) for array in given]
    model = mlsched.Model([mlsched.Layer(weights, bias, "sigmoid")], mean=low, deviation=high + 1,
                          calibration=mlsched.Ranges(low, high))
    fixed = model.quantize(rows, min_agreement=0)
    results = [model.predict(rows), model.logits(rows), fixed.logits(rows), model.decide(rows)]
    assert [sys.getrefcount(array) for array in given] == before
    # They may change afterwards: the model has its own.
    checksum = model.checksum
    weights[:], low[:] = 7, 3
    assert model.checksum == checksum and model.calibration is not None
    assert (model.calibration.min == rows.min(axis=0)).all()
    gone = weakref.ref(rows)
    del rows, given
    gc.collect()
    # Only pytest's fixture has it still: results do not point into it.
    assert all(not np.may_share_memory(result, gone()) for result in results if gone() is not None)


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
        "keepcost")]


def c_bytes() -> int:
    """Bytes that malloc() has handed out."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("no mallinfo2(): not glibc 2.33 or later")
    libc.mallinfo2.restype = Mallinfo2
    gc.collect()
    info = libc.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def test_what_the_library_allocates_is_freed_with_the_last_reference(
        generator: np.random.Generator) -> None:
    model = network(generator, 10, 256, 256, 1)
    layers, rows = model.layers, np.zeros((10, 10), np.float32)
    rows[5:] = 1
    size = 256 * 256 * 4

    def use() -> None:
        one = mlsched.Model(layers)
        one.quantize(rows, min_agreement=0).logits(rows)
        with pytest.raises(mlsched.Error):
            one.quantize()
        with pytest.raises(mlsched.Error):
            mlsched.load("/nonexistent")

    use()
    before = c_bytes()
    for _ in range(50):
        use()
    # 50 models would be 50 times their weights.
    assert c_bytes() - before < 5 * size
    kept = [mlsched.Model(layers) for _ in range(50)]
    assert c_bytes() - before > 50 * size
    kept.clear()
    assert c_bytes() - before < 5 * size


def test_what_is_made_of_a_model_outlives_it(generator: np.random.Generator) -> None:
    model, rows = network(generator, 10, 64, 1), np.zeros((10, 10), np.float32)
    rows[5:] = 1
    fixed, layers, checksum = model.quantize(rows, min_agreement=0), model.layers, model.checksum
    wanted = fixed.logits(rows)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    # What is made now lies where the model lay.
    network(generator, 10, 64, 1)
    assert (fixed.logits(rows) == wanted).all()
    assert mlsched.Model(layers).checksum == checksum


def test_predictions_release_the_gil(generator: np.random.Generator) -> None:
    """Seen from Python while the library is at work: the first row is written, the last is not."""
    model = network(generator, 10, 128, 128, 1)
    rows = np.zeros((1 << 17, 10), np.float32)
    out = np.empty((len(rows), 1), np.float32)
    seen = False
    for _ in range(20):
        out[:] = np.nan
        thread = threading.Thread(target=model.predict, args=(rows,), kwargs={"out": out})
        thread.start()
        while thread.is_alive() and not seen:
            seen = not np.isnan(out[0, 0]) and bool(np.isnan(out[-1, 0]))
        thread.join()
        assert not np.isnan(out).any()
        if seen:
            return
    pytest.fail("no other thread ran while a batch was computed")


@pytest.mark.skipif(not golden("models"), reason="no tests/golden here")
def test_loading_goes_on_in_many_threads_beside_processes_of_ones_own() -> None:
    """Keras files are read by a process of the library's: its end is nobody else's, and theirs not its."""
    paths = [path for path in golden("models") if path.suffix in (".h5", ".keras", ".onnx")]
    wanted = {path: mlsched.load(path).checksum for path in paths}
    wrong: list[object] = []
    loaded = threading.Event()

    def load() -> None:
        try:
            wrong.extend(path for path in paths if mlsched.load(path).checksum != wanted[path])
        except mlsched.Error as error:
            wrong.append(error)

    def spawn() -> None:
        while not loaded.is_set():
            if subprocess.run(["sh", "-c", "exit 7"], check=False).returncode != 7:
                wrong.append("a process of ours")

    loaders = [threading.Thread(target=load) for _ in range(4)]
    spawner = threading.Thread(target=spawn)
    for thread in (spawner, *loaders):
        thread.start()
    for thread in loaders:
        thread.join()
    loaded.set()
    spawner.join()
    assert not wrong


def test_one_model_serves_many_threads(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    fixed = model.quantize()
    wanted = model.predict(rows).tobytes(), fixed.logits(rows).tobytes()
    wrong: list[int] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for _ in range(20):
            if (model.predict(rows).tobytes(), fixed.logits(rows).tobytes()) != wanted:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
