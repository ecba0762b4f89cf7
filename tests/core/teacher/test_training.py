"""A training that was stopped goes on to the very bits of one that was not."""

import math
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from awd_core.teacher import weights
from awd_core.teacher.checkpoint import CHECKPOINT, KIND
from awd_core.teacher.networks import MLP
from awd_core.teacher.seeds import INITIAL, seed_for
from awd_core.teacher.teacher import Teacher, TeacherClassifier

RNG = np.random.default_rng(3)
X = RNG.normal(size=(90, 8)).astype(np.float32)
Y = X[:, 0] * X[:, 1] + 0.1 * RNG.normal(size=90)


class Noisy(nn.Module):
    """Everything that has a state or draws at random: batch normalisation, dropout."""

    def __init__(self, n_out: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, n_out)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Prescribed(nn.Module):
    """Learns as `Noisy` does, but what validation against zeros finds after each epoch is prescribed.

    What follows a validation loss is tested by it: the losses of a training end in bits that processors differ in.
    """

    def __init__(self, losses: list[float], batches: int) -> None:
        super().__init__()
        self.inner, self.batches = Noisy(), batches
        self.register_buffer("answers", torch.tensor(losses).sqrt())
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += 1
            return self.inner(x)
        # A teacher looks at a network's answer before the first epoch, too.
        return self.answers[max(0, int(self.seen) // self.batches - 1)].expand(len(x), 1)


# 81 samples make five batches of 16 or 17; the squares of eight times one number add up without rounding.
TRAINING, HELD_OUT = (X[:81], Y[:81]), (X[81:89], np.zeros(8))


def prescribed(*losses: float) -> dict[str, Any]:
    """Options of a teacher that finds these losses."""
    return {
        "factory": Prescribed, "factory_kwargs": {"losses": losses, "batches": 5}, "scale_targets": "none",
        "max_epochs": len(losses),
    }  # fmt: skip


class Jitter:
    """Augmentation by noise; stops the training at a given batch, as the caller's code or a full disk might."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.calls = stop_at, 0

    def __call__(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.stop_at:
            raise OSError("the power is gone")
        return x + 0.1 * torch.randn(x.shape, generator=generator)


def teacher(**options: Any) -> Teacher:
    usual = {"factory": Noisy, "accelerator": "cpu", "max_epochs": 8, "batch_size": 16, "learning_rate": 0.02}
    return Teacher(**usual | options)


def result(fitted: Teacher | TeacherClassifier) -> tuple[Any, ...]:
    """All that training decides; the seconds are the clock's."""
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in fitted.history_]
    return history, fitted.best_epoch_, {name: t.tolist() for name, t in fitted.module_.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_it_does_what_a_plain_loop_does(optimizer: str) -> None:
    plain = {"scale_inputs": "none", "scale_targets": "none", "precision": "64-true", "accelerator": "cpu"}
    steps = {
        "optimizer": optimizer,
        "weight_decay": 0.1,
        "gradient_clip": 0.6,
        "schedule": "cosine",
        "learning_rate": 0.05,
    }
    fitted = Teacher(MLP, {"n_in": 8, "hidden": (5,)}, batch_size=100, max_epochs=12, **plain, **steps)
    fitted.fit(X, Y, validation=None)

    torch.manual_seed(seed_for(0, INITIAL))
    network = MLP(8, hidden=(5,)).double()
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    loop = kind(network.parameters(), lr=0.05, weight_decay=0.1)
    clipped = []
    for epoch in range(12):
        loop.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * epoch / 12)) / 2
        loss = ((network(torch.tensor(X).double())[:, 0] - torch.tensor(Y)) ** 2).mean()
        np.testing.assert_allclose(fitted.history_[epoch]["train_loss"], loss.item(), rtol=1e-9)
        loop.zero_grad()
        loss.backward()
        clipped.append(nn.utils.clip_grad_norm_(network.parameters(), 0.6) > 0.6)
        loop.step()
    assert set(map(bool, clipped)) == {True, False}
    # The one batch is shuffled anew in each epoch: the same sums in float64, in another order.
    for name, tensor in network.state_dict().items():
        np.testing.assert_allclose(fitted.module_.network.state_dict()[name], tensor, rtol=1e-8, atol=1e-11)


def test_learning_rates_of_the_schedules() -> None:
    def rates(**options: Any) -> list[float]:
        return [row["learning_rate"] for row in teacher(patience=None, **options).fit(X, Y).history_]

    assert rates() == [0.02] * 8
    one_cycle = rates(schedule="one-cycle", max_epochs=20)
    assert 5 <= int(np.argmax(one_cycle)) <= 6
    assert 0.019 < max(one_cycle) <= 0.02
    assert one_cycle[-1] < 1e-6
    last_steps = 5 * np.arange(1, 9) - 1
    np.testing.assert_allclose(rates(schedule="cosine"), 0.01 * (1 + np.cos(np.pi * last_steps / 40)), rtol=1e-10)


def test_a_plateau_halves_the_learning_rate_and_then_ends_the_training() -> None:
    # Three epochs without a better one halve the rate, five end the training; an equal loss is no better one.
    losses = [16.0, 9.0, 9.0, 9.0, 25.0, 4.0, 9.0, 4.0, 16.0, 4.0, 9.0, 1.0]
    fitted = teacher(schedule="plateau", patience=5, **prescribed(*losses)).fit(*TRAINING, validation=HELD_OUT)
    assert [row["valid_loss"] for row in fitted.history_] == losses[:11]
    assert [row["learning_rate"] for row in fitted.history_] == [0.02] * 5 + [0.01] * 4 + [0.005] * 2
    # The weights of the best epoch are kept: they have seen its batches and no more.
    assert (fitted.best_epoch_, int(fitted.module_.network.seen)) == (6, 6 * 5)


@pytest.mark.parametrize("epoch", [1, 4, 8])
@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "one-cycle"},
        {"schedule": "cosine", "optimizer": "adamw", "weight_decay": 0.1},
        # The rate is halved after epoch 4, for a reason that began in epoch 3, and again after epoch 7; epoch 8 is the
        # third in a row that is no better.
        {"schedule": "plateau", "patience": 3, "gradient_clip": 0.1, "precision": "64-true"}
        | prescribed(16.0, 9.0, 16.0, 16.0, 4.0, 9.0, 9.0, 9.0),
    ],
    ids=["one-cycle", "cosine", "plateau"],
)
def test_after_an_exception(tmp_path: Path, epoch: int, options: dict[str, Any]) -> None:
    wanted = result(teacher(augment=Jitter(), **options).fit(*TRAINING, validation=HELD_OUT))
    stopping = Jitter(stop_at=5 * (epoch - 1) + 3)
    with pytest.raises(OSError, match="the power is gone"):
        teacher(augment=stopping, **options).fit(*TRAINING, validation=HELD_OUT, checkpoint_dir=tmp_path)
    assert (tmp_path / CHECKPOINT).exists() == (epoch > 1)
    going_on = teacher(augment=Jitter(), **options).fit(*TRAINING, validation=HELD_OUT, checkpoint_dir=tmp_path)
    assert result(going_on) == wanted
    assert len(wanted[0]) == 8
    assert going_on.augment.calls == 5 * (8 - epoch + 1)


def test_after_many_stops(tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_epochs": 5, "schedule": "one-cycle"}
    label = (Y > 0).astype(int)
    wanted = TeacherClassifier(Noisy, {"n_out": 2}, accelerator="cpu", augment=Jitter(), **options).fit(X, label)
    for _ in range(4):  # each start does one epoch, and falls in the next
        with pytest.raises(OSError, match="power"):
            TeacherClassifier(Noisy, {"n_out": 2}, accelerator="cpu", augment=Jitter(5), **options).fit(
                X, label, checkpoint_dir=tmp_path
            )
    found = TeacherClassifier(Noisy, {"n_out": 2}, accelerator="cpu", augment=Jitter(), **options)
    assert result(found.fit(X, label, checkpoint_dir=tmp_path)) == result(wanted)
    assert found.augment.calls == 3


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = result(teacher().fit(X, Y))
    written: list[int] = []

    def full_disk(file: int) -> None:
        written.append(file)
        if len(written) == 4:
            raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(weights.os, "fsync", full_disk)
        with pytest.raises(OSError, match="no space left"):
            teacher().fit(X, Y, checkpoint_dir=tmp_path)
    assert len(weights.load_tensors(tmp_path / CHECKPOINT, "training checkpoint")[1]["history"]) == 3
    assert result(teacher().fit(X, Y, checkpoint_dir=tmp_path)) == wanted
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_finished_training_is_returned_at_once(tmp_path: Path) -> None:
    stopped_early = {"patience": 2} | prescribed(4.0, 1.0, 4.0, 4.0, 0.0)
    held: dict[str, Any] = {"validation": HELD_OUT, "checkpoint_dir": tmp_path / "new" / "folder"}
    first = teacher(augment=Jitter(), **stopped_early).fit(*TRAINING, **held)
    assert (first.best_epoch_, len(first.history_)) == (2, 4)
    again = teacher(augment=Jitter(), **stopped_early).fit(*TRAINING, **held)
    assert again.augment.calls == 0
    assert result(again) == result(first)
    assert again.history_ == first.history_
    np.testing.assert_array_equal(again.predict(X), first.predict(X))


def test_without_validation_the_last_weights_stay(tmp_path: Path) -> None:
    wanted = teacher(augment=Jitter()).fit(X, Y, validation=None)
    assert wanted.best_epoch_ == len(wanted.history_) == 8
    assert "valid_loss" not in wanted.history_[0]
    with pytest.raises(OSError, match="power"):
        teacher(augment=Jitter(20)).fit(X, Y, validation=None, checkpoint_dir=tmp_path)
    assert result(teacher(augment=Jitter()).fit(X, Y, validation=None, checkpoint_dir=tmp_path)) == result(wanted)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_inputs_are_standardised_before_they_are_rounded(precision: str) -> None:
    # Around 2¹⁶ a number of 16 bits goes up in steps of 512, one of 32 bits in steps of 1/128.
    far = X.astype(np.float64) + 2.0**16
    options: dict[str, Any] = {"precision": precision, "scale_inputs": "feature", "max_epochs": 25, "patience": None}
    fitted = teacher(factory=MLP, factory_kwargs={"n_in": 8}, **options).fit(far, X[:, 0])
    assert fitted.score(far, X[:, 0]) > 0.9  # other seeds come to 0.993 and more


def test_gradients_are_asked_for_whatever_the_caller_has_switched_off() -> None:
    wanted = result(teacher(max_epochs=2).fit(X, Y))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert result(teacher(max_epochs=2).fit(X, Y)) == wanted


CHANGED = np.where(np.arange(720).reshape(90, 8) == 27, X + 1, X)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"learning_rate": 0.5}, {}, r"learning_rate is 0\.02 in the checkpoint, 0\.5 now\. Go on with"),
        ({"max_epochs": 2, "seed": 1}, {}, r"max_epochs is 1 in the checkpoint, 2 now; seed is 0"),
        ({"augment": Jitter()}, {}, r"augment is None in the checkpoint, '.*:Jitter' now"),
        ({"factory": MLP, "factory_kwargs": {"n_in": 8}}, {}, r"'.*Noisy' in .*; factory_kwargs\['n_in'\] is None"),
        ({}, {"X": CHANGED}, r"training: X is 'float32 \(90, 8\) with digest \w+' in the checkpoint, "),
        ({}, {"y": Y + 1}, r"training: y is 'float64 \(90, 1\) with"),
        ({}, {"sample_weight": np.arange(90)}, r"training: sample_weight is 'float64 \(90,\) with"),
        ({}, {"validation": 0.2}, r"validation is 0\.1 in the checkpoint, 0\.2 now"),
        ({}, {"validation": (CHANGED, Y)}, r"validation X is None in the checkpoint, 'float32"),
    ],
)
def test_a_checkpoint_of_another_training(
    tmp_path: Path, options: dict[str, Any], data: dict[str, Any], message: str
) -> None:
    teacher(max_epochs=1).fit(X, Y, checkpoint_dir=tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match=message):
        teacher(max_epochs=1).set_params(**options).fit(**{"X": X, "y": Y} | data, checkpoint_dir=tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_where_a_training_runs_may_change(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="power"):
        teacher(augment=Jitter(12)).fit(X, Y, checkpoint_dir=tmp_path)
    fitted = teacher(augment=Jitter(), progress=True, devices="1").fit(X, Y, checkpoint_dir=tmp_path)
    assert result(fitted) == result(teacher(augment=Jitter()).fit(X, Y))


def test_a_checkpoint_from_before_the_networks_moved_goes_on(tmp_path: Path) -> None:
    own: dict[str, Any] = {"factory": MLP, "factory_kwargs": {"n_in": 8}}
    with pytest.raises(OSError, match="power"):
        teacher(augment=Jitter(12)).set_params(**own).fit(X, Y, checkpoint_dir=tmp_path)
    tensors, document = weights.load_tensors(tmp_path / CHECKPOINT, KIND)
    assert document["identity"]["factory"] == "awd_core.teacher.networks:MLP"
    document["identity"]["factory"] = "awd_core.networks:MLP"
    weights.save_tensors(tmp_path / CHECKPOINT, tensors, document, KIND)
    fitted = teacher(augment=Jitter()).set_params(**own).fit(X, Y, checkpoint_dir=tmp_path)
    assert result(fitted) == result(teacher(augment=Jitter()).set_params(**own).fit(X, Y))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    teacher(max_epochs=1).fit(X, Y, checkpoint_dir=tmp_path)
    content = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(content[:-3])
    with pytest.raises(ValueError, match="is damaged, cut short, or no safetensors file"):
        teacher(max_epochs=1).fit(X, Y, checkpoint_dir=tmp_path)


KILLED = """
    import os, sys
    import numpy as np
    import torch
    from torch import nn
    from awd_core.teacher.teacher import Teacher

    X = np.random.default_rng(0).normal(size=(60, 5))
    Y = X[:, 0] ** 2
    OPTIONS = {"accelerator": "cpu", "max_epochs": 9, "schedule": "cosine"}

    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(5, 40), nn.Dropout(0.2), nn.Tanh(), nn.Linear(40, 1))

    class Scaled:
        def __init__(self, kill_at=None):
            self.kill_at, self.calls = kill_at, 0

        def __call__(self, x, generator):
            self.calls += 1
            if self.calls == self.kill_at:
                os.kill(os.getpid(), 9)
            return x * (1 + 0.01 * (generator.initial_seed() % 7))

    if __name__ == "__main__":
        # A checkpoint holds the names of network and augmentation, which have to be those of an import.
        from killed_training import Net, Scaled

        torch.set_num_threads(int(sys.argv[1]))
        # 54 samples make two batches: this is the second of the fifth epoch.
        Teacher(Net, **OPTIONS, augment=Scaled(10)).fit(X, Y, checkpoint_dir="run")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_after_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "killed_training.py").write_text(textwrap.dedent(KILLED))
    command = [sys.executable, "killed_training.py", str(torch.get_num_threads())]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    done = len(weights.load_tensors(tmp_path / "run" / CHECKPOINT, "training checkpoint")[1]["history"])
    assert done == 4

    monkeypatch.syspath_prepend(tmp_path)
    told = __import__("killed_training")
    gone_on, whole = (Teacher(told.Net, **told.OPTIONS, augment=told.Scaled()) for _ in range(2))
    assert result(gone_on.fit(told.X, told.Y, checkpoint_dir=tmp_path / "run")) == result(whole.fit(told.X, told.Y))
    assert gone_on.augment.calls == 2 * 5


def test_ctrl_c_is_a_keyboard_interrupt(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # A process that was started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def press(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        signal.raise_signal(signal.SIGINT)
        return x

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        teacher(augment=press).fit(X, Y)
    assert signal.getsignal(signal.SIGINT) is handler


def test_no_pickle_is_loaded_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a pickle")

    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"Lightning would load this in a batch job's folder")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SLURM_JOB_ID": "1",
        "SLURM_NTASKS": "1",
        "SLURM_JOB_NAME": "train",
        "SLURM_PROCID": "0",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("load", "save"):
        monkeypatch.setattr(torch, name, forbidden)
    monkeypatch.setattr("pickle.loads", forbidden)
    fitted = teacher(max_epochs=2).fit(X, Y, checkpoint_dir="run")
    fitted.save("teacher.safetensors")
    assert {path.name for path in tmp_path.rglob("*")} == {"hpc_ckpt_1.ckpt", "run", CHECKPOINT, "teacher.safetensors"}
