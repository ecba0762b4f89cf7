"""The teacher as an estimator: what it learns, what it keeps, what it refuses."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import zarr
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from torch import nn

from awd_core.teacher.estimator import KIND
from awd_core.teacher.networks import MLP
from awd_core.teacher.samples import split
from awd_core.teacher.seeds import SPLIT, seed_for
from awd_core.teacher.teacher import Teacher, TeacherClassifier
from awd_core.teacher.weights import load_tensors, save_tensors

RNG = np.random.default_rng(11)
X = RNG.normal(size=(120, 2, 3)).astype(np.float32)
Y = 50.0 + 20.0 * (X[:, 0, 0] - 0.5 * X[:, 1, 2])


class Squeezed(nn.Module):
    """A network that answers with (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1))[:, 0]


class Lazy(nn.Module):
    """A network that learns the size of its input from the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.LazyLinear(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1))


class Single(nn.Module):
    """A line."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slope * x


def teacher(**options: Any) -> Teacher:
    chosen = {"max_epochs": 3, "learning_rate": 0.01, "accelerator": "cpu", "batch_size": 16} | options
    return Teacher(MLP, {"n_in": 6, "hidden": (8,), "n_out": chosen.pop("n_out", 1)}, **chosen)


def classifier(n_out: int, **options: Any) -> TeacherClassifier:
    chosen = {"max_epochs": 25, "learning_rate": 0.02, "accelerator": "cpu", "batch_size": 16} | options
    return TeacherClassifier(MLP, {"n_in": 6, "hidden": (8,), "n_out": n_out}, **chosen)


def weights_of(fitted: Teacher | TeacherClassifier) -> npt.NDArray[np.float64]:
    return np.concatenate([t.numpy().ravel() for t in fitted.module_.state_dict().values()])


def test_it_learns_a_linear_response_in_its_own_units() -> None:
    fitted = teacher(max_epochs=60, patience=None, learning_rate=0.03).fit(X, Y)
    assert fitted.score(X, Y) > 0.99
    assert fitted.predict(X).shape == (120,)
    assert len(fitted.history_) == 60
    assert fitted.history_[0].keys() == {"epoch", "train_loss", "valid_loss", "learning_rate", "seconds"}
    assert fitted.best_epoch_ == 1 + int(np.argmin([row["valid_loss"] for row in fitted.history_]))
    assert is_regressor(fitted)


def test_the_weights_of_the_best_epoch_are_kept() -> None:
    noise = RNG.normal(size=120)
    fitted = teacher(max_epochs=100, patience=3, learning_rate=0.05).fit(
        X[:60], noise[:60], validation=(X[60:], noise[60:])
    )
    losses = [row["valid_loss"] for row in fitted.history_]
    assert len(losses) == fitted.best_epoch_ + 3 < 100
    assert fitted.best_epoch_ == 1 + int(np.argmin(losses))
    mean, sd = noise[:60].mean(), noise[:60].std()
    again = np.mean(((fitted.predict(X[60:]) - noise[60:]) / sd) ** 2)
    # The same samples in float32, summed in another order.
    np.testing.assert_allclose(again, min(losses), rtol=1e-5)
    np.testing.assert_allclose(
        [fitted.module_.target_mean.item(), fitted.module_.target_sd.item()], [mean, sd], rtol=1e-6
    )


def test_the_same_seed_gives_the_same_bits_and_leaves_the_callers_generator() -> None:
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    first = teacher().fit(X, Y)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(5)
    second, third = teacher().fit(X, Y), teacher(seed=1).fit(X, Y)
    np.testing.assert_array_equal(weights_of(first), weights_of(second))
    assert (weights_of(first) != weights_of(third)).mean() > 0.9


@pytest.mark.parametrize("scaling", ["none", "global", "feature"])
def test_a_network_in_float64_is_given_float64(scaling: str) -> None:
    fitted = teacher(precision="64-true", scale_inputs=scaling).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(X.astype(np.float64)))


def test_standardisation_comes_from_the_training_part_alone() -> None:
    far = np.concatenate([X, X + 1000])
    target = np.column_stack([np.concatenate([Y, Y - 1e4]), np.arange(240.0)])
    fitted = teacher(scale_inputs="feature", n_out=2).fit(far[:120], target[:120], validation=(far[120:], target[120:]))
    # float32 buffers of statistics in float64
    np.testing.assert_allclose(fitted.module_.input_mean, X.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(fitted.module_.input_sd, X.std(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(fitted.module_.target_mean, target[:120].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fitted.module_.target_sd, target[:120].std(axis=0), rtol=1e-6)

    rows, held = split(240, 0.25, np.random.default_rng(seed_for(9, SPLIT)))
    fitted = teacher(seed=9, scale_targets="global", n_out=2).fit(far, target, validation=0.25)
    assert len(held) == 60
    np.testing.assert_allclose(fitted.module_.input_mean, far[rows].mean(dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(fitted.module_.target_sd, target[rows].std(), rtol=1e-6)

    fitted = teacher(scale_inputs="none", scale_targets="none").fit(X, Y / 50)
    assert [fitted.module_.input_mean, fitted.module_.input_sd, fitted.module_.target_sd] == [0, 1, 1]


def test_the_exported_module_has_gradients_in_the_units_of_the_data() -> None:
    options: dict[str, Any] = {"accelerator": "cpu", "max_epochs": 80, "learning_rate": 0.05, "precision": "64-true"}
    scaled = X.astype(float) * 1e-3 + 7
    fitted = Teacher(MLP, {"n_in": 6, "hidden": ()}, patience=None, **options).fit(scaled, Y)
    module = fitted.as_torch()
    x = torch.tensor(scaled, requires_grad=True)
    out = module(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    wanted = np.array([[20e3, 0, 0], [0, 0, -10e3]])
    # What is left of the fit; Y is linear in X.
    np.testing.assert_allclose(gradient[0], wanted, atol=20)
    assert out.shape == (120, 1)
    assert not any(p.requires_grad for p in module.parameters())
    np.testing.assert_array_equal(fitted.predict(scaled), out.detach()[:, 0])
    module.network.layers[0].weight.zero_()  # type: ignore[union-attr,index,operator]
    np.testing.assert_array_equal(fitted.predict(scaled), out.detach()[:, 0])


def test_inputs_of_every_kind_give_the_same_teacher(tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(120, 2, 3))
    wanted = weights_of(teacher().fit(X, Y))
    for x, y in [(torch.tensor(X), torch.tensor(Y)), (X.astype(">f4"), Y.astype(">f4")), (X, Y[:, None])]:
        np.testing.assert_array_equal(weights_of(teacher().fit(x, y)), wanted)
    fitted = teacher().fit(stored, Y)  # shuffled within its one chunk: other batches, the same scales
    np.testing.assert_array_equal(fitted.module_.input_sd, teacher().fit(X, Y).module_.input_sd)
    np.testing.assert_array_equal(fitted.predict(stored), fitted.predict(X))
    assert teacher().fit(X, Y[:, None]).predict(X).shape == (120, 1)


@pytest.mark.parametrize("factory", [Squeezed, Lazy])
def test_networks_of_other_habits(tmp_path: Path, factory: type[nn.Module]) -> None:
    fitted = Teacher(factory, accelerator="cpu", max_epochs=40, learning_rate=0.05).fit(X, Y)
    assert fitted.as_torch()(torch.tensor(X)).shape == (120, 1)
    assert fitted.score(X, Y) > 0.99
    fitted.save(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(
        Teacher.load(tmp_path / "a.safetensors", factory=factory).predict(X), fitted.predict(X)
    )


def test_samples_may_be_single_numbers() -> None:
    single = X[:, 0, 0]
    fitted = Teacher(Single, accelerator="cpu", max_epochs=40, learning_rate=0.05).fit(single, 3 * single)
    assert fitted.score(single, 3 * single) > 0.99
    with pytest.raises(ValueError, match="first at sample 4"):
        fitted.predict(bad(single, 4, np.nan))


def test_weights_count_as_repetitions() -> None:
    # A weight of 2 for some samples is the same loss as those samples twice; one batch, so that the order is nothing.
    options: dict[str, Any] = {"batch_size": 500, "precision": "64-true", "patience": None}
    weight = np.where(np.arange(120) < 40, 2.0, 0.5)
    repeats = np.where(np.arange(120) < 40, 4, 1)
    valid = (X[:50] + 1, Y[:50])
    # Standardisation counts samples, not weights, so it is left out here.
    none: dict[str, Any] = {"scale_inputs": "none", "scale_targets": "none"}
    weighted = teacher(**options, **none).fit(X, Y / 50, sample_weight=weight, validation=valid)
    repeated = teacher(**options, **none).fit(
        np.repeat(X, repeats, axis=0), np.repeat(Y / 50, repeats), validation=valid
    )
    np.testing.assert_allclose(weights_of(weighted), weights_of(repeated), rtol=1e-9)
    np.testing.assert_allclose(weighted.history_[-1]["train_loss"], repeated.history_[-1]["train_loss"], rtol=1e-12)


@pytest.mark.parametrize(("n_out", "labels"), [(1, ["no", "yes"]), (2, [3, 7]), (3, [-1, 0, 5])])
def test_classification(tmp_path: Path, n_out: int, labels: list[Any]) -> None:
    z = X[:, 0, 0]
    truth = np.array(labels)[np.digitize(z, np.quantile(z, np.arange(1, len(labels)) / len(labels)))]
    fitted = classifier(n_out).fit(X, truth)
    assert is_classifier(fitted)
    assert fitted.score(X, truth) > 0.9
    assert fitted.classes_.tolist() == labels
    probability = fitted.predict_proba(X)
    assert probability.shape == (120, len(labels))
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-14)
    logits = fitted.as_torch()(torch.tensor(X)).double()
    assert logits.shape == (120, n_out)
    if n_out == 1:
        np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), logits[:, 0], rtol=1e-5, atol=1e-6)
    fitted.save(tmp_path / "a.safetensors")
    found = TeacherClassifier.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(found.predict(X), fitted.predict(X))
    assert found.classes_.dtype == fitted.classes_.dtype
    objects = truth.astype(object) if isinstance(labels[0], str) else truth.tolist()  # a pandas column, a list
    np.testing.assert_array_equal(classifier(n_out).fit(X, objects).predict_proba(X), probability)


def test_it_is_a_scikit_learn_estimator() -> None:
    original = teacher(seed=3, scale_targets="global")
    copied = clone(original)
    assert copied.get_params() == original.get_params()
    assert copied.set_params(batch_size=60).get_params()["batch_size"] == 60
    assert cross_val_score(teacher(max_epochs=20), X, Y, cv=2).shape == (2,)
    with pytest.raises(NotFittedError):
        original.predict(X)
    with pytest.raises(NotFittedError):
        original.as_torch()


def test_a_saved_teacher_predicts_the_same_bits(tmp_path: Path) -> None:
    fitted = teacher(scale_inputs="feature", precision="64-true", n_out=2).fit(X, np.column_stack([Y, -Y]))
    fitted.save(tmp_path / "teacher.safetensors")
    found = Teacher.load(tmp_path / "teacher.safetensors")
    np.testing.assert_array_equal(found.predict(X), fitted.predict(X))
    assert found.history_ == fitted.history_
    assert (found.best_epoch_, found.seed, found.input_shape_) == (fitted.best_epoch_, 0, (2, 3))
    found.save(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(Teacher.load(tmp_path / "again.safetensors").predict(X), fitted.predict(X))
    np.testing.assert_array_equal(weights_of(found.fit(X, np.column_stack([Y, -Y]))), weights_of(fitted))
    with safe_open(tmp_path / "teacher.safetensors", framework="pt") as file:
        assert '"torch": "' in file.metadata()["awd"]


def test_a_file_from_before_the_networks_moved_loads(tmp_path: Path) -> None:
    fitted = teacher().fit(X, Y)
    fitted.save(tmp_path / "teacher.safetensors")
    tensors, document = load_tensors(tmp_path / "teacher.safetensors", KIND)
    assert document["parameters"]["factory"] == "awd_core.teacher.networks:MLP"
    document["parameters"]["factory"] = "awd_core.networks:MLP"
    save_tensors(tmp_path / "old.safetensors", tensors, document, KIND)
    found = Teacher.load(tmp_path / "old.safetensors")
    np.testing.assert_array_equal(found.predict(X), fitted.predict(X))


def test_a_file_does_not_choose_the_code(tmp_path: Path) -> None:
    Teacher(Squeezed, accelerator="cpu", max_epochs=1).fit(X, Y).save(tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match=r"is built by '.*test_teacher:Squeezed'.*if you trust it, load with factory="):
        Teacher.load(tmp_path / "own.safetensors")
    found = Teacher.load(tmp_path / "own.safetensors", factory=Squeezed)
    assert found.predict(X).shape == (120,)

    def build() -> nn.Module:
        return MLP(6)

    with pytest.raises(
        ValueError, match=r"the weights in .* don't fit Standardised; missing in the file: network.layers"
    ):
        Teacher.load(tmp_path / "own.safetensors", factory=build)


def test_a_function_of_our_own_packages_is_not_called_either(tmp_path: Path) -> None:
    # Only classes of networks are: any function with any arguments from a file could do anything.
    fitted = teacher().fit(X, Y)
    fitted.factory, fitted.factory_kwargs = "awd_core.teacher.weights:save_tensors", {"path": str(tmp_path / "x")}
    fitted.save(tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match=r"'awd_core\.teacher\.weights:save_tensors', which is no network class"):
        Teacher.load(tmp_path / "bad.safetensors")
    assert not (tmp_path / "x").exists()


def test_files_that_hold_no_such_teacher(tmp_path: Path) -> None:
    save_file({"x": torch.ones(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="no teacher of this package"):
        Teacher.load(tmp_path / "bare.safetensors")
    torch.save({}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="is a pickle"):
        Teacher.load(tmp_path / "a.pt")
    teacher().fit(X, Y).save(tmp_path / "regression.safetensors")
    with pytest.raises(ValueError, match=r"holds a teacher for regression; load it with Teacher\.load"):
        TeacherClassifier.load(tmp_path / "regression.safetensors")


def test_arguments_that_no_file_can_hold_are_named_when_saving(tmp_path: Path) -> None:
    def build(layer: type[nn.Module]) -> nn.Module:
        return nn.Sequential(nn.Flatten(), layer(6, 1))

    fitted = Teacher(build, {"layer": nn.Linear}, accelerator="cpu", max_epochs=1).fit(X, Y)
    with pytest.raises(TypeError, match=r"can't be saved: <class 'torch.*Linear'> is neither a number"):
        fitted.save(tmp_path / "a.safetensors")


def bad(values: Any, index: Any, value: float) -> Any:
    changed = np.array(values)
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (bad(X, (5, 0, 1), np.nan), Y, {}, "X has a NaN or an infinity, first at sample 5"),
        (X, bad(Y, 7, np.inf), {}, "y has a NaN or an infinity, first at sample 7"),
        (np.ma.masked_less(X, 0), Y, {}, "X has masked elements"),
        (X, np.ma.masked_less(Y, 50), {}, "y has masked elements"),
        (X, Y[:-1], {}, "X has 120 samples and y has 119"),
        (X, np.ones((120, 1, 1)), {}, r"y has to be of shape \(n,\) or \(n, k\); got \(120, 1, 1\)"),
        (X, np.full(120, 4.0), {}, r"y is the same for all training samples \(4 in column 0\)"),
        (X[:2], Y[:2], {}, "2 samples are too few"),
        (X[:1], Y[:1], {"validation": None}, "1 samples are too few"),
        (X, Y, {"validation": 1.5}, "validation as a fraction lies between 0 and 1; got 1.5"),
        (X, Y, {"validation": (X, Y)}, "the validation set is the training set itself"),
        (X, Y, {"validation": (X[:9, :1], Y[:9])}, r"validation set have shape \(1, 3\), those of X \(2, 3\)"),
        (X, Y, {"validation": (X[:9], Y[:8])}, "validation X has 9 samples and validation y has 8"),
        (
            X,
            Y,
            {"validation": (bad(X[:9], 3, np.nan), Y[:9])},
            "validation X has a NaN or an infinity, first at sample 3",
        ),
        (X, Y, {"sample_weight": np.ones(3)}, r"sample_weight has to be of shape \(120,\).*got \(3,\)"),
        (X, Y, {"sample_weight": -np.ones(120)}, "sample_weight must not be negative; its smallest value is -1"),
        (X, Y, {"sample_weight": np.zeros(120)}, "all weights of the training or of the validation part are zero"),
    ],
)
def test_data_that_cannot_be_learnt_from(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        teacher().fit(x, y, **options)


def test_types_that_cannot_be_learnt_from() -> None:
    with pytest.raises(TypeError, match="y has to hold real numbers; got elements of type <U"):
        teacher().fit(X, np.array(["a"] * 120))
    with pytest.raises(TypeError, match=r"validation is a fraction such as 0.1, .*; got 3"):
        teacher().fit(X, Y, validation=3)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.zeros(120, dtype=int), {}, r"y has 1 class \(.*0.*\): there is nothing to tell apart"),
        (Y, {}, "120 classes among 120 samples; it looks like the target of a regression"),
        (np.arange(120) % 3, {}, r"returns \(2, 2\), not \(2, 3\): logits of the 3 classes"),
        (np.eye(2)[np.arange(120) % 2], {}, r"one label for each sample, shape \(n,\); got \(120, 2\)"),
        (
            np.arange(120) % 2,
            {"validation": (X[:4], [0, 1, 2, 0])},
            "validation y has the class .*2.*, which is not among",
        ),
    ],
)
def test_labels_that_cannot_be_learnt_from(y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(2).fit(X, y, **options)


@pytest.mark.parametrize(
    ("option", "value", "error", "message"),
    [
        ("scale_inputs", "channel", ValueError, "scale_inputs is one of 'none', 'global', 'feature'; got 'channel'"),
        ("optimizer", "sgd", ValueError, "optimizer is one of 'adam', 'adamw'"),
        ("schedule", "step", ValueError, "schedule is one of None, 'one-cycle', 'cosine', 'plateau'; got 'step'"),
        ("precision", "16-true", ValueError, "precision is one of"),
        ("learning_rate", 0, ValueError, "learning_rate is a positive number; got 0"),
        ("learning_rate", "fast", TypeError, "learning_rate is a positive number; got 'fast'"),
        ("gradient_clip", -1.0, ValueError, "gradient_clip is a positive number, or None; got -1.0"),
        ("batch_size", 2.5, TypeError, "batch_size is an integer from 1 on; got 2.5"),
        ("max_epochs", 0, ValueError, "max_epochs is an integer from 1 on; got 0"),
        ("patience", True, TypeError, "patience is an integer from 1 on, or None"),
        ("seed", None, TypeError, "seed is an integer from 0 on; got None"),
        ("strategy", "ddp_spawn", ValueError, "trains in other processes, .* give checkpoint_dir"),
    ],
)
def test_options(option: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        teacher(**{option: value}).fit(X, Y)


def test_the_plateau_schedule_needs_validation() -> None:
    with pytest.raises(ValueError, match="schedule='plateau' watches the validation loss"):
        teacher(schedule="plateau").fit(X, Y, validation=None)


@pytest.mark.parametrize(
    ("factory", "kwargs", "error", "message"),
    [
        (MLP(6), None, TypeError, "factory has to be a module class, .* got MLP"),
        (3, None, TypeError, "got int"),
        (dict, None, TypeError, r"the factory builtins:dict returned dict; it has to return a torch\.nn\.Module"),
        (nn.Flatten, None, ValueError, "network of torch.* has no trainable parameters"),
        (MLP, {"n_in": 5}, ValueError, r"the network can't take a batch of shape \(2, 2, 3\): mat1 and mat2"),
        (MLP, {"n_in": 6, "n_out": 2}, ValueError, r"the network returns \(2, 2\), not \(2, 1\): as many columns as y"),
        ("awd_core.teacher.networks:Missing", None, ValueError, "no class or function 'Missing'"),
    ],
)
def test_networks_that_do_not_fit(factory: Any, kwargs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Teacher(factory, kwargs, accelerator="cpu").fit(X, Y)


def test_one_output_is_not_taken_for_several_targets() -> None:
    with pytest.raises(ValueError, match=r"the network returns \(2, 1\), not \(2, 3\): as many columns as y"):
        Teacher(MLP, {"n_in": 6}, accelerator="cpu").fit(X, np.stack([Y, Y**2, -Y], axis=1))


def test_inputs_that_cannot_be_predicted() -> None:
    fitted = teacher().fit(X, Y)
    with pytest.raises(
        ValueError,
        match=r"samples of X have shape \(3,\); the teacher was trained on \(2, 3\)\. Reshape your data to \(n, 2, 3\)",
    ):
        fitted.predict(X[:, 0])
    with pytest.raises(ValueError, match="X has a NaN or an infinity, first at sample 37; the teacher can't take it"):
        fitted.predict(bad(X, (37, 1, 1), np.nan))


def test_a_divergence_is_named_with_its_epoch() -> None:
    fitted = teacher(learning_rate=1e20, max_epochs=20)
    with pytest.raises(
        RuntimeError, match=r"diverged: \w+_loss is \w+ in epoch \d+\. Try a smaller learning_rate \(now 1e\+20\)"
    ):
        fitted.fit(X, Y)
    assert not hasattr(fitted, "module_")


def test_a_quiet_training_says_nothing_and_writes_nothing(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from awd_core.teacher.teacher import Teacher; from awd_core.teacher.networks import MLP\n"
        "x = np.random.default_rng(0).normal(size=(40, 6))\n"
        "import sys; assert 'lightning' not in sys.modules, 'lightning takes seconds to import'\n"
        "Teacher(MLP, {'n_in': 6}, max_epochs=2, accelerator='cpu', progress=len(sys.argv) > 1).fit(x, x[:, 0])"
    )
    # What is deprecated in one dependency by another, as in old matplotlib by new pyparsing, Python keeps from users.
    heard = ["-W", "always::UserWarning", "-W", "ignore::DeprecationWarning"]
    command = [sys.executable, *heard, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert not list(tmp_path.iterdir())


def test_the_progress_bar_shows_losses(capfd: pytest.CaptureFixture[str]) -> None:
    teacher(progress=True).fit(X, Y)
    shown = capfd.readouterr()
    assert "epoch 3/3" in shown.err
    assert "valid" in shown.err
    assert shown.out == ""


def test_examples() -> None:
    result = doctest.testmod(importlib.import_module("awd_core.teacher.teacher"))
    assert result.attempted > 0
    assert result.failed == 0
