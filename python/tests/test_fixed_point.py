# SPDX-License-Identifier: GPL-2.0
"""Fixed point: the report against what can be measured from outside, and the integers themselves."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import floats, network
from numpy.typing import NDArray

import mlsched


def test_the_report_says_what_the_verdicts_say(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    fixed = model.quantize(rows, min_agreement=0.9)
    report = fixed.report
    same = fixed.decide(rows) == model.decide(rows)
    assert report.range == "rows" and report.rows == len(rows) and not report.rows_made
    assert report.disagreements == (~same).sum() and report.agreement == same.mean()
    logits = model.logits(rows).astype(np.float64)
    error = np.abs(fixed.logits(rows) / fixed.scale - logits) / logits.std()
    assert report.logit_std == pytest.approx(logits.std(), rel=1e-3)
    assert report.max_error == pytest.approx(error.max(), rel=0.01)
    assert report.median_error == pytest.approx(np.median(error), rel=0.05)
    assert report.inputs == 10 and report.live_inputs == 5
    assert [layer.units for layer in report.hidden] == [32, 16]
    assert len(report.weight_bits) == 3 and report.bytes > 0


def test_the_reports_share_of_active_units_is_right(generator: np.random.Generator) -> None:
    weights, rows = floats(generator, 10, 20), floats(generator, 500, 10)
    model = mlsched.Model([mlsched.Layer(weights, None, "relu"),
                           mlsched.Layer(floats(generator, 20, 1), None, "sigmoid")])
    (hidden,) = model.quantize(rows, min_agreement=0).report.hidden
    assert hidden.active == pytest.approx(float((rows @ weights > 0).mean()), abs=0.01)


def test_numbers_become_features_as_in_the_kernel(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    fixed = model.quantize()
    features = np.rint(rows.astype(np.float64) * 65536).astype(np.int64)
    assert (fixed.logits(rows) == fixed.logits_q16(features)).all()
    assert fixed.logits_q16(features.astype(np.int32)).dtype == np.int64
    assert np.shape(fixed.logits_q16(features[0])) == () and np.shape(fixed.logits(rows[0])) == ()
    assert fixed.schema == "seed10" and fixed.inputs == 10 and fixed.checksum != 0


def test_inputs_outside_of_the_ranges_are_clamped(model: mlsched.Model) -> None:
    fixed = model.quantize()
    edge, beyond = np.zeros((1, 10), np.float32), np.zeros((1, 10), np.float32)
    edge[0, 3], beyond[0, 3] = 1, 30_000
    beyond[0, 9] = 5            # a constant input does nothing
    assert fixed.logits(edge) == fixed.logits(beyond)


def test_too_little_agreement_is_an_error_with_its_report(generator: np.random.Generator) -> None:
    # Ranges by outliers: what rows are like otherwise has few steps left.
    model = network(generator, 10, 32, 1)
    rows = floats(generator, 2000, 10)
    rows[0], rows[1] = 1e4, -1e4
    with pytest.raises(mlsched.AgreementError, match="expected at least 100.000 %") as caught:
        model.quantize(rows, min_agreement=1.0)
    report = caught.value.report
    assert report.disagreements > 0 and report.agreement < 1 and report.rows == 2000
    assert model.quantize(rows, min_agreement=0).report == report


def test_where_ranges_come_from(generator: np.random.Generator, rows: NDArray[np.float32]) -> None:
    model = network(generator, 10, 16, 1)
    with pytest.raises(mlsched.InputError):
        model.quantize()
    schema = model.replace(schema="seed10")
    assert schema.quantize(min_agreement=0).report.range == "schema"
    own = model.replace(calibration=mlsched.Ranges.of(rows))
    report = own.quantize(min_agreement=0).report
    assert report.range == "calibration" and report.rows_made
    assert own.quantize(rows, min_agreement=0).report.range == "rows"


def test_what_has_no_form_in_integers_is_named(generator: np.random.Generator) -> None:
    rows = floats(generator, 100, 10)
    with pytest.raises(mlsched.UnsupportedError, match="layer 0.*tanh|tanh.*layer 0"):
        network(generator, 10, 8, 1, activation="tanh").quantize(rows)
    wide = network(generator, 10, 256, 1).quantize(rows, min_agreement=0)
    assert wide.kernel_objection
    assert network(generator, 10, 64, 64, 1).quantize(rows, min_agreement=0).kernel_objection == ""


def test_bad_rows_are_refused(model: mlsched.Model, rows: NDArray[np.float32]) -> None:
    rows[3, 3] = np.nan
    with pytest.raises(mlsched.InputError, match="row 3|finite"):
        model.quantize(rows)
    with pytest.raises(mlsched.InputError, match="at least one"):
        model.quantize(rows[:0])
    with pytest.raises(mlsched.ShapeError):
        model.quantize(rows[:, :4])
    fixed = model.quantize()
    with pytest.raises(mlsched.InputError, match="expected int32 or what converts to it"):
        fixed.logits_q16(rows)
    with pytest.raises(mlsched.InputError, match="expected numbers of int32, got 0 to 2147483648"):
        fixed.logits_q16(np.array([[0] * 9 + [1 << 31]]))
