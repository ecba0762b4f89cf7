"""How far a training has come, and its file: weights, best weights, optimiser and schedule, without a pickle.

One safetensors file holds the tensors and, in its header, everything else, so that the two can't disagree; it replaces
the one before it only when it is whole. Random numbers need no state: their seeds are functions of (seed, epoch).
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from awd_core.teacher.weights import current_name, load_tensors, save_tensors

CHECKPOINT = "checkpoint.safetensors"
"""Name of the file in a checkpoint directory."""

KIND = "training checkpoint"


@dataclass
class State:
    """How far a training has come.

    Attributes
    ----------
    history : list of dict
        One for each epoch that is done.
    best_loss, best_epoch
        The lowest validation loss and its epoch, counted from 1; without validation None and the last epoch.
    finished : bool
        Whether the last epoch, or an early stop, was reached.
    best : dict of Tensor
        The weights of the best epoch.
    network, optimizer, loop
        What the next epoch needs: weights, moments, and the numbers of optimiser, schedule and loss scaling.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float | None = None
    best_epoch: int = 0
    finished: bool = False
    best: dict[str, Tensor] = field(default_factory=dict)
    network: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    loop: dict[str, Any] = field(default_factory=dict)

    def capture(self, network: nn.Module, optimizer: Optimizer, schedule: Any, precision: Any) -> None:
        """Take up what the next epoch depends on."""
        held = optimizer.state_dict()
        self.network = network.state_dict()
        self.optimizer = {f"{i}.{name}": t for i, named in held["state"].items() for name, t in named.items()}
        numbers = {} if schedule is None else schedule.state_dict()
        self.loop = {
            "groups": held["param_groups"],
            # The plateau schedule lists a constant of its class, an infinity, which JSON has no word for.
            "schedule": {key: value for key, value in numbers.items() if value != math.inf},
            "precision": precision.state_dict(),
        }

    def restore(self, optimizer: Optimizer, schedule: Any, precision: Any) -> None:
        """Give back what `capture` took; the network's weights are loaded before there is an optimiser."""
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in self.optimizer.items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = tensor
        groups = [
            {key: tuple(value) if key == "betas" else value for key, value in group.items()}
            for group in self.loop["groups"]
        ]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        if schedule is not None:
            schedule.load_state_dict(self.loop["schedule"])
        precision.load_state_dict(self.loop["precision"])

    def save(self, directory: Path, identity: dict[str, Any]) -> None:
        """Replace the checkpoint in the directory. A finished training needs its best weights only.

        Parameters
        ----------
        directory : Path
            Made if it doesn't exist.
        identity : dict
            What the training is: settings, digests of the data. JSON.
        """
        groups = {"best": self.best} | ({} if self.finished else {"network": self.network, "optimizer": self.optimizer})
        tensors = {f"{group}.{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
        document = {
            "identity": identity,
            "history": self.history,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "finished": self.finished,
            "loop": {} if self.finished else self.loop,
        }
        directory.mkdir(parents=True, exist_ok=True)
        save_tensors(directory / CHECKPOINT, tensors, document, KIND)

    @classmethod
    def load(cls, directory: Path, identity: dict[str, Any]) -> "State":
        """The state in the directory, or a fresh one where there is none.

        Raises
        ------
        ValueError
            The file is damaged, or it is of another training: the message says what differs.
        """
        path = directory / CHECKPOINT
        if not path.exists():
            return cls()
        tensors, document = load_tensors(path, KIND)
        theirs = document.pop("identity")
        theirs |= {key: current_name(theirs[key]) for key in ("factory", "augment") if isinstance(theirs.get(key), str)}
        differences = [
            f"{key} is {_brief(theirs.get(key))} in the checkpoint, {_brief(identity.get(key))} now"
            for key in sorted(theirs.keys() | identity.keys())
            if theirs.get(key) != identity.get(key)
        ]
        if differences:
            raise ValueError(
                f"{path} belongs to another training: {'; '.join(differences)}. Go on with the settings and data of "
                "that training, or give another checkpoint_dir."
            )
        state = cls(**document)
        for name, tensor in tensors.items():
            group, _, key = name.partition(".")
            getattr(state, group)[key] = tensor
        return state


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
