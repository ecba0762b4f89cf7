"""What both forms of the teacher share: options, fitting, exporting, saving and loading."""

import copy
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from awd_core.checks.columns import Columns
from awd_core.teacher.checkpoint import State
from awd_core.teacher.networks import Standardised
from awd_core.teacher.problem import Problem, Validation, encode_labels, encode_values, find_classes, prepare_problem
from awd_core.teacher.samples import Samples
from awd_core.teacher.seeds import INITIAL, isolated_random_state, seed_for
from awd_core.teacher.settings import MACHINE, Augment, Penalty, Training, check
from awd_core.teacher.weights import (
    Factory,
    as_json,
    build,
    current_name,
    factory_name,
    fill,
    load_tensors,
    resolve_factory,
    save_tensors,
)
from awd_core.typing import AnyArray

KIND = "teacher"
OWN_PACKAGES = ("awd_core", "awd_cosmo", "awd_cme")
"""Packages whose network classes a file may name; others the caller names in the call."""


@dataclass(eq=False, repr=False)
class TeacherBase(Training, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What both forms share; the options are described at `Teacher`."""

    factory: Factory | str
    factory_kwargs: Mapping[str, Any] | None = None

    _task: ClassVar[str]

    @staticmethod
    def _loss(out: Tensor, y: Tensor) -> Tensor:
        """Losses (n,) of outputs (n, k) for standardised targets (n, k), or of logits for class numbers (n,)."""
        raise NotImplementedError

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation: Validation = 0.1,
        sample_weight: npt.ArrayLike | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train the network, and keep the weights of the epoch with the lowest validation loss.

        Parameters
        ----------
        X : array_like, torch.Tensor or zarr.Array, shape (n, …)
            Inputs in any unit. Arrays on disk are read batch by batch, shuffled by their chunks.
        y : array_like, shape (n,) or (n, k)
            Targets in any unit; for `TeacherClassifier` labels, shape (n,).
        validation : float or tuple or None
            The fraction of the samples to hold out, drawn with `seed`, of each class alike; or `(X, y)` or
            `(X, y, sample_weight)`; or None: no validation, all epochs are run and the last weights kept. Samples
            that belong together (cells, cosmologies) have to be split by the caller.
        sample_weight : array_like, optional, shape (n,)
            Weights of the losses, not negative.
        checkpoint_dir : path, optional
            Where the state is stored after every epoch. A training that was killed goes on from there, to the same
            result bit for bit on the same CPU and number of threads; a finished one is returned at once.

        Returns
        -------
        Self
            The teacher, with `module_`, `history_`, `best_epoch_` (and `classes_`).

        Raises
        ------
        ValueError, TypeError
            An option or data that can't be used, a network that doesn't fit the data, or a checkpoint of another
            training; the message says which, and what to do.
        RuntimeError
            The training diverged.
        """
        self._check_options(validation, checkpoint_dir)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None; give targets.")
        classes = find_classes(y) if self._task == "classification" else None
        network, dtype = self._network()
        problem = prepare_problem(
            X,
            y,
            encode_values if classes is None else lambda labels, name: encode_labels(labels, name, classes),
            validation=validation,
            sample_weight=sample_weight,
            scale_inputs=self.scale_inputs,
            scale_targets=getattr(self, "scale_targets", "none"),
            seed=self.seed,
            dtype=dtype,
        )
        samples = problem.training.samples
        columns = Columns.of(X, samples.array.shape)
        if isinstance(validation, tuple):
            columns.check(validation[0], samples.array.shape, self, "validation X")
        scales = [problem.inputs.mean, problem.inputs.sd, problem.targets.mean, problem.targets.sd]
        module = Standardised(network, *(torch.tensor(values, dtype=dtype) for values in scales))
        self._check_outputs(module, problem, classes)
        state = self._train(module, problem, validation, None if checkpoint_dir is None else Path(checkpoint_dir))
        self.module_ = module.cpu().eval()
        self.history_: list[dict[str, float]] = state.history
        self.best_epoch_: int = state.best_epoch
        self.input_shape_ = samples.shape
        columns.keep(self)
        self._flat = classes is not None or np.ndim(_shaped(y)) == 1
        if classes is not None:
            self.classes_ = classes
        return self

    def as_torch(self) -> Standardised:
        """A copy of the trained module that maps raw inputs (n, …) to raw outputs (n, k), for attribution.

        Returns
        -------
        torch.nn.Module
            In evaluation mode, on the CPU, its parameters frozen. Gradients of its outputs are in units of the target
            per unit of the data; a classifier's outputs are logits.
        """
        check_is_fitted(self, "module_")
        return copy.deepcopy(self.module_).eval().requires_grad_(False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted teacher into one safetensors file; `load` reads it.

        Raises
        ------
        TypeError
            `factory_kwargs` holds something that JSON has no word for.
        """
        check_is_fitted(self, "module_")
        classes = getattr(self, "classes_", None)
        document = {
            "task": self._task,
            "parameters": self._defining()
            | self._chosen()
            | {"factory": factory_name(self.factory), "augment": None, "penalty": None},
            "input_shape": self.input_shape_,
            "feature_names": getattr(self, "feature_names_in_", None),
            "flat": self._flat,
            "classes": None if classes is None else {"values": classes, "dtype": classes.dtype.str},
            "augment": None if self.augment is None else factory_name(self.augment),
            "penalty": penalty_name(self.penalty),
            "best_epoch": self.best_epoch_,
            "history": self.history_,
            "versions": _versions(),
        }
        save_tensors(path, self.module_.state_dict(), as_json(document, "this teacher"), KIND)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, factory: Factory | str | None = None) -> Self:
        """Read a teacher that `save` wrote.

        Parameters
        ----------
        path : path
            The file.
        factory : callable or str, optional
            What builds the network. It has to be given where the network is no class of these packages: a file must
            not be able to choose which code is run.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is damaged, no teacher, of the other task, or names a network that has to be confirmed.
        """
        tensors, document = load_tensors(path, KIND)
        if document["task"] != cls._task:
            other = {"regression": "Teacher", "classification": "TeacherClassifier"}[document["task"]]
            raise ValueError(f"{path} holds a teacher for {document['task']}; load it with {other}.load.")
        parameters = document["parameters"]
        if factory is None:
            factory = _own_network(parameters["factory"], path)
        teacher = cls(**parameters | {"factory": factory})
        network, _ = teacher._network()
        names = ("input_mean", "input_sd", "target_mean", "target_sd")
        module = Standardised(network, *(torch.zeros_like(tensors.get(name, torch.zeros(()))) for name in names))
        fill(module, tensors, where=str(path))
        teacher.module_ = module.eval()
        teacher.history_, teacher.best_epoch_ = document["history"], document["best_epoch"]
        teacher.input_shape_, teacher._flat = tuple(document["input_shape"]), document["flat"]
        told = document.get("feature_names")  # None in older files too
        Columns(told and tuple(told), (*teacher.input_shape_, None)[0]).keep(teacher)
        if document["classes"] is not None:
            teacher.classes_ = np.array(document["classes"]["values"], dtype=document["classes"]["dtype"])
        return teacher

    def _network(self) -> tuple[torch.nn.Module, torch.dtype]:
        """A new network, its first weights drawn from the seed, and its element type."""
        factory = resolve_factory(self.factory) if isinstance(self.factory, str) else self.factory
        if isinstance(factory, torch.nn.Module) or not callable(factory):
            raise TypeError(
                "factory has to be a module class, a function that returns a module, or the name of one as "
                f"'package.module:name', so that each training starts anew; got {type(factory).__name__}."
            )
        with isolated_random_state():
            torch.manual_seed(seed_for(self.seed, INITIAL))
            network = build(factory, self._network_arguments(factory))
        if not any(p.requires_grad for p in network.parameters()):
            raise ValueError(f"the network of {factory_name(self.factory)} has no trainable parameters.")
        if self.precision == "64-true":
            network = network.double()
        return network, next(p.dtype for p in network.parameters() if p.requires_grad)

    def _network_arguments(self, factory: Factory) -> dict[str, Any]:
        """What the factory is called with."""
        return dict(self.factory_kwargs or {})

    def _augmentation(self) -> Augment | None:
        """What alters the inputs of training batches."""
        return self.augment

    def _chosen(self) -> dict[str, Any]:
        """Options that were left to `fit`, as it chose them."""
        return {}

    def _defining(self) -> dict[str, Any]:
        """Options that say what a teacher is."""
        return {name: value for name, value in self.get_params(deep=False).items() if name not in MACHINE}

    def _check_options(self, validation: Validation, checkpoint_dir: object) -> None:
        check(self)
        if self.schedule == "plateau" and validation is None:
            raise ValueError("schedule='plateau' watches the validation loss: give validation, or another schedule.")
        if checkpoint_dir is None and any(word in str(self.strategy) for word in ("spawn", "fork", "notebook")):
            raise ValueError(
                f"strategy={self.strategy!r} trains in other processes, and their result comes back through a file: "
                "give checkpoint_dir."
            )

    def _check_outputs(self, module: Standardised, problem: Problem, classes: AnyArray | None) -> None:
        """Whether the network takes the samples and answers with as many numbers as are asked for."""
        part = problem.training
        x = part.samples.take(part.rows[:2])
        try:
            with torch.no_grad(), isolated_random_state():
                torch.manual_seed(seed_for(self.seed, INITIAL, 1))  # lazy layers draw their first weights here
                # Before the targets' scales are put on, which would make one output as many as there are targets.
                out = module.eval().standardised(x)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"the network can't take a batch of shape {tuple(x.shape)}: {error}") from error
        if classes is None:
            allowed = {(2, part.targets.shape[1])}
        else:
            allowed = {(2, len(classes))} | ({(2, 1)} if len(classes) == 2 else set())
        if tuple(out.shape) not in allowed:
            wanted = " or ".join(map(str, sorted(allowed)))
            meaning = "as many columns as y" if classes is None else f"logits of the {len(classes)} classes of y"
            raise ValueError(
                f"for a batch of shape {tuple(x.shape)} the network returns {tuple(out.shape)}, not {wanted}: "
                f"{meaning}."
            )

    def _train(self, module: Standardised, problem: Problem, validation: Validation, directory: Path | None) -> State:
        # Lightning takes seconds to import; whoever only predicts does without.
        from awd_core.teacher.training import train

        identity = {} if directory is None else self._identity(module, problem, validation)
        state = State() if directory is None else State.load(directory, identity)
        if not state.finished:
            save = None if directory is None else partial(State.save, directory=directory, identity=identity)
            train(module, self._loss, problem, Training.of(self), self._augmentation(), state, save)
        if not state.finished and directory is not None:  # it was trained in other processes
            state = State.load(directory, identity)
        module.network.load_state_dict(state.best)
        return state

    def _identity(self, module: Standardised, problem: Problem, validation: Validation) -> dict[str, Any]:
        """What has to be the same for a checkpoint to be continued."""
        options = self._defining()
        kwargs = options.pop("factory_kwargs") or {}
        options |= {f"factory_kwargs[{key!r}]": value for key, value in kwargs.items()}
        options["task"], options["factory"] = self._task, factory_name(self.factory)
        augment = self._augmentation()
        options["augment"] = None if augment is None else factory_name(augment)
        options["penalty"] = penalty_name(self.penalty)
        options["validation"] = "given" if isinstance(validation, tuple) else validation
        tensors = module.network.state_dict().items()
        options["network"] = {name: [str(tensor.dtype), *tensor.shape] for name, tensor in tensors}
        identity: dict[str, Any] = as_json(options | problem.identity, "this teacher")
        return identity

    def _outputs(self, X: Any, module: Standardised | None = None) -> Tensor:
        """Raw outputs (n, k) on the CPU, of the trained module if no other is given."""
        check_is_fitted(self, "module_")
        module = self.module_ if module is None else module
        samples = Samples(X)
        if len(samples.shape) == len(self.input_shape_):
            Columns.kept_by(self).check(X, samples.array.shape, self)
        if samples.shape != self.input_shape_:
            wanted = ", ".join(map(str, ("n", *self.input_shape_)))
            raise ValueError(
                f"samples of X have shape {samples.shape}; the teacher was trained on {self.input_shape_}. "
                f"Reshape your data to ({wanted})."
            )
        device, rows = _device(self.accelerator, self.devices), np.arange(len(samples))
        outputs = []
        try:
            module.to(device)
            with torch.inference_mode():
                for start in range(0, len(rows), self.batch_size):
                    x = samples.take(rows[start : start + self.batch_size])
                    finite = torch.isfinite(x).reshape(len(x), -1).all(dim=1)
                    if not finite.all():
                        bad = start + int(finite.int().argmin())
                        raise ValueError(
                            f"X has a NaN or an infinity, first at sample {bad}; the teacher can't take it."
                        )
                    x = x.float() if device.type == "mps" else x
                    outputs.append(module(x.to(device)).cpu())
        finally:
            module.cpu()
        return torch.cat(outputs)


def _own_network(name: str, path: object) -> Factory:
    """The network class that a file names, if it is one of these packages' own."""
    package, module_name = name.partition(".")[0], current_name(name).partition(":")[0]
    if package in OWN_PACKAGES:
        factory = resolve_factory(name)
        if isinstance(factory, type) and issubclass(factory, torch.nn.Module) and factory.__module__ == module_name:
            return factory
    raise ValueError(
        f"the network of {path} is built by {name!r}, which is no network class of {', '.join(OWN_PACKAGES)}. "
        f"Building it runs that code: if you trust it, load with factory={name!r}, or with the callable itself."
    )


def penalty_name(penalty: Penalty | None) -> str | None:
    """What identifies a penalty in files: its own description, or the name of its class or function."""
    return None if penalty is None else str(getattr(penalty, "description", None) or factory_name(penalty))


def _device(accelerator: Any, devices: Any) -> torch.device:
    """Where to predict: where the training ran, as far as there is such a device."""
    wanted = accelerator if isinstance(accelerator, str) else "auto"
    if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(devices[0]) if isinstance(devices, list | tuple) and devices else 0)
    if wanted in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _versions() -> dict[str, str]:
    names = ("awd-core", "torch", "lightning", "numpy", "scikit-learn", "safetensors")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def _shaped(y: Any) -> Any:
    return y if hasattr(y, "ndim") else np.asarray(y)
