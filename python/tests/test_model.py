# SPDX-License-Identifier: GPL-2.0
"""Models from arrays: what they compute, beside NumPy in double precision, and what is refused."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import floats, network
from numpy.typing import NDArray

import mlsched

ACTIVATIONS: dict[str, Any] = {
    "linear": lambda x, a: x,
    "relu": lambda x, a: np.maximum(x, 0),
    "relu6": lambda x, a: np.clip(x, 0, 6),
    "leaky_relu": lambda x, a: np.where(x > 0, x, a * x),
    "elu": lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x, a: 1 / (1 + np.exp(-x)),
    "tanh": lambda x, a: np.tanh(x),
    "softmax": lambda x, a: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
}


def in_double(model: mlsched.Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    x = rows.astype(np.float64)
    if model.normalization:
        mean, deviation = model.normalization
        x = (x - mean) / deviation
    for layer in model.layers:
        x = x @ np.asarray(layer.weights, np.float64)
        x = x if layer.bias is None else x + np.asarray(layer.bias, np.float64)
        x = ACTIVATIONS[layer.activation](x, layer.alpha)
    return x


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_predicts_what_numpy_computes(activation: str, generator: np.random.Generator) -> None:
    layers = [mlsched.Layer(floats(generator, 7, 33) / 3, floats(generator, 33), activation, 0.3),
              mlsched.Layer(floats(generator, 33, 5) / 6, None, activation, 0.1)]
    model = mlsched.Model(layers, mean=floats(generator, 7), deviation=np.linspace(0.5, 2, 7))
    rows = floats(generator, 300, 7)
    assert [layer.activation for layer in model.layers] == [activation] * 2
    assert np.abs(model.predict(rows) - in_double(model, rows)).max() < 1e-5


def test_the_tables_of_activations_are_the_same() -> None:
    from mlsched.model import ACTIVATIONS as known
    assert set(known) == set(ACTIVATIONS)


def test_a_row_does_not_depend_on_its_neighbours(model: mlsched.Model,
                                                 rows: NDArray[np.float32]) -> None:
    together = model.predict(rows)
    assert together.tobytes() == b"".join(model.predict(row).tobytes() for row in rows)
    assert model.predict(rows[0]).shape == (1,) and model.predict(rows[:0]).shape == (0, 1)
    assert np.shape(model.logits(rows[0])) == () and model.decide(rows[:0]).shape == (0,)


def test_logits_decide(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    middle = float(np.median(model.predict(rows)))
    model = model.replace(threshold=middle)
    logits = model.logits(rows).astype(np.float64)
    assert np.allclose(1 / (1 + np.exp(-logits)), model.predict(rows)[:, 0], atol=1e-6)
    assert model.threshold_logit == pytest.approx(np.log(middle / (1 - middle)), rel=1e-5)
    verdicts = model.decide(rows)
    assert verdicts.dtype == np.bool_ and 0 < verdicts.sum() < len(rows)
    assert (verdicts == (logits > model.threshold_logit)).all()


def test_no_single_logit_is_refused_with_the_librarys_sentence(generator: np.random.Generator) -> None:
    model = network(generator, 10, 8, 3)
    with pytest.raises(mlsched.UnsupportedError, match="no single logit"):
        model.logits(np.zeros((1, 10), np.float32))


@pytest.mark.parametrize("shape, got", [((3, 9), "?, 9"), ((11,), "?, 11"), ((2, 3, 10), "2, 3, 10"),
                                        ((), "")])
def test_another_shape_is_refused(model: mlsched.Model, shape: tuple[int, ...], got: str) -> None:
    with pytest.raises(mlsched.ShapeError) as caught:
        model.predict(np.zeros(shape, np.float32))
    assert str(caught.value) == f"Expected shape [?, 10], got [{got}]"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("rows", [np.zeros((1, 10), complex), np.full((1, 10), "1"),
                                  np.full((1, 10), None), np.zeros((1, 10), "datetime64[s]")])
def test_what_is_no_real_number_is_refused(model: mlsched.Model, rows: Any) -> None:
    with pytest.raises(mlsched.InputError, match="expected float32 or what converts to it, got an array of"):
        model.predict(rows)


def test_bad_layers_are_refused(generator: np.random.Generator) -> None:
    one, two = floats(generator, 4, 3), floats(generator, 3, 1)
    with pytest.raises(mlsched.InvalidModelError, match="layer 1: expected 3 inputs, got 2"):
        mlsched.Model([mlsched.Layer(one), mlsched.Layer(two[:2])])
    with pytest.raises(mlsched.InvalidModelError, match="expected 1 to 8 layers, got 0"):
        mlsched.Model([])
    with pytest.raises(mlsched.InvalidModelError):
        mlsched.Model([mlsched.Layer(np.full((4, 3), np.nan))])
    with pytest.raises(mlsched.InvalidModelError):
        mlsched.Model([mlsched.Layer(np.zeros((257, 1)))])
    with pytest.raises(mlsched.ShapeError, match=r"layer 0: bias: Expected shape \[3\], got \[4\]"):
        mlsched.Model([mlsched.Layer(one, np.zeros(4))])
    with pytest.raises(mlsched.InputError, match="expected an activation of linear, relu, .*, got 'gelu'"):
        mlsched.Model([mlsched.Layer(one, None, "gelu")])
    with pytest.raises(mlsched.ShapeError, match=r"expected weights of shape \[inputs, units\]"):
        mlsched.Model([mlsched.Layer(np.zeros(4))])


def test_bad_metadata_is_refused(model: mlsched.Model) -> None:
    with pytest.raises(mlsched.InvalidModelError, match="expected a threshold between 0 and 1, got 1"):
        model.replace(threshold=1.0)
    with pytest.raises(mlsched.ShapeError, match=r"^Expected shape \[\?, 15\], got \[\?, 10\]"):
        model.replace(schema="mig15")
    with pytest.raises(mlsched.InvalidModelError, match="expected a threshold between 0 and 1, got 1"):
        model.replace(threshold=1.0, schema="seed10")
    with pytest.raises(mlsched.InputError, match="schema: expected one of seed10, .*, got 'none'"):
        model.replace(schema="none")
    with pytest.raises(mlsched.InputError, match="expected min <= max"):
        model.replace(calibration=mlsched.Ranges(np.ones(10, np.float32), np.zeros(10, np.float32)))
    with pytest.raises(mlsched.ShapeError, match="calibration"):
        model.replace(calibration=mlsched.Ranges.of(np.zeros((3, 9))))
    with pytest.raises(mlsched.InputError, match="both or none"):
        model.replace(mechanisms=["ask-again"])
    with pytest.raises(mlsched.InputError, match="at most 63 bytes"):
        mlsched.Model(model.layers, producer="x" * 64)
    with pytest.raises(mlsched.ShapeError, match="with n above 0"):
        mlsched.Ranges.of(np.zeros((0, 10)))


def test_replace_leaves_the_model_as_it_is_and_survives_a_file(model: mlsched.Model,
                                                               rows: NDArray[np.float32],
                                                               tmp_path: Path) -> None:
    changed = model.replace(threshold=0.25, calibration=mlsched.Ranges.of(rows),
                            mechanisms=["fork-in-place", "ask-again"], offers_us=[1, 2.5, 1000],
                            provenance={"data": "by hand", "seed": 7})
    assert model.threshold == 0.5 and model.calibration is None and model.mechanisms is None
    assert model.provenance is None and model.offers_us is None
    for name in ("model", "model.onnx", "model.h5", "model.keras"):
        changed.save(tmp_path / name)
        for one in (changed, mlsched.load(tmp_path / name)):
            assert one.checksum == model.checksum and one.schema == "seed10" and one.threshold == 0.25
            assert one.mechanisms == ("fork-in-place", "ask-again") and one.offers_us == (1, 2.5, 1000)
            assert one.provenance is not None and one.provenance["seed"] == 7
            assert one.calibration is not None
            assert (one.calibration.min == rows.min(axis=0)).all()
            assert (one.calibration.max == rows.max(axis=0)).all()
            assert one.predict(rows).tobytes() == model.predict(rows).tobytes()


def test_what_the_scheduler_misses_is_said_and_can_be_said(generator: np.random.Generator,
                                                           tmp_path: Path) -> None:
    foreign = network(generator, 15, 32, 1)
    assert "if its inputs are mig15's, `mlsched convert --schema mig15` says so" in foreign.scheduler_objection
    foreign.save(tmp_path / "foreign.onnx")
    assert mlsched.convert(tmp_path / "foreign.onnx", tmp_path / "own", schema="mig15") == "savedmodel"
    own = mlsched.load(tmp_path / "own")
    assert own.scheduler_objection == "" and own.checksum == foreign.checksum
    looked = mlsched.inspect(own)
    assert looked.kernel_engine and str(looked).splitlines()[-1] == "mlsched run    takes it with --backend scx"
    assert looked.backends == ("scx",)
    assert network(generator, 10, 8, 1).scheduler_objection == ""
    assert "[?, 11]" in network(generator, 11, 8, 1).scheduler_objection
    assert "no single logit" in network(generator, 10, 8, 3).scheduler_objection


def test_replace_keeps_what_the_file_said(model: mlsched.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.onnx")
    loaded = mlsched.load(tmp_path / "model.onnx")
    changed = loaded.replace(threshold=0.75, provenance={"a": [1, {"b": None}]})
    assert (changed.format, changed.producer, changed.schema) == ("onnx", loaded.producer, "seed10")
    again = changed.replace(threshold=0.5)
    assert again.provenance == {"a": [1, {"b": None}]} and again.threshold == 0.5


def test_layers_make_the_same_model_again(generator: np.random.Generator) -> None:
    model = mlsched.Model([mlsched.Layer(floats(generator, 4, 3), floats(generator, 3), "elu", 0.5),
                           mlsched.Layer(floats(generator, 3, 2), None, "softmax")],
                          mean=np.ones(4), deviation=np.full(4, 2.0))
    assert model.normalization is not None
    mean, deviation = model.normalization
    again = mlsched.Model(model.layers, mean=mean, deviation=deviation)
    assert again.checksum == model.checksum
    # What was handed out is the caller's.
    weights = model.layers[0].weights
    assert isinstance(weights, np.ndarray)
    weights[:] = 0
    mean[:] = 0
    assert again.checksum == model.checksum
    assert mlsched.Model(model.layers, mean=np.ones(4), deviation=deviation).checksum == model.checksum


def test_writing_refuses_with_the_librarys_sentence(model: mlsched.Model, tmp_path: Path) -> None:
    (tmp_path / "diary.onnx").write_text("precious")
    with pytest.raises(mlsched.FileError, match="expected a model to replace, found another file"):
        model.save(tmp_path / "diary.onnx")
    assert (tmp_path / "diary.onnx").read_text() == "precious"
    with pytest.raises(mlsched.InputError, match="expected one of savedmodel, .*, found \"pickle\""):
        model.save(tmp_path / "x", format="pickle")
    with pytest.raises(mlsched.InputError, match="form: expected one of variables, frozen, got 'thin'"):
        model.save(tmp_path / "x", form="thin")
    with pytest.raises(mlsched.InputError, match="expected a SavedModel for the form frozen"):
        model.save(tmp_path / "x.onnx", form="frozen")
    with pytest.raises(mlsched.FileError) as caught:
        model.save(tmp_path / "none" / "model")
    assert caught.value.errno == caught.value.code > 0 and isinstance(caught.value, OSError)
    for form in (f for f in mlsched.formats() if not f.can_write):
        with pytest.raises(mlsched.UnsupportedError, match="which can only be read"):
            model.save(tmp_path / f"x{form.suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.onnx"]


def test_a_missing_model_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mlsched.load(tmp_path / "none")
    assert isinstance(caught.value, mlsched.ModelNotFoundError)
    assert str(caught.value).startswith(f"Model not found at path: {tmp_path}/none")


def test_every_error_is_an_mlsched_error_and_can_be_pickled() -> None:
    kinds = [kind for kind in vars(mlsched).values()
             if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 10
    for kind in kinds:
        assert issubclass(kind, mlsched.Error)
        again = pickle.loads(pickle.dumps(kind("what, where, expected, found", 22)))
        assert type(again) is kind and str(again) == "what, where, expected, found" and again.code == 22


def test_a_model_is_not_copied_by_accident(model: mlsched.Model) -> None:
    for attempt in (lambda: pickle.dumps(model), lambda: copy.deepcopy(model), lambda: mlsched.FixedPoint()):
        with pytest.raises(TypeError):
            attempt()


def test_schemas_are_those_of_the_library() -> None:
    known = {schema.name: schema for schema in mlsched.schemas()}
    assert {"seed10": 10, "mllb15": 15, "mig15": 15}.items() <= {
        name: len(schema.features) for name, schema in known.items()}.items()
    assert known["seed10"].features[3].name == "src_dom_load"
    assert known["seed10"].features[3].unit == "fraction"
