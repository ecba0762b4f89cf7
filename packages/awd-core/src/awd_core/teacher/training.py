"""One training run of a teacher through Lightning, safe against being killed.

Lightning runs the loop: devices, precision, gradient clipping, the modes of the module. Its own checkpoints are
pickles; in their place the callback `_Record` stores an `awd_core.teacher.State` after every epoch. What is random
is drawn from generators that are seeded by (seed, epoch), so a run that goes on from there meets the same batches,
dropout and augmentation as one that was never stopped.
"""

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim import lr_scheduler

from awd_core.teacher.checkpoint import State
from awd_core.teacher.networks import Standardised
from awd_core.teacher.samples import Batch, Batches, Part
from awd_core.teacher.seeds import AUGMENT, MODULE, ORDER, own_random_numbers, seed_for
from awd_core.teacher.settings import Augment, Training


def train(
    module: Standardised,
    loss: Callable[[Tensor, Tensor], Tensor],
    training: Part,
    validation: Part | None,
    settings: Training,
    augment: Augment | None,
    state: State,
    save: Callable[[State], None] | None,
) -> State:
    """Train the module in place, from `state` on, and leave the best weights in it.

    Parameters
    ----------
    module : Standardised
        What is trained.
    loss : callable
        Maps outputs (n, k) and targets to losses (n,).
    training, validation : Part
        Training weights have mean 1. Without validation nothing is compared: all epochs are run, the last weights stay.
    settings : Training
        How.
    augment : callable, optional
        Alters the inputs of each training batch.
    state : State
        Fresh, or from a checkpoint.
    save : callable, optional
        Stores a state; called after every epoch.

    Returns
    -------
    State
        The finished state.

    Raises
    ------
    RuntimeError
        A loss that is not finite.
    """
    if state.network:
        module.network.load_state_dict(state.network)
    run = _Run(module, loss, training, validation, settings, augment, state)
    callbacks: list[pl.Callback] = [_Record(run, save)]
    if settings.progress:
        callbacks.append(_Told(run, settings.progress) if callable(settings.progress) else _Progress(run))
    with _quiet(), own_random_numbers(), TemporaryDirectory() as nowhere:
        trainer = _trainer(
            settings,
            precision=settings.precision,
            max_epochs=settings.max_epochs - len(state.history),
            gradient_clip_val=settings.gradient_clip,
            limit_val_batches=0 if validation is None else None,
            callbacks=callbacks,
            plugins=_environment(settings),
            # Nothing of Lightning's own is written or looked for: it would be pickles.
            default_root_dir=nowhere,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        module.train()
        try:
            trainer.fit(run)
        except SystemExit:
            # Lightning turns Ctrl-C into the end of the interpreter; in a notebook that takes the session along.
            if run.interrupted:
                raise KeyboardInterrupt from None
            raise
    return run.state


class _Run(pl.LightningModule):
    """What Lightning asks for: steps, batches, the optimiser."""

    def __init__(
        self,
        module: Standardised,
        loss: Callable[[Tensor, Tensor], Tensor],
        training: Part,
        validation: Part | None,
        settings: Training,
        augment: Augment | None,
        state: State,
    ) -> None:
        super().__init__()
        self.module, self.loss, self.settings, self.augment, self.state = module, loss, settings, augment, state
        self.training_part, self.validation_part = training, validation
        self.interrupted = False
        self.batches = Batches(training, settings.batch_size, seed_for(settings.seed, ORDER))
        self.schedule: Any = None
        self.learning_rate = settings.learning_rate
        self.train_loss = self.valid_loss = torch.zeros(())
        self.augment_generator = torch.Generator()

    @property
    def epoch(self) -> int:
        """Epochs that are done, those before a resume included."""
        return len(self.state.history)

    def train_dataloader(self) -> Batches:
        self.batches.epoch = self.epoch
        return self._dealt(self.batches)

    def val_dataloader(self) -> Batches | list[Batch]:
        if self.validation_part is None:
            return []
        return self._dealt(Batches(self.validation_part, self.settings.batch_size))

    def _dealt(self, batches: Batches) -> Batches:
        batches.rank, batches.world = self.trainer.global_rank, self.trainer.world_size
        batches.read_ahead |= self.device.type != "cpu"
        return batches

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        x, y, w, n = batch
        if device.type == "mps" and x.dtype == torch.float64:  # that device has no float64
            x = x.float()
        return x.to(device), y.to(device), w.to(device), n

    def configure_optimizers(self) -> torch.optim.Optimizer:
        settings = self.settings
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer]
        trainable = [p for p in self.module.network.parameters() if p.requires_grad]
        optimizer: torch.optim.Optimizer = kind(
            trainable, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = settings.max_epochs * len(self.batches)
        match settings.schedule:
            case "one-cycle":
                self.schedule = lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
            case "cosine":
                self.schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
            case "plateau":
                wait = 5 if settings.patience is None else settings.patience // 2
                self.schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait)
        return optimizer

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y, w, n = batch
        if self.augment is not None:
            x = self.augment(x, self.augment_generator)
        try:
            total = (self.loss(self.module.standardised(x), y) * w).sum()
        except ValueError as error:
            if len(x) == 1 and "more than 1 value per channel" in str(error):
                raise ValueError(
                    f"batch normalisation cannot learn from a batch of one sample: batch_size is "
                    f"{self.settings.batch_size}, give 2 or more"
                ) from error
            raise
        self.train_loss = self.train_loss + total.detach()
        # Lightning averages the gradients of all processes; what is meant is the mean over the whole batch.
        return total * (self.trainer.world_size / n)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.learning_rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        if self.settings.schedule in ("one-cycle", "cosine"):
            self.schedule.step()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y, w, _ = batch
        self.valid_loss = self.valid_loss + (self.loss(self.module.standardised(x), y) * w).sum()


class _Record(pl.Callback):
    """Seeds each epoch, keeps history and best weights, stops early, and stores the state after every epoch."""

    def __init__(self, run: _Run, save: Callable[[State], None] | None) -> None:
        self.run, self.save = run, save
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.run.state.loop:
            self.run.state.restore(trainer.optimizers[0], self.run.schedule, trainer.precision_plugin)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        seed, epoch, rank = self.run.settings.seed, self.run.epoch, trainer.global_rank
        self.started = time.perf_counter()
        self.run.batches.epoch = epoch
        torch.manual_seed(seed_for(seed, MODULE, epoch, rank))
        self.run.augment_generator.manual_seed(seed_for(seed, AUGMENT, epoch, rank))
        self.run.train_loss = self.run.valid_loss = torch.zeros((), device=self.run.device)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        state, settings, optimizer = self.run.state, self.run.settings, trainer.optimizers[0]
        losses = {"train_loss": self._mean(trainer, self.run.train_loss, self.run.training_part)}
        if self.run.validation_part is not None:
            losses["valid_loss"] = self._mean(trainer, self.run.valid_loss, self.run.validation_part)
        epoch = self.run.epoch + 1
        _check_finite(losses, epoch, settings)
        state.history.append(
            {"epoch": epoch, **losses, "learning_rate": self.run.learning_rate}
            | {"seconds": round(time.perf_counter() - self.started, 4)}
        )
        monitored = losses.get("valid_loss")
        if monitored is None or state.best_loss is None or monitored < state.best_loss:
            state.best_loss, state.best_epoch = monitored, epoch
            state.best = _copied(self.run.module.network.state_dict())
        waited_long = settings.patience is not None and epoch - state.best_epoch >= settings.patience
        state.finished = waited_long or epoch >= settings.max_epochs
        if settings.schedule == "plateau":
            self.run.schedule.step(monitored)
        trainer.should_stop = trainer.should_stop or state.finished
        if self.save is not None and trainer.is_global_zero:
            state.capture(self.run.module.network, optimizer, self.run.schedule, trainer.precision_plugin)
            self.save(state)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.run.module.network.load_state_dict(self.run.state.best)

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.run.interrupted = isinstance(exception, KeyboardInterrupt)

    @staticmethod
    def _mean(trainer: pl.Trainer, total: Tensor, part: Part) -> float:
        total = trainer.strategy.reduce(total, reduce_op="sum")
        return float(total) / float(part.weights.sum(dtype=torch.float64))


class _Told(pl.Callback):
    """Tells somebody else, who shows it, after every epoch."""

    def __init__(self, run: _Run, tell: Callable[[int, int, str], object]) -> None:
        self.run, self.tell = run, tell

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._tell(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._tell(trainer)

    def _tell(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero:
            self.tell(self.run.epoch, self.run.settings.max_epochs, _losses(self.run.state))


class _Progress(pl.Callback):
    """One line on the terminal: a bar over all epochs, and the last losses."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=Console(stderr=True))
        total, done = self.run.settings.max_epochs * len(self.run.batches), self.run.epoch * len(self.run.batches)
        self.task = self.bar.add_task(f"epoch {self.run.epoch + 1}", total=total, completed=done, losses="")
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        if self.bar is not None:
            self.bar.advance(self.task)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.bar is not None:
            description = f"epoch {self.run.epoch}/{self.run.settings.max_epochs}"
            self.bar.update(self.task, description=description, losses=_losses(self.run.state))

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()


def _losses(state: State) -> str:
    """The last losses in words; nothing before the first epoch."""
    if not state.history:
        return ""
    last = state.history[-1]
    losses = [f"{name.split('_')[0]} {last[name]:.4g}" for name in last if name.endswith("_loss")]
    return "  ".join([*losses, f"best at {state.best_epoch}"])


def _check_finite(losses: dict[str, float], epoch: int, settings: Training) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise RuntimeError(
                f"the training diverged: {name} is {loss} in epoch {epoch}. Try a smaller learning_rate (now "
                f"{settings.learning_rate:g}), gradient_clip=1.0 (now {settings.gradient_clip}), scaling of inputs and "
                f"targets, or precision='32-true' (now {settings.precision!r})."
            )


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _environment(settings: Training) -> list[Any]:
    """Where processes come from: on one device from nowhere, whatever batch system the caller runs in."""
    if settings.strategy == "auto" and settings.devices in (1, "1"):
        return [LightningEnvironment()]
    # Lightning's requeueing writes a pickle and later reads it; our checkpoints serve a requeued job as well.
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []


def _trainer(settings: Training, **more: Any) -> pl.Trainer:
    """Lightning's trainer; where it has no such hardware, what was asked for beside its own words."""
    try:
        return pl.Trainer(
            accelerator=settings.accelerator, devices=settings.devices, strategy=settings.strategy, **more
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ValueError(
            f"Lightning cannot train with accelerator={settings.accelerator!r}, devices={settings.devices!r}, "
            f"strategy={settings.strategy!r}: {error} accelerator='cpu' and devices=1 always work."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's tips and device lists off the terminal, and two of its warnings."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # Lightning asks torch's pytree for a class that torch 2.10 renamed; nothing that a user could change.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated", category=FutureWarning)
        # accelerator="cpu" on a machine with a GPU is a choice.
        warnings.filterwarnings("ignore", message="GPU available but not used")
        try:
            for logger in loggers:
                logger.setLevel(logging.WARNING)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
