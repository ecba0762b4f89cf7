"""Signed faithfulness and the table of predictive accuracy, descriptive accuracy and relevancy."""

import numpy as np
import pytest
import torch
from torch import nn

from awd_core.evidence import (
    AttributionQuality,
    CheckedQuality,
    Interval,
    insertion_deletion,
    insertion_minus_deletion,
    pdr_table,
    signed_faithfulness,
)
from awd_core.report import pdr_part
from awd_core.report.page import render
from awd_core.run import RunFolder
from awd_core.transforms import DWT1d, FourierTransform

X = torch.randn(40, 16, generator=torch.Generator().manual_seed(1)).double()
WEIGHTS = torch.randn(16, 1, generator=torch.Generator().manual_seed(2)).double()


def linear(x):
    return x @ WEIGHTS


def test_right_signs_are_told_from_wrong_ones_and_chance_where_sizes_are_the_same():
    exact = X * WEIGHTS[:, 0]
    scores = {
        name: signed_faithfulness(linear, None, X, given, steps=16).score
        for name, given in {
            "right": exact,
            "wrong": -exact,
            "unsigned": exact.abs(),
            "chance": torch.randn(40, 16, generator=torch.Generator().manual_seed(3)),
        }.items()
    }
    assert scores["right"].low > 0.5
    assert scores["wrong"].value == pytest.approx(-scores["right"].value)
    assert scores["chance"].low < 0 < scores["chance"].high
    assert abs(scores["unsigned"].value) < 0.5 * scores["right"].value
    dwt = DWT1d("haar", levels=1)
    given = dwt(X).map(lambda band: band.numpy())
    same = [insertion_deletion(linear, dwt, X, given.map(lambda band, k=k: k * band)) for k in (1, -1)]
    assert insertion_minus_deletion(same[0]) == insertion_minus_deletion(same[1])


@pytest.mark.parametrize("transform", [DWT1d("haar", levels=2), FourierTransform(16)])
def test_curves_are_what_is_removed_in_coefficients_too(transform):
    coefficients = transform(X)
    flat = (
        coefficients.flatten(1)
        if isinstance(coefficients, torch.Tensor)
        else torch.cat([band.flatten(1) for band in coefficients], 1)
    )
    slopes = transform.adjoint_forward(WEIGHTS[:, 0].expand(40, 16))
    slopes = slopes.flatten(1) if isinstance(slopes, torch.Tensor) else torch.cat(list(slopes), 1)
    exact = (flat * slopes).numpy()
    found = signed_faithfulness(linear, transform, X, exact, steps=4)
    whole = linear(X)[:, 0].numpy()
    assert found.scale == pytest.approx(np.sqrt((whole**2).mean()))
    count = exact.shape[1]
    ordered = -np.sort(-exact, axis=1)
    for step in range(5):
        removed = ordered[:, : round(step / 4 * count)].sum(1).mean() / found.scale
        assert found.for_first[step] == pytest.approx(removed, abs=1e-12)
        removed = ordered[:, count - round(step / 4 * count) :].sum(1).mean() / found.scale
        assert found.against_first[step] == pytest.approx(removed, abs=1e-12)


def test_batches_do_not_matter_and_the_network_keeps_its_mode():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(16, 4), nn.Dropout(), nn.Linear(4, 2)).double()
    one, two = (signed_faithfulness(network, None, X, X, target=1, batch_size=size) for size in (7, 100))
    assert one.score.value == pytest.approx(two.score.value)
    assert network.training


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": X[:1], "attributions": X[:1]}, "there is 1 input"),
        ({"attributions": X[:, :5]}, r"shape \(40, 5\) when flattened; 40 inputs have 16 coefficients"),
        ({"model": lambda x: 0 * x[:, :1]}, "the same when all coefficients are removed"),
        ({"model": lambda x: x}, "give target="),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_bad_signed_faithfulness(change, match):
    given = {"model": linear, "transform": None, "x": X, "attributions": X, "steps": 4} | change
    with pytest.raises(ValueError, match=match):
        signed_faithfulness(*list(given.values())[:4], steps=given["steps"])


def test_the_table_has_all_three_aspects_and_a_part_of_a_report(tmp_path):
    curves = insertion_deletion(linear, DWT1d("haar", levels=1), X, DWT1d("haar", levels=1)(X))
    signed = signed_faithfulness(linear, None, X, X * WEIGHTS[:, 0])
    quality = AttributionQuality(curves=curves, signed=signed)
    assert AttributionQuality.from_dict(quality.to_dict()).signed == signed
    interval = Interval(0.8, 0.7, 0.9, 0.05, 40)
    given = {"predictive": {"teacher, R²": interval, "ten numbers, R²": 0.7}, "answer": "The fine ones."}
    rows = pdr_table(**given, quality=quality, question="Which scales?")
    assert [row.aspect for row in rows] == ["predictive accuracy"] * 2 + ["descriptive accuracy"] * 4 + ["relevancy"]
    assert (rows[0].low, rows[0].high) == (0.7, 0.9)
    assert rows[2].value == pytest.approx(curves.insertion_area - curves.deletion_area)
    assert rows[5].value == signed.score.value
    options = {"question": "Which <scales>?"}
    with RunFolder.open(tmp_path / "run", program="demo", settings={}, options=options, quiet=True) as run:
        part = pdr_part(run, **given, quality=CheckedQuality(quality, {}))
    assert (part.question, part.answer, len(part.table.rows)) == ("Which <scales>?", "The fine ones.", 6)
    html = render("awd_core.report/pdr.html.j2", title="T", pdr=part)
    assert "Which &lt;scales&gt;?" in html
    assert "signed faithfulness" in html
    with RunFolder.open(tmp_path / "silent", program="demo", settings={}, quiet=True) as run:
        silent = pdr_part(run, **given, quality=None)
    assert "--question" in render("awd_core.report/pdr.html.j2", title="T", pdr=silent)
    open_ones = pdr_table(predictive={})
    assert [row.reading for row in open_ones] == ["nothing was checked", "Nothing yet."]


def test_bad_tables():
    with pytest.raises(TypeError, match="the score 'R²' is 'good'; give a number"):
        pdr_table(predictive={"R²": "good"})
    with pytest.raises(TypeError, match="quality is a str"):
        pdr_table(predictive={}, quality="good")
