"""One training run of a teacher, safe against being killed.

Lightning's Fabric brings devices, precision and processes. Its checkpoints would be pickles; in their place a
`State` is stored after every epoch. What is random is drawn from generators that are seeded by (seed, epoch), so a run
that goes on from there meets the same batches, dropout and augmentation as one that was never stopped.
"""

import logging
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim import lr_scheduler

from awd_core.teacher.checkpoint import State
from awd_core.teacher.networks import InTargetUnits, Standardised
from awd_core.teacher.problem import Problem
from awd_core.teacher.samples import Batch, Batches, Part
from awd_core.teacher.seeds import AUGMENT, MODULE, ORDER, isolated_random_state, seed_for
from awd_core.teacher.settings import Augment, Training
from awd_core.typing import Rows

Loss = Callable[[Tensor, Tensor], Tensor]
Save = Callable[[State], None]


def train(
    module: Standardised,
    loss: Loss,
    problem: Problem,
    options: Training,
    augment: Augment | None,
    state: State,
    save: Save | None,
) -> None:
    """Train the module in place from `state` on, which is brought to the end, and given to `save` after every epoch.

    Where the processes of a training are others than this one, `save` is all that comes of it.
    """
    # Casts are not kept, as in Lightning's Trainer: the gradients of shared weights are then summed in full precision.
    with _quiet(), isolated_random_state(), torch.autocast("cpu", enabled=False, cache_enabled=False):
        of_all = partial(_run, loss=loss, problem=problem, options=options, augment=augment, state=state, save=save)
        _fabric(options).launch(of_all, module)


def _run(fabric: Fabric, module: Standardised, **of_all: Any) -> None:
    """What every process does, with a copy of the module for each; one that is spawned imports this by its name."""
    if type(multiprocessing.current_process()).__name__ == "ForkProcess":
        # None of OpenMP's threads comes along into a process that is forked: it would wait for them for ever.
        torch.set_num_threads(1)
    _Loop(fabric, module, **of_all).run()


@dataclass(eq=False)
class _Loop:
    """The epochs of a training, on one of its processes; the fields are arguments of `train`."""

    fabric: Fabric
    module: Standardised
    loss: Loss
    problem: Problem
    options: Training
    augment: Augment | None
    state: State
    save: Save | None

    def __post_init__(self) -> None:
        fabric, module, options, state = self.fabric, self.module, self.options, self.state
        self.network = module.network
        if state.network:
            self.network.load_state_dict(state.network)
        fabric.strategy.module_to_device(module)
        # Fabric's own wrapper of modules would round inputs to 16 bits, and outputs in float64 to float32.
        scales = module.input_mean, module.input_sd, module.target_mean, module.target_sd
        self.module = Standardised(fabric.strategy.setup_module(module.network), *scales)
        self.asked = InTargetUnits(Standardised(module.network, *scales))
        self.batches = self._dealt(self.problem.training, seed_for(options.seed, ORDER))
        self.generator = torch.Generator()
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options.optimizer]
        trainable = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = kind(trainable, lr=options.learning_rate, weight_decay=options.weight_decay)
        self.schedule = _schedule(options, self.optimizer, options.max_epochs * len(self.batches))
        if state.loop:
            state.restore(self.optimizer, self.schedule, fabric.strategy.precision)

    def _dealt(self, part: Part, seed: int | None = None) -> Batches:
        batches = Batches(part, self.options.batch_size, seed, self.fabric.global_rank, self.fabric.world_size)
        batches.read_ahead |= self.fabric.device.type != "cpu"
        return batches

    def run(self) -> None:
        """Train to the last epoch, or to an early stop."""
        state, most = self.state, self.options.max_epochs
        with _told(self.options.progress if self.fabric.is_global_zero else False, len(self.batches)) as (step, tell):
            tell(len(state.history), most, _losses(state))
            while not state.finished:
                started = time.perf_counter()
                losses, rate = self._learn(step)
                if self.problem.validation is not None:
                    losses |= self._validate(self.problem.validation)
                epoch = len(state.history) + 1
                _check_finite(losses, epoch, self.options)
                seconds = round(time.perf_counter() - started, 4)
                state.history.append({"epoch": epoch, **losses, "learning_rate": rate, "seconds": seconds})
                self._judge(epoch, _judged(losses))
                if self.save is not None and self.fabric.is_global_zero:
                    state.capture(self.network, self.optimizer, self.schedule, self.fabric.strategy.precision)
                    self.save(state)
                tell(epoch, most, _losses(state))

    @torch.enable_grad()
    def _learn(self, step: Callable[[], object]) -> tuple[dict[str, float], float]:
        """One pass over the training part: its loss, and the learning rate of the last step."""
        fabric, options, strategy = self.fabric, self.options, self.fabric.strategy
        where = len(self.state.history), fabric.global_rank
        self.batches.epoch = where[0]
        torch.manual_seed(seed_for(options.seed, MODULE, *where))
        self.generator.manual_seed(seed_for(options.seed, AUGMENT, *where))
        self.module.train()
        sums, rate = torch.zeros(2, device=fabric.device), options.learning_rate
        for batch, rows in zip(self.batches, self.batches.rows(), strict=True):
            terms = self._terms_of(batch, rows, where[0], self.augment)
            total = terms.sum()
            self.optimizer.zero_grad()
            # The gradients of all processes are averaged; what is meant is the mean over the whole batch.
            fabric.backward(total * (fabric.world_size / batch[3]))
            if options.gradient_clip is not None:
                fabric.clip_gradients(
                    self.module, self.optimizer, max_norm=options.gradient_clip, error_if_nonfinite=False
                )
            strategy.optimizer_step(self.optimizer)
            sums = sums + terms.detach()
            rate = float(self.optimizer.param_groups[0]["lr"])
            if options.schedule in ("one-cycle", "cosine"):
                self.schedule.step()
            step()
        loss, penalty = (self._mean(one, self.problem.training) for one in sums)
        return {"train_loss": loss} | ({} if options.penalty is None else {"penalty": penalty}), rate

    @torch.inference_mode()
    def _validate(self, part: Part) -> dict[str, float]:
        self.module.eval()
        sums = torch.zeros(2, device=self.fabric.device)
        dealt, known = self._dealt(part), part.samples is self.problem.training.samples
        for batch, rows in zip(dealt, dealt.rows(), strict=True):
            sums = sums + self._terms_of(batch, rows if known else None, self.options.max_epochs - 1)
        loss, penalty = (self._mean(one, part) for one in sums)
        return {"valid_loss": loss} | ({} if self.options.penalty is None else {"valid_penalty": penalty})

    def _terms_of(self, batch: Batch, rows: Rows | None, epoch: int, augment: Augment | None = None) -> Tensor:
        """Weighted sums, of this process's share of a batch, of losses and of what is penalised."""
        x, y, w, _ = batch
        device = self.fabric.device
        if self.options.precision == "64-true":
            x = x.double()
        if device.type == "mps" and x.dtype == torch.float64:  # that device has no float64
            x = x.float()
        x, y, w = x.to(device), y.to(device), w.to(device)
        with self.fabric.autocast():
            if augment is not None:
                x = augment(x, self.generator)
            try:
                loss = (self.loss(self.module.standardised(x), y) * w).sum()
            except ValueError as error:
                if len(x) == 1 and "more than 1 value per channel" in str(error):
                    raise ValueError(
                        f"batch normalisation cannot learn from a batch of one sample: batch_size is "
                        f"{self.options.batch_size}, give 2 or more"
                    ) from error
                raise
            penalised = self._penalised(x, rows, epoch, w)
        return torch.stack([loss, torch.zeros_like(loss) if penalised is None else penalised])

    def _penalised(self, x: Tensor, rows: Rows | None, epoch: int, w: Tensor) -> Tensor | None:
        """Weighted sum of what is penalised, if anything is."""
        penalty = self.options.penalty
        if penalty is None:
            return None
        # Validation is in inference mode, in which no penalty can differentiate.
        with torch.inference_mode(False), torch.set_grad_enabled(torch.is_grad_enabled()):
            terms = penalty(self.asked, x.clone(), rows, epoch)
        if not isinstance(terms, Tensor) or terms.shape != w.shape:
            told = tuple(terms.shape) if isinstance(terms, Tensor) else type(terms).__name__
            raise ValueError(f"penalty returned {told} for a batch of {len(w)}; it must be a tensor of one number each")
        return (terms.to(w) * w).sum()

    def _mean(self, total: Tensor, part: Part) -> float:
        """Mean loss over a part, from the sums of all processes."""
        total = self.fabric.strategy.all_reduce(total, reduce_op="sum")
        return float(total) / float(part.weights.sum(dtype=torch.float64))

    def _judge(self, epoch: int, valid_loss: float | None) -> None:
        """Keep the weights of the best epoch, lower the rate on a plateau, and say whether to stop."""
        state, options = self.state, self.options
        if valid_loss is None or state.best_loss is None or valid_loss < state.best_loss:
            state.best_loss, state.best_epoch = valid_loss, epoch
            state.best = {name: t.detach().to("cpu", copy=True) for name, t in self.network.state_dict().items()}
        waited_long = options.patience is not None and epoch - state.best_epoch >= options.patience
        state.finished = waited_long or epoch >= options.max_epochs
        if options.schedule == "plateau":
            self.schedule.step(valid_loss)


@contextmanager
def _told(
    progress: bool | Callable[[int, int, str], object], steps: int
) -> Iterator[tuple[Callable[[], object], Callable[[int, int, str], object]]]:
    """Whom to tell of every step, and of epochs done, epochs at most, and losses: a bar, the caller, or nobody."""
    if callable(progress) or not progress:
        yield (lambda: None), progress if callable(progress) else (lambda *_: None)
        return
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[losses]}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", losses="")

        def tell(done: int, most: int, losses: str) -> None:
            bar.update(
                task, completed=done * steps, total=most * steps, losses=losses, description=f"epoch {done}/{most}"
            )

        yield (lambda: bar.advance(task)), tell


def _schedule(options: Training, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    match options.schedule:
        case "one-cycle":
            return lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        case "plateau":
            wait = 5 if options.patience is None else options.patience // 2
            return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait)
    return None


def _judged(losses: dict[str, float]) -> float | None:
    """What epochs are compared by: the validation loss, and what is penalised in it."""
    return losses["valid_loss"] + losses.get("valid_penalty", 0.0) if "valid_loss" in losses else None


def _losses(state: State) -> str:
    """The last losses in words; nothing before the first epoch."""
    if not state.history:
        return ""
    last = state.history[-1]
    losses = [f"{name.split('_')[0]} {last[name]:.4g}" for name in last if name.endswith("_loss")]
    return "  ".join([*losses, f"best at {state.best_epoch}"])


def _check_finite(losses: dict[str, float], epoch: int, options: Training) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise RuntimeError(
                f"the training diverged: {name} is {loss} in epoch {epoch}. Try a smaller learning_rate (now "
                f"{options.learning_rate:g}), gradient_clip=1.0 (now {options.gradient_clip}), scaling of inputs and "
                f"targets, or precision='32-true' (now {options.precision!r})."
            )


def _fabric(options: Training) -> Fabric:
    """Lightning's Fabric; where it has no such hardware, what was asked for beside its own words."""
    # One device is no matter of a batch system that the caller may run in.
    alone = options.strategy == "auto" and options.devices in (1, "1")
    try:
        return Fabric(
            accelerator=options.accelerator,
            devices=options.devices,
            strategy=options.strategy,
            precision=options.precision,
            plugins=LightningEnvironment() if alone else None,
        )
    except (MisconfigurationException, RuntimeError, ValueError, TypeError) as error:
        raise ValueError(
            f"Lightning cannot train with accelerator={options.accelerator!r}, devices={options.devices!r}, "
            f"strategy={options.strategy!r}: {error} accelerator='cpu' and devices=1 always work."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's tips and device lists off the terminal."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
