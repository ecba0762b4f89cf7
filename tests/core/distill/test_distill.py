"""Distillation: exact gradients, the known wavelet found again, resume to the same bits, clear refusals."""

import json
import math
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch
import zarr

from awd_core import MODES, DWT1d, DWT2d, FreeFilter, SearchSettings, Wavelet, coefficient_attributions, distill_path
from awd_core.attribution.coefficients import l1_norm
from awd_core.attribution.points import METHODS
from awd_core.distill.descent import Descent, curvature_at, descend, distinct, starts
from awd_core.distill.distill import DistillationPath
from awd_core.distill.objective import DistillationObjective
from awd_core.transforms.boundary import synthesis_mode
from awd_core.transforms.dwt import transformed_axes
from awd_core.transforms.l1_norm import Workspace, l1_norm_and_gradient

DOUBLE = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:.*all coefficients will experience boundary effects:UserWarning")
QUICK = SearchSettings(random_starts=4)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def known_truth(hidden: Wavelet, samples: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """White noise, and gradients that are a few synthesis atoms of the hidden wavelet with random strengths."""
    rng = np.random.default_rng(seed)
    dwt = DWT1d(hidden, 3, "zero")
    x = torch.from_numpy(rng.standard_normal((samples, 64)))
    chosen = dwt(x).map(lambda band: torch.from_numpy((rng.random(band.shape[-1]) < 0.15) * 1.0))
    strengths = chosen.map(lambda band: band * torch.from_numpy(rng.standard_normal((samples, len(band)))))
    return x.numpy(), dwt.inverse(strengths, 64).numpy()


@pytest.mark.parametrize("mode", [*MODES, synthesis_mode("periodization")])
@pytest.mark.parametrize(("ndim", "shape"), [(1, (5, 40)), (1, (2, 3, 301)), (2, (3, 37, 50)), (2, (2, 1, 70, 131))])
def test_l1_norm_and_gradient_equal_autograd(mode, ndim, shape):
    x = torch.from_numpy(random(*shape))
    filter_ = FreeFilter("db3", noise=0.1, seed=1, dtype=DOUBLE)
    dwt = (DWT1d if ndim == 1 else DWT2d)(filter_, 3, "zero")
    norm = l1_norm(dwt._decompose(x, mode))
    (gradient,) = torch.autograd.grad(norm, filter_.taps)
    ours, slope = l1_norm_and_gradient(x, filter_.taps.detach(), ndim, 3, mode)
    assert ours == pytest.approx(norm.item(), rel=1e-12)
    torch.testing.assert_close(slope, gradient, rtol=0, atol=1e-11 * float(gradient.abs().max()))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (0.3, 0.7)])
def test_objective_and_its_gradient(method, weights):
    x, g = random(30, 20), random(30, 20, seed=1)
    settings = {
        "length": 8,
        "levels": 2,
        "mode": "symmetric",
        "ndim": 1,
        "method": method,
        "baseline": 0.2,
        "dtype": DOUBLE,
    }
    objective = DistillationObjective(x, g, **settings)
    free = np.array([0.3, -0.4, 0.8])
    value, gradient, terms = objective(free, *weights)

    dwt = DWT1d(Wavelet.from_angles([math.pi / 4 - free.sum(), *free]), 2, "symmetric")
    inputs = torch.from_numpy(x), torch.from_numpy(g)
    sparsity = l1_norm(dwt(inputs[0])).item() / 90
    interpretation = l1_norm(coefficient_attributions(dwt, *inputs, method, baseline=0.2)).item() / 90
    assert value == pytest.approx(weights[0] * sparsity + weights[1] * interpretation, rel=1e-12)
    assert math.isnan(terms.sparsity) == (weights[0] == 0)
    assert math.isnan(terms.interpretation) == (weights[1] == 0)

    numeric = [
        (objective(free + step, *weights)[0] - objective(free - step, *weights)[0]) / 2e-6 for step in 1e-6 * np.eye(3)
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)

    chunked = DistillationObjective(x, g, **settings, chunk_values=7 * 20)
    np.testing.assert_allclose(chunked(free, *weights)[0], value, rtol=1e-13)
    np.testing.assert_allclose(chunked(free, *weights)[1], gradient, rtol=1e-11)


@pytest.mark.parametrize(("name", "start"), [("db3", "coif1"), ("sym4", "db4")])
def test_the_hidden_wavelet_is_found_by_the_interpretation_term_alone(name, start):
    hidden = Wavelet.from_name(name)
    X, gradients = known_truth(hidden, 2000, seed=2)
    path = distill_path(X, gradients, wavelet=start, levels=3, shares=[0, 1], search=QUICK, dtype=DOUBLE)
    assert path[1].wavelet.distance(hidden) < 1e-3
    assert path[0].wavelet.distance(hidden) > 0.05
    assert Wavelet.from_name(start).distance(hidden) > 0.05


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray]:
    return known_truth(Wavelet.from_name("db2"), 200, seed=3)


def test_the_path(problem):
    path = distill_path(*problem, wavelet="db3", levels=2, shares=[0, 0.25, 0.5, 1], search=QUICK)
    assert isinstance(path, DistillationPath)
    assert [point.share for point in path] == [0, 0.25, 0.5, 1]
    assert len(path[1:3]) == 2
    scale = path.start_sparsity, path.start_interpretation
    for point in path:
        assert point.wavelet.certificate().is_orthonormal(1e-12)
        assert point.wavelet.length == 6
        expected = (1 - point.share) * point.sparsity / scale[0] + point.share * point.interpretation / scale[1]
        assert point.objective == pytest.approx(expected, rel=1e-5)  # float32 sums
        assert point.objective <= 1 + 1e-6  # never worse than the start
        assert point.best.objective == min(d.objective for d in point.descents if d.start.startswith("refined"))
        assert point.wavelet.metadata["share"] == point.share
    assert path[0].ratio == 0
    assert path[2].ratio == pytest.approx(scale[0] / scale[1])
    assert path[3].ratio == math.inf
    # A larger share buys sparser attributions with less sparse inputs.
    assert path[3].interpretation <= path[0].interpretation * (1 + 1e-6)
    assert path[0].sparsity <= path[3].sparsity * (1 + 1e-6)
    assert "4 shares, 0 to 1" in repr(path)


def test_same_seed_same_bits_and_other_sources(problem, tmp_path):
    X, gradients = (array.astype(np.float32) for array in problem)
    settings = {
        "wavelet": "db2",
        "levels": 2,
        "shares": [0.5],
        "search": SearchSettings(random_starts=1, small_batch=64 * 50),
    }
    first = distill_path(X, gradients, **settings, seed=1)[0].wavelet
    assert distill_path(torch.from_numpy(X), torch.from_numpy(gradients), **settings, seed=1)[0].wavelet == first
    stored = [zarr.create_array(tmp_path / name, data=array) for name, array in (("x", X), ("g", gradients))]
    assert distill_path(*stored, **settings, seed=1)[0].wavelet == first


def test_batch_upon_batch(problem):
    X, gradients = problem
    search = SearchSettings(random_starts=4, small_batch=64 * 20, medium_batch=64 * 50)
    path = distill_path(X, gradients, wavelet="db3", levels=2, shares=[0, 0.5], search=search)
    straight = distill_path(X, gradients, wavelet="db3", levels=2, shares=[0, 0.5], search=QUICK)
    for point, other in zip(path, straight, strict=True):
        kinds = [d.start.split()[0] for d in point.descents if d.start.startswith(("medium", "refined"))]
        assert kinds == sorted(kinds)
        assert set(kinds) == {"medium", "refined"}
        # Both end on all of the data, in float32, either perhaps at a kink beside the minimum.
        assert point.objective == pytest.approx(other.objective, rel=1e-5)
        assert point.wavelet.distance(other.wavelet) < 1e-3
        assert point.objective == point.best.objective
    assert not any(d.start.startswith("medium") for d in straight[0].descents)  # all of the data is small enough


def test_known_curvature_keeps_the_search_near(problem):
    X, gradients = problem
    objective = DistillationObjective(X, gradients, length=8, levels=3, mode="zero", ndim=1, dtype=DOUBLE)
    scale = objective(np.zeros(3), 1.0, 1.0)[2].interpretation
    whole = descend(objective, np.array([0.3, -0.2, 0.1]), "plain", 0.0, 1 / scale)
    beside = whole.free_angles + np.array([0.02, -0.01, 0.015])
    curvature = curvature_at(objective, whole.free_angles, 0.0, 1 / scale)
    assert np.allclose(curvature, curvature.T, rtol=1e-9)
    assert np.linalg.eigvalsh(curvature).min() > 0
    tried = []

    class Watched:
        evaluations = 0

        def __call__(self, free, *weights):
            tried.append(free)
            return objective(free, *weights)

    newton = descend(Watched(), beside, "newton", 0.0, 1 / scale, curvature=curvature)
    assert newton.objective == pytest.approx(whole.objective, rel=1e-5)  # either may end at a kink nearby
    assert max(np.abs(free - beside).max() for free in tried) < 0.5
    # The values that are recorded are those of the objective itself, not those in the other coordinates.
    last = newton.steps[-1]
    assert objective(np.array(last.free_angles), 0.0, 1 / scale)[0] == pytest.approx(last.objective, rel=1e-12)


def test_curvature_is_the_second_derivative():
    class Bowl:
        def __call__(self, free, sparsity, interpretation):
            matrix = sparsity * np.array([[3.0, 1.0], [1.0, -2.0]])
            return 0.5 * free @ matrix @ free, matrix @ free, None

    values = np.linalg.eigvalsh(curvature_at(Bowl(), np.array([0.4, -1.0]), 2.0, 0.0))
    expected = np.abs(np.linalg.eigvalsh([[6.0, 2.0], [2.0, -4.0]]))  # what is negative changes its sign
    assert np.allclose(values, np.sort(expected), rtol=1e-9)


def test_threads_are_left_as_they_were(problem):
    X, gradients = problem
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        objective = DistillationObjective(X, gradients, length=4, levels=2, mode="zero", ndim=1)
        objective(np.zeros(1), 1.0, 1.0)
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="must match the size"):
            objective(np.zeros(7), 1.0, 1.0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_memory_that_is_used_again_changes_nothing():
    memory, taps = Workspace(), torch.from_numpy(Wavelet.from_name("db3").taps.copy())
    for seed, shape in ((0, (4, 70, 66)), (1, (4, 70, 66)), (2, (3, 35, 80)), (3, (4, 70, 66))):
        x = torch.from_numpy(random(*shape, seed=seed))
        fresh = l1_norm_and_gradient(x, taps, 2, 3, "symmetric")
        again = l1_norm_and_gradient(x, taps, 2, 3, "symmetric", memory)
        assert fresh[0] == again[0]
        assert torch.equal(fresh[1], again[1])


def test_images():
    image, slopes = random(6, 1, 24, 30), random(6, 1, 24, 30, seed=1)
    path = distill_path(image, slopes, wavelet="db2", levels=2, shares=[0.5], search=SearchSettings(random_starts=1))
    assert path.settings["ndim"] == 2
    assert path[0].objective < 1


def test_two_taps_have_nothing_to_learn():
    path = distill_path(random(4, 16), random(4, 16, seed=1), wavelet="haar", levels=1, shares=[0.5], search=QUICK)
    assert path[0].wavelet.distance(Wavelet.from_name("haar")) < 1e-15
    assert path[0].objective == pytest.approx(1)


def test_progress_and_record(problem, tmp_path):
    seen = []
    settings = {"wavelet": "db2", "levels": 2, "shares": [0, 1], "search": QUICK}
    path = distill_path(
        *problem,
        **settings,
        checkpoint=tmp_path / "c.json",
        progress=lambda done, total, name: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == list(range(len(seen)))
    assert all(done <= total for done, total in seen)
    record = json.loads((tmp_path / "c.json").read_text())
    assert len(record["searches"]) <= len(seen)
    # Finished searches are not run again.
    again = distill_path(*problem, **settings, checkpoint=tmp_path / "c.json")
    assert [point.wavelet for point in again] == [point.wavelet for point in path]
    assert [d.seconds for d in again[0].descents] == [d.seconds for d in path[0].descents]
    with pytest.raises(ValueError, match=r"checkpoint .*c\.json belongs to another problem: seed differ"):
        distill_path(*problem, **settings, checkpoint=tmp_path / "c.json", seed=5)


def test_killed_at_any_moment_it_ends_with_the_same_bits(tmp_path):
    script = textwrap.dedent("""
        import sys
        import numpy as np, torch
        from awd_core import distill_path, SearchSettings
        torch.set_num_threads(1)
        rng = np.random.default_rng(0)
        X, G = rng.standard_normal((2, 400, 32)).astype("float32")
        path = distill_path(X, G, wavelet="db4", levels=2, shares=[0, .5, 1], checkpoint=sys.argv[1],
                            search=SearchSettings(random_starts=6))
        print([tap.hex() for point in path for tap in point.wavelet.taps.tolist()])
    """)
    command = [sys.executable, "-W", "ignore", "-c", script]
    whole = subprocess.run([*command, tmp_path / "whole.json"], capture_output=True, text=True, check=True).stdout
    checkpoint = tmp_path / "killed.json"
    rng = np.random.default_rng(4)
    for _ in range(3):
        process = subprocess.Popen([*command, checkpoint], stdout=subprocess.DEVNULL)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        # Killed a moment after it wrote something, so that every round gets somewhere.
        while process.poll() is None and (checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0) == before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run([*command, checkpoint], capture_output=True, text=True, check=True).stdout == whole


def test_starts_are_named_and_seeded():
    first = dict(starts(Wavelet.from_name("coif1"), 3, 7))
    assert {"coif1", "coif1 reversed", "db3", "db3 reversed", "random 2"} <= set(first)
    again, other = dict(starts(Wavelet.from_name("coif1"), 3, 7)), dict(starts(Wavelet.from_name("coif1"), 3, 8))
    assert "sym3" not in first  # the same as db3
    assert np.array_equal(first["random 0"], again["random 0"])
    assert not np.array_equal(first["random 0"], other["random 0"])


def test_distinct_minima():
    def ended(angles: list[float], objective: float) -> Descent:
        return Descent.from_dict(
            {"start": "x", "steps": [[angles, None, 1.0, objective]], "evaluations": 1, "seconds": 0}
        )

    found = [ended([0.3, 0.1], 2.0), ended([0.3, 0.10001], 1.0), ended([0.9, 0.1], 3.0), ended([1.2, 0], 4.0)]
    assert [descent.objective for descent in distinct(found, most=2)] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradients": random(9, 16)}, r"\(10, 16\).*\(9, 16\)"),
        ({"gradients": np.zeros((10, 16))}, "zero"),
        ({"gradients": np.full((10, 16), np.nan)}, "finite"),
        ({"shares": []}, "the path is empty; give at least one share"),
        ({"shares": [0, 1.5]}, r"the shares are \[0\.0, 1\.5\]; they must lie between 0 and 1"),
        ({"shares": [0.5, 0.5]}, "and increase"),
        ({"wavelet": "db20"}, "there are 10 inputs for 19 free angles of 40 taps; give more inputs"),
        ({"method": "guess"}, "method is 'guess'.*; choose one of saliency"),
        ({"mode": "mirror"}, "mode is 'mirror'"),
        ({"levels": 0}, "levels is 0"),
        ({"ndim": 2}, r"X has shape \(10, 16\) and ndim is 2"),
        ({"wavelet": "dmey"}, "dmey"),
        ({"X": np.zeros((10, 16))}, "all coefficients are zero at db2, so there is nothing to make sparse"),
        ({"baseline": np.zeros((10, 16))}, r"the baseline has shape \(10, 16\); give a number, or .* shape \(16,\)"),
    ],
)
def test_refusals(change, message):
    arguments = {"X": random(10, 16), "gradients": random(10, 16, seed=1), "wavelet": "db2", "levels": 2, **change}
    with pytest.raises(ValueError, match=message):
        distill_path(**arguments)


def test_read_only_arrays(tmp_path):
    np.save(tmp_path / "x.npy", random(20, 16))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    path = distill_path(mapped, mapped, wavelet="db2", levels=1, shares=[0.5], search=SearchSettings(random_starts=0))
    assert path[0].objective <= 1


def test_three_axes_are_ambiguous():
    with pytest.raises(ValueError, match="may be series with channels or images; give ndim=1 or ndim=2"):
        transformed_axes((3, 4, 5), None)
    assert transformed_axes((3, 4, 5), 2) == 2
    assert transformed_axes((3, 4, 5), 1) == 1


@pytest.mark.parametrize(
    "name", ["random_starts", "small_batch", "medium_batch", "large_batch", "finalists", "iterations"]
)
def test_search_settings_are_checked(name):
    for bad in (-1, True, 2.5):
        with pytest.raises(ValueError, match=f"{name} is {bad}; it must be . or more, a whole number"):
            SearchSettings(**{name: bad})
    assert type(getattr(SearchSettings(**{name: np.int64(7)}), name)) is int


def test_attributions_are_checked():
    dwt, x = DWT1d("db2", 1), torch.zeros(3, 8)
    with pytest.raises(ValueError, match="method is 'lime'"):
        coefficient_attributions(dwt, x, x, "lime")
    with pytest.raises(ValueError, match=r"x has shape \(3, 8\) and its gradients \(3, 7\)"):
        coefficient_attributions(dwt, x, x[:, :7])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"settings": {}}', b'{"settings": [], "searches": {"a": {}}}', b"\xff"]
)
def test_a_checkpoint_that_is_damaged_is_named(tmp_path, content):
    place = tmp_path / "path.json"
    place.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"path\.json cannot be read as a checkpoint of distill_path: .*or delete it to start"
    ):
        distill_path(random(4, 16), random(4, 16, seed=1), wavelet="db2", levels=2, shares=(0, 1), checkpoint=place)
    assert place.read_bytes() == content
