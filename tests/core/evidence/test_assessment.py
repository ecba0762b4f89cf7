"""The checks of a distilled wavelet: made on some inputs, once, with the same bits; left open where they cannot be."""

import json

import jinja2
import numpy as np
import pytest
import torch
from torch import nn

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import input_gradients
from awd_core.distill.distill import SearchSettings
from awd_core.evidence.assessment import attribution_quality
from awd_core.evidence.checks import insertion_deletion, seed_agreement
from awd_core.evidence.quality import DEVIATIONS, AttributionQuality, Completeness
from awd_core.evidence.quality_record import CheckedQuality, QualitySettings
from awd_core.report.page import data_uri, number
from awd_core.report.quality import quality_part
from awd_core.report.quality_figures import curves_figure
from awd_core.run.folder import RunFolder
from awd_core.teacher.networks import MLP
from awd_core.transforms.dwt import DWT1d
from awd_core.wavelets.wavelet import Wavelet

WAVELET = Wavelet.from_name("db2")
SETTINGS = QualitySettings(
    inputs=30, steps=4, search=SearchSettings(random_starts=1, small_batch=1 << 10, large_batch=1 << 11, finalists=1)
)


def network(seed, shape=(24,), n_out=1):
    torch.manual_seed(seed)
    return MLP(int(np.prod(shape)), hidden=(16,), n_out=n_out, activation="tanh").double()


def inputs(shape=(24,), m=50):
    return np.random.default_rng(0).standard_normal((m, *shape))


def checked(model, X, *, method="saliency", target=None, **options):
    gradients = input_gradients(model, X, target, method=method)
    options = {"levels": 2, "settings": SETTINGS, "seed": 3} | options
    return attribution_quality(model, X, gradients, WAVELET, target=target, method=method, **options)


def outcomes(found):
    return [finding.outcome for finding in found.quality.verdict()]


def test_what_is_found_is_what_the_checks_find():
    model, other, X = network(1), network(2), inputs()
    whole = QualitySettings(steps=4, top=0.2, search=SETTINGS.search)
    found = checked(model, X, method="integrated_gradients", others=[other], settings=whole)
    quality, dwt, x = found.quality, DWT1d("db2", 2, "zero"), torch.from_numpy(X)
    both = [
        coefficient_attributions(
            dwt, x, torch.from_numpy(input_gradients(teacher, X, method="integrated_gradients")), "integrated_gradients"
        )
        for teacher in (model, other)
    ]
    assert quality.curves.insertion == insertion_deletion(model, dwt, x, both[0], steps=4).insertion
    assert quality.agreement == seed_agreement(both, top=0.2)
    assert quality.completeness.relative < 1e-8  # quadrature of a smooth network with 50 points
    assert quality.randomised.trained_distance >= 0
    assert quality.reasons == {}
    assert (found.asked["inputs"], found.asked["of"]) == (50, 50)


def test_some_inputs_are_drawn_by_the_seed():
    model, X = network(1), inputs()
    one, same, other = (checked(model, X, seed=seed) for seed in (3, 3, 4))
    assert one.to_dict() == same.to_dict()
    assert one.quality.curves != other.quality.curves
    assert one.quality.random_curves != other.quality.random_curves
    assert one.asked["inputs"] == 30
    assert one.asked["X"] != other.asked["X"]
    assert json.loads(json.dumps(one.to_dict(), allow_nan=False)) == one.to_dict()


def test_it_is_looked_up_where_it_was_looked_at_before(tmp_path):
    model, X, store = network(1), inputs(), tmp_path / "quality.json"
    first = checked(model, X, store=store)
    content, modified = store.read_bytes(), store.stat().st_mtime_ns
    steps = []
    again = checked(model, X, store=store, progress=lambda done, total, what: steps.append(done))
    assert again.to_dict() == first.to_dict()
    assert (steps, store.stat().st_mtime_ns) == ([], modified)
    # Another question, and a file that is damaged.
    assert checked(model, X, store=store, others=[network(2)]).quality.agreement is not None
    assert store.read_bytes() != content
    for damaged in (b"{", b"[]", b"{}", content[:-40] + b"}"):
        store.write_bytes(damaged)
        checked(model, X, store=store, progress=lambda done, total, what: steps.append(done))
        assert store.read_bytes() == content
    assert steps == [0, 1, 2, 3, 4, 5] * 4


def test_images_with_channels_and_several_predictions():
    shape = (2, 8, 8)
    model, X = network(1, shape, n_out=3), inputs(shape, 20)
    found = checked(model, X, method="input_x_gradient", target=2, ndim=2, levels=1, mode="symmetric")
    assert outcomes(found)[2] == "open"
    assert found.quality.completeness.method == "input_x_gradient"
    assert found.quality.curves.insertion_area > found.quality.curves.deletion_area


def test_more_levels_than_fit_are_no_reason_to_warn():
    assert checked(network(1), inputs(), levels=6).quality.curves is not None


def test_why_a_check_was_not_made_is_said():
    found = checked(network(1), inputs())
    reasons = found.quality.reasons
    assert set(reasons) == {"completeness", "agreement", "signed"}
    assert "saliency promises no sum" in reasons["completeness"]
    assert reasons["agreement"] == "there was but one teacher."
    assert found.quality.headline.startswith(("As far as is known", "Not without care"))


class Scaled(nn.Module):
    """Parameters of its own, and no way to reset them."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(24))

    def forward(self, x):
        return torch.tanh(x * self.scale).sum(dim=1)


def test_a_network_that_cannot_be_reset_needs_its_factory():
    torch.manual_seed(0)
    model, X = Scaled().double(), inputs()
    open_ = checked(model, X).quality
    assert open_.randomised is None
    assert "has parameters but no reset_parameters()" in open_.reasons["randomised"]
    made = checked(model, X, factory=Scaled).quality  # in float32, while the model is in float64
    assert made.randomised is not None
    # A factory that is not needed is not used: it knows nothing of the scales that a network has learnt.
    assert checked(network(1), X, factory=Scaled).to_dict() == checked(network(1), X).to_dict()


def test_predictions_that_do_not_change_leave_the_check_open():
    class Even(nn.Module):
        """Zero at the inputs (±1) and at zero, with a slope at the inputs."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(24, 24)

        def forward(self, x):
            return (x * (1 - x**2)).sum(dim=1) + 0 * self.layer(x).sum(dim=1)

    X = np.sign(inputs())
    found = checked(Even().double(), X, method="input_x_gradient")
    assert "are all the same; give another baseline" in found.quality.reasons["completeness"]
    assert outcomes(found)[1] == "open"


def test_what_does_not_fit_is_refused():
    model, X = network(1), inputs()
    gradients = input_gradients(model, X)
    with pytest.raises(ValueError, match=r"gradients must have the shape \(50, 24\) of X, got \(49, 24\)"):
        attribution_quality(model, X, gradients[1:], WAVELET, levels=2)
    with pytest.raises(ValueError, match=r"method is 'shap'.*; choose one of saliency"):
        attribution_quality(model, X, gradients, WAVELET, levels=2, method="shap")
    with pytest.raises(ValueError, match=r"two of the teachers are the same network"):
        checked(model, X, others=[network(2), network(1)])
    with pytest.raises(ValueError, match=r"target=1 is no index of one prediction"):
        attribution_quality(model, X, gradients, WAVELET, levels=2, target=1, settings=SETTINGS)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"steps": True}, r"steps is True; give a positive whole number"),
        ({"inputs": 0}, r"inputs is 0; give a positive whole number"),
        ({"repeats": 1}, r"repeats is 1; give a whole number, 2 or more"),
        ({"top": 1.5}, r"top is 1.5; give a share of the coefficients"),
    ],
)
def test_other_settings_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        QualitySettings(**option)


@pytest.mark.parametrize(
    ("shape", "count"), [((100, 40), 100), ((5000, 40), 256), ((2000, 256, 256), 16), ((2000, 1024, 1024), 8)]
)
def test_the_cost_is_bounded(shape, count):
    assert QualitySettings().count(shape) == count


# --- the report -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found():
    return checked(network(1), inputs(), method="integrated_gradients", others=[network(2)])


def rendered(part):
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader({"awd_core.report": jinja2.PackageLoader("awd_core.report")}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"uri": data_uri, "number": number}
    return environment.get_template("awd_core.report/quality.html.j2").render(quality=part)


def part_of(checked_quality, folder, **options):
    with RunFolder.open(folder, program="demo", settings={}, quiet=True) as run:
        return quality_part(checked_quality, run, **options)


def test_the_section_says_what_was_found(found, tmp_path):
    part = part_of(found, tmp_path, hints=["Try <this>."])
    html = rendered(part)
    assert found.quality.headline in html
    for finding in found.quality.verdict():
        assert f'class="{finding.outcome}"' in html
    assert "Looked at on 30 of 50 inputs, drawn at random." in " ".join(html.split())
    assert "Try &lt;this&gt;." in html
    assert (tmp_path / "figures" / "quality.png").read_bytes() == part.picture.image
    assert part.picture.narrow is not None
    values = {(row[0], row[1]): row[2] for row in part.table.rows}
    assert values["order", "area while coefficients are put back"] == found.quality.curves.insertion_area
    assert values["no training", "distance between the wavelets"] == found.quality.randomised.distance
    assert len(part.table.rows) == 12 + 2 * len(found.quality.rivals)
    (fact,) = part.facts
    passed = outcomes(found).count("pass")
    assert fact[1] == f"{passed} of 4"


def test_the_section_says_why_nothing_was_checked(tmp_path):
    part = part_of("Without the network it could not be checked.", tmp_path)
    html = rendered(part)
    assert "Without the network it could not be checked." in html
    assert "<figure" not in html
    assert part.facts == []
    assert not (tmp_path / "figures").exists()


def test_a_single_check_has_a_section_too(tmp_path):
    only = CheckedQuality(AttributionQuality(completeness=Completeness(0.1, 0.2)), {"inputs": 4, "of": 4})
    part = part_of(only, tmp_path)
    html = rendered(part)
    assert html.count("Not checked") == 3
    assert "drawn at random" not in html
    assert len(part.table.rows) == 2
    assert part.facts[0][1] == "0 of 1"


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figure_shows_the_numbers(found, narrow):
    curves, random = found.quality.curves, found.quality.random_curves
    for axes, which in zip(curves_figure(curves, random, narrow=narrow).axes, ("insertion", "deletion"), strict=True):
        chance, mine = axes.get_lines()[:2]
        np.testing.assert_allclose(mine.get_ydata(), 100 * np.array(getattr(curves, which)))
        np.testing.assert_allclose(chance.get_ydata(), 100 * np.array(getattr(random, which)))
        (band,) = axes.collections
        heights = band.get_paths()[0].vertices[:, 1]
        middle = 100 * (getattr(random, which)[2] + DEVIATIONS * getattr(random, f"{which}_error")[2])
        assert np.isclose(heights, middle).any()
        assert axes.get_xlabel()
        assert axes.get_ylabel()
