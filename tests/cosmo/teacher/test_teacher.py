"""The teacher for maps: what it accepts, what it refuses, augmentation, averaging, files and resumption."""

import numpy as np
import pytest
import torch
import zarr
from safetensors.torch import save_file
from sklearn.base import clone

from awd_core.attribution.gradients import input_gradients
from awd_core.teacher.checkpoint import State
from awd_core.teacher.teacher import Teacher
from awd_cosmo.maps import observe
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.teacher.augmentation import OverTurns, SkyAugmentation, oriented
from awd_cosmo.teacher.resnet import ResNet18, ResNet34
from awd_cosmo.teacher.teacher import MapTeacher, _held_out

SIDE, N = 16, 48
QUICK = {"width": 2, "max_epochs": 1, "accelerator": "cpu", "batch_size": 16}


class Flat(torch.nn.Module):
    """A network that is none of ours, and asks for the axis of channels."""

    def __init__(self, size=SIDE):
        super().__init__()
        self.linear = torch.nn.Linear(size * size, 1)

    def forward(self, x):
        assert x.ndim == 4
        return self.linear(x.flatten(1))[:, 0]


def problem(n=N, side=SIDE, seed=0):
    """Maps whose amplitude tells the first parameter, and whose mean the second."""
    rng = np.random.default_rng(seed)
    y = np.column_stack([rng.uniform(0.1, 0.5, n), rng.uniform(1.5, 2.5, n)])
    maps = y[:, :1, None] * rng.normal(0, 0.1, (n, side, side)) + 0.05 * (y[:, 1:, None] - 2)
    return maps.astype(np.float32), y


@pytest.fixture(scope="module")
def fitted():
    X, y = problem()
    return MapTeacher(targets=("Omega_m", "A_s"), **QUICK).fit(X, y)


def map_set(n=N, cosmologies=8):
    X, _ = problem(n)
    omega = np.repeat(np.linspace(0.1, 0.5, cosmologies), n // cosmologies)
    return MapSet.from_arrays(X, pixel_scale=0.5, parameters={"Omega_m": omega, "A_s": 2 + omega})


def test_learns_an_amplitude():
    X, y = problem(256)
    options = QUICK | {"max_epochs": 6, "learning_rate": 0.02}
    teacher = MapTeacher(small_input=False, seed=1, **options)
    teacher.fit(X[:192], y[:192, 0], validation=(X[192:224], y[192:224, 0]))
    assert teacher.score(X[224:], y[224:, 0]) > 0.5  # other seeds come to 0.71 to 0.86
    assert isinstance(teacher, Teacher)


def test_shapes_of_inputs_and_outputs(fitted):
    X, y = problem()
    expected = fitted.predict(X)
    assert expected.shape == (N, 2)
    assert fitted.input_shape_ == (SIDE, SIDE)
    for same in (X[:, None], torch.from_numpy(X), X.astype(">f4"), zarr.array(X, chunks=(7, SIDE, SIDE))):
        np.testing.assert_array_equal(fitted.predict(same), expected)
    module = fitted.as_torch()
    # batches of other sizes: float32 sums in another order
    for maps in (X, X[:, None]):
        np.testing.assert_allclose(module(torch.from_numpy(maps)).numpy(), expected, rtol=1e-5)
    one = MapTeacher(**QUICK).fit(X, y[:, 0])
    assert one.predict(X).shape == (N,)
    assert one.module_.network.network.fc.out_features == 1


@pytest.mark.parametrize(("side", "kernel", "width"), [(99, (3, 3), 8), (100, (7, 7), 16)])
def test_stem_and_width_follow_the_size_of_the_maps(side, kernel, width, tmp_path):
    X, y = problem(4, side)
    teacher = MapTeacher(max_epochs=1, accelerator="cpu").fit(X, y[:, 0], validation=None)
    assert teacher.module_.network.network.conv1.weight.shape == (width, 1, *kernel)
    teacher.save(tmp_path / "teacher.safetensors")
    again = MapTeacher.load(tmp_path / "teacher.safetensors")
    assert (again.width, again.small_input) == (width, width == 8)
    np.testing.assert_array_equal(again.predict(X), teacher.predict(X))
    again.save(tmp_path / "again.safetensors")
    assert (teacher.width, teacher.small_input) == (None, None)


def test_gradients_with_and_without_the_axis_of_channels(fitted):
    X, _ = problem(5)
    gradients = [input_gradients(fitted.as_torch(), maps, target=1) for maps in (X, X[:, None])]
    assert (gradients[0].shape, gradients[1].shape) == ((5, SIDE, SIDE), (5, 1, SIDE, SIDE))
    np.testing.assert_array_equal(gradients[0], gradients[1][:, 0])
    assert np.abs(gradients[0]).max() > 0


def test_zarr_and_memory_train_alike():
    X, y = problem()
    stored = zarr.array(X, chunks=(N, SIDE, SIDE))
    kept = [MapTeacher(turns=False, **QUICK).fit(maps, y[:, 0], validation=0.25).history_ for maps in (X, stored)]
    # the batches are shuffled otherwise, so only the scale of the losses is the same
    assert kept[0][0]["valid_loss"] == pytest.approx(kept[1][0]["valid_loss"], rel=0.5)


def test_map_sets_bring_their_parameters_and_hold_out_cosmologies():
    maps = map_set()
    omega = maps.parameters(["Omega_m"])[:, 0]
    teacher = MapTeacher(**QUICK).fit(maps, validation=0.25)
    arrays = MapTeacher(**QUICK).fit(maps.read(), omega, cosmology=maps.table["cosmology"], validation=0.25)
    np.testing.assert_array_equal(teacher.predict(maps), arrays.predict(maps.read()))
    assert teacher.score(maps) == arrays.score(maps.read(), omega)
    held = [arrays_held(seed) for seed in range(5)]
    assert all(len(h) == 2 and n == 12 for h, n in held)
    assert len({tuple(h) for h, _ in held}) > 1
    given = MapTeacher(("A_s",), **QUICK).fit(maps.select(np.arange(36)), validation=maps.select(np.arange(36, N)))
    assert given.predict(maps).shape == (N,)
    weighted = MapTeacher(**QUICK).fit(maps, validation=0.25, sample_weight=np.ones(N))
    np.testing.assert_array_equal(weighted.predict(maps), teacher.predict(maps))


def arrays_held(seed):
    cosmology = np.repeat(np.arange(8), 6)
    held = _held_out(cosmology, N, 0.25, seed)
    chosen = np.unique(cosmology[held])
    assert not set(chosen) & set(cosmology[~held])
    return chosen.tolist(), int(held.sum())


def test_missing_pixels():
    X, y = problem()
    X[3, :4] = np.nan
    with pytest.raises(ValueError, match=r"X has pixels that were not observed \(NaN\), first in map 3: .*missing=0.0"):
        MapTeacher(**QUICK).fit(X, y[:, 0])
    teacher = MapTeacher(missing=0.0, **QUICK).fit(X, y[:, 0])
    np.testing.assert_array_equal(teacher.predict(X), teacher.predict(np.nan_to_num(X)))


def test_networks_of_ones_own_and_several_channels(tmp_path):
    X, y = problem()
    own = MapTeacher(factory=Flat, **QUICK).fit(X, y[:, 0])
    own.save(tmp_path / "own.safetensors")
    again = MapTeacher.load(tmp_path / "own.safetensors", factory=Flat)
    np.testing.assert_array_equal(again.predict(X), own.predict(X))
    planes = np.stack([X, X**2, X**3], axis=1)
    deep = MapTeacher(factory=ResNet34, factory_kwargs={"in_channels": 3}, **QUICK).fit(planes, y[:, 0])
    assert deep.predict(planes).shape == (N,)
    assert deep.input_shape_ == (3, SIDE, SIDE)


def test_a_start_from_given_weights(tmp_path):
    torch.manual_seed(5)
    wide = ResNet18(in_channels=3, outputs=1000)
    save_file(wide.state_dict(), tmp_path / "w.safetensors")

    def pretrained():
        network = ResNet18()
        network.load_torchvision(tmp_path / "w.safetensors")
        return network

    network, _ = MapTeacher(factory=pretrained)._network()
    torch.testing.assert_close(network.network.layer2[0].conv1.weight, wide.layer2[0].conv1.weight, rtol=0, atol=0)


def test_save_load_and_clone(fitted, tmp_path):
    X, _ = problem()
    fitted.save(tmp_path / "teacher.safetensors")
    again = MapTeacher.load(tmp_path / "teacher.safetensors")
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(again.predict(X, average=True), fitted.predict(X, average=True))
    assert (again.width, list(again.targets), again.turns) == (2, ["Omega_m", "A_s"], True)
    assert again.history_ == fitted.history_
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    X, y = problem()
    options = QUICK | {"max_epochs": 4, "noise": 0.01, "noise_smoothing": 0.5}
    held = X[36:], y[36:, 0]
    whole = MapTeacher(**options).fit(X[:36], y[:36, 0], validation=held)

    class StoppedError(Exception):
        pass

    save, stored = State.save, []

    def save_twice(state, **place):
        save(state, **place)
        stored.append(state)
        if len(stored) == 2:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "save", save_twice)
        with pytest.raises(StoppedError):
            MapTeacher(**options).fit(X[:36], y[:36, 0], validation=held, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="noise"):
        MapTeacher(**options | {"noise": 0.02}).fit(X[:36], y[:36, 0], validation=held, checkpoint_dir=tmp_path)
    resumed = MapTeacher(**options).fit(X[:36], y[:36, 0], validation=held, checkpoint_dir=tmp_path)
    assert len(resumed.history_) == 4
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))


def test_average_is_the_mean_over_all_orientations(fitted):
    X, y = problem(9)
    every = np.mean([fitted.predict(observe.turn(X, element)) for element in range(8)], axis=0)
    # float32 means of eight
    np.testing.assert_allclose(fitted.predict(X, average=True), every, rtol=1e-5)
    np.testing.assert_allclose(
        fitted.predict(observe.turn(X, 5), average=True), fitted.predict(X, average=True), rtol=1e-5
    )
    assert np.abs(fitted.predict(X) - every).max() > 1e-4
    averaged = fitted.as_torch(average=True)
    np.testing.assert_allclose(averaged(torch.from_numpy(X)).numpy(), every, rtol=1e-5)
    assert not averaged.training
    wide = X[:, :12]
    oblong = MapTeacher(**QUICK).fit(wide, y[:, 0], validation=None)
    four = np.mean([oblong.predict(observe.turn(wide, element)) for element in (0, 2, 4, 6)], axis=0)
    np.testing.assert_allclose(oblong.predict(wide, average=True), four, rtol=1e-5)


@pytest.mark.parametrize("element", range(8))
def test_turns_are_those_of_numpy(element):
    maps = np.arange(2 * 3 * 3.0).reshape(2, 3, 3)
    np.testing.assert_array_equal(oriented(torch.from_numpy(maps), element).numpy(), observe.turn(maps, element))
    assert OverTurns(torch.nn.Identity())(torch.from_numpy(maps)).shape == maps.shape


@pytest.mark.parametrize(("shape", "elements"), [((3, 3), range(8)), ((3, 5), range(0, 8, 2))])
def test_augmentation_draws_every_orientation_and_nothing_else(shape, elements):
    one = np.arange(np.prod(shape), dtype=np.float64).reshape(1, 1, *shape)
    x = torch.from_numpy(np.repeat(one, 400, axis=0))
    out = SkyAugmentation()(x, torch.Generator().manual_seed(0))
    allowed = [observe.turn(one[0], element)[0].tobytes() for element in elements]
    counts = [sum(turn.tobytes() == a for turn in out[:, 0].numpy()) for a in allowed]
    assert sum(counts) == 400
    expected = 400 / len(allowed)
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts)
    again = SkyAugmentation()(x, torch.Generator().manual_seed(0))
    assert torch.equal(out, again)
    assert not torch.equal(out, SkyAugmentation()(x, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("smoothing", [0.0, 0.7, 6.0])
def test_noise_is_that_of_a_survey_that_was_smoothed(smoothing):
    x = torch.ones(6, 11, 14, dtype=torch.float64)
    out = SkyAugmentation(turns=False, noise=0.2, smoothing=smoothing)(x, torch.Generator().manual_seed(3))
    white = 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype).numpy()
    expected = observe.smooth(white, pixel_scale=1.0, sigma_arcmin=smoothing)
    # float64 sums of at most 49 × 49 terms; 6 pixels reach beyond the map's own mirror image
    np.testing.assert_allclose((out - x).numpy(), expected, rtol=0, atol=1e-14)


def test_noise_and_turns_share_no_draws():
    x = torch.zeros(500, 1, 1, dtype=torch.float64)
    generators = [torch.Generator().manual_seed(3) for _ in range(3)]
    for _ in range(3):  # one batch after the other
        noise = SkyAugmentation(turns=False, noise=1.0)(x, generators[0])
        torch.testing.assert_close(SkyAugmentation(turns=True, noise=1.0)(x, generators[1]), noise, rtol=0, atol=0)
    marked = torch.arange(64.0).reshape(1, 8, 8).repeat(500, 1, 1)
    batches = [SkyAugmentation()(marked, generators[2]) for _ in range(2)]
    assert not torch.equal(*batches)
    # in one stream of draws, a turn would be what the noise's bits say
    drawn = torch.randint(8, (500,), generator=torch.Generator().manual_seed(3))
    same = [torch.equal(one, oriented(marked[0], int(element))) for one, element in zip(batches[0], drawn, strict=True)]
    assert sum(same) < 125  # an eighth by chance


def test_augmentation_is_used_in_training_only():
    X, y = problem()
    held = X[36:], y[36:, 0]
    runs = {
        key: MapTeacher(**QUICK, **options).fit(X[:36], y[:36, 0], validation=held).predict(X)
        for key, options in {
            "turns": {},
            "plain": {"turns": False},
            "noise": {"noise": 0.05},
            "own": {"augment": SkyAugmentation(turns=False)},
        }.items()
    }
    assert np.array_equal(runs["plain"], runs["own"])
    assert not np.array_equal(runs["plain"], runs["turns"])
    assert not np.array_equal(runs["turns"], runs["noise"])


def test_bad_arguments():
    X, y = problem()
    bad = [
        (MapTeacher("Omega_m"), (X, y[:, 0]), {}, r"targets is a sequence of names .* got 'Omega_m'"),
        (MapTeacher(()), (X, y[:, 0]), {}, "targets is a sequence of names"),
        (MapTeacher(), (X, y), {}, r"y of shape \(48, 2\) doesn't fit the 1 targets Omega_m"),
        (MapTeacher(), (X[0], y[:, 0]), {}, r"X must be maps of shape \(n, ny, nx\) .* got \(16, 16\)"),
        (MapTeacher(), (X,), {}, "y is missing: only a MapSet knows"),
        (MapTeacher(noise=-1.0), (X, y[:, 0]), {}, "noise must be finite and not negative; got -1.0"),
        (MapTeacher(noise=0.1), (X, y[:, 0]), {}, r"would be clean: give validation=\(X, y\) with noisy maps"),
        (MapTeacher(noise=0.1, augment=SkyAugmentation()), (X, y[:, 0]), {}, "augment takes the place of turns"),
        (MapTeacher(), (X, y[:, 0]), {"cosmology": [1, 2]}, "one number for each of the 48 maps"),
        (MapTeacher(), (X, y[:, 0]), {"cosmology": np.ones(N)}, "all maps are of one cosmology"),
        (MapTeacher(), (X, y[:9, 0]), {"cosmology": np.arange(N)}, "X has 48 maps and y 9 rows"),
        (MapTeacher(), (zarr.array(X), y[:, 0]), {"cosmology": np.arange(N)}, "maps on disk can't be split by cosmol"),
        (MapTeacher(), (X, y[:, 0]), {"validation": (X[:, :8], y[:, 0])}, "validation set have shape"),
        (MapTeacher(learning_rate=0), (X, y[:, 0]), {}, "learning_rate"),
        (MapTeacher(width=0), (X, y[:, 0]), {}, "width is 0; give a positive whole number"),
    ]
    for teacher, arguments, options, message in bad:
        with pytest.raises(ValueError, match=message):
            teacher.fit(*arguments, **options)


def test_other_maps_are_refused(fitted):
    X, _ = problem()
    with pytest.raises(ValueError, match=r"shape \(8, 16\); the teacher was trained on \(16, 16\)"):
        fitted.predict(X[:, :8])
    with pytest.raises(ValueError, match="This MapTeacher instance is not fitted yet"):
        MapTeacher().predict(X)
