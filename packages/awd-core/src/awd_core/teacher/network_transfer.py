"""A network for other processes: its structure travels, its weights lie in a file that they read.

So nothing large goes through what connects the processes, and the file is no pickle.
"""

import copy
import os
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from awd_core.files.atomic import write_atomically


def without_weights(model: nn.Module, file: Path) -> nn.Module:
    """Write the weights of a network to a file.

    Parameters
    ----------
    model : Module
        Left as it is.
    file : Path
        A .safetensors file.

    Returns
    -------
    Module
        A copy with empty tensors; `with_weights` makes it whole.

    Raises
    ------
    TypeError
        If other processes could not build it, as where a class was defined within a function.
    """
    tensors = dict(_named_tensors(model))
    # Empty tensors and not those of the device "meta", which processes hand over from torch 2.5 on only.
    hollow = {
        id(tensor): nn.Parameter(tensor.new_empty(0, device="cpu"), requires_grad=tensor.requires_grad)
        if isinstance(tensor, nn.Parameter)
        else tensor.new_empty(0, device="cpu")
        for tensor in tensors.values()
    }
    try:
        # With the memo, the weights are not copied on the way.
        structure: nn.Module = copy.deepcopy(model, dict(hollow))
        ForkingPickler.dumps(structure)
    except Exception as error:  # anything may come out of other people's classes
        raise TypeError(
            f"the network {type(model).__name__} cannot go to other processes ({error}); define its classes in a "
            "module that they can import, or take workers=1"
        ) from error
    # A clone of its own for each: safetensors refuses tensors that share memory, as tied weights do.
    write_atomically(file, save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}))
    return structure


def with_weights(structure: nn.Module, file: str | os.PathLike[str], device: torch.device) -> nn.Module:
    """The network, in place, with the weights that `without_weights` wrote."""
    tensors = load_file(file)
    owners = dict(structure.named_modules(remove_duplicate=False))
    for name, hollow in list(_named_tensors(structure)):
        owner, _, own_name = name.rpartition(".")
        held = owners[owner]._parameters if isinstance(hollow, nn.Parameter) else owners[owner]._buffers
        tensor = tensors[name].to(device)
        held[own_name] = (
            nn.Parameter(tensor, requires_grad=hollow.requires_grad) if isinstance(hollow, nn.Parameter) else tensor
        )
    return structure


def _named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers, those that no state_dict holds included, under every name that they have."""
    parameters = list(model.named_parameters(remove_duplicate=False))
    return [*parameters, *model.named_buffers(remove_duplicate=False)]
