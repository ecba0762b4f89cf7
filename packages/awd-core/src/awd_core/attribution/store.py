"""What a teacher said, in a store that is filled batch by batch, and what tells one teacher from another."""

import hashlib

import torch
from torch import nn

from awd_core.files.store import Kind

GRADIENTS = Kind("gradients", "awd_input_gradients", "input_gradients")
OUTPUTS = Kind("outputs", "awd_teacher_outputs", "teacher_outputs")


def model_digest(model: nn.Module) -> str:
    """SHA-256 of a model's state (names, types, shapes and values) and of the class names of its modules."""
    sha = hashlib.sha256()
    for name, module in model.named_modules():
        sha.update(f"{name}:{type(module).__qualname__};".encode())
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, torch.Tensor):
            sha.update(f"{name}={value.dtype}{tuple(value.shape)};".encode())
            sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            sha.update(f"{name}={value!r};".encode())
    return sha.hexdigest()
