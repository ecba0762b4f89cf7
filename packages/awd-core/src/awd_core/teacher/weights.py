"""Weights in safetensors files, and networks named by `package.module:factory`. No pickle is ever read.

A file of ours is one safetensors file whose header carries, under the key `awd`, a JSON document and a SHA-256 of the
document and the tensors: what the tensors mean and the tensors themselves can't part, and a file that was cut short or
altered is refused. Files are written beside their final name and renamed when they are whole.
"""

import hashlib
import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from awd_core.checks import warn
from awd_core.files.atomic import write_atomically

Factory = Callable[..., nn.Module]
"""What builds a network: a subclass of `torch.nn.Module`, or a function that returns a module."""

MOVED = {
    "awd_core.networks": "awd_core.teacher.networks",
    "awd_cosmo.resnet": "awd_cosmo.teacher.resnet",
    "awd_cosmo.turns": "awd_cosmo.teacher.augmentation",
    "awd_cme.networks": "awd_cme.teacher.networks",
}
"""Modules of these packages that files name, by the names that they had when older files were written."""

HEADER_KEY = "awd"
CHECKPOINTS = ("training checkpoint", "penalised distillation")
"""Kinds of files without which their work begins anew."""
FORMAT_VERSION = 1


def load_module(factory: str, *, weights: str | os.PathLike[str], **kwargs: Any) -> nn.Module:
    """Load a network of your own: a factory by its name, its weights from a safetensors file.

    Parameters
    ----------
    factory : str
        `"package.module:name"`: a subclass of `torch.nn.Module` or a function that returns a module. It is imported
        and called, so name only code that you trust.
    weights : path
        A .safetensors file with the module's `state_dict`; names with a prefix of a wrapper ("module.", "model.",
        "_orig_mod.") are read without it, with a warning.
    **kwargs
        Arguments of the factory.

    Returns
    -------
    torch.nn.Module
        The module with these weights, in evaluation mode, on the CPU.

    Raises
    ------
    ValueError
        The factory can't be imported, the file is a pickle (.pt, .pth, .ckpt) or damaged, or its tensors are not the
        module's: the message lists the missing and unexpected names and the shapes that differ.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from safetensors.torch import save_file
    >>> from awd_core.teacher import MLP
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mlp.safetensors"
    >>> save_file(MLP(3, hidden=(4,)).state_dict(), path)
    >>> load_module("awd_core.teacher.networks:MLP", weights=path, n_in=3, hidden=(4,)).training
    False
    """
    module = build(resolve_factory(factory), kwargs)
    path = _safetensors_file(weights)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise _damaged(path, error) from error
    fill(module, _without_wrapper(tensors, module, path), where=str(path))
    return module.eval()


def _without_wrapper(tensors: dict[str, torch.Tensor], module: nn.Module, path: Path) -> dict[str, torch.Tensor]:
    """Tensors by the module's own names, where a wrapper (DataParallel, Lightning, compile) put one before them."""
    own = set(module.state_dict())
    if own <= tensors.keys():
        return tensors
    first = sorted(own)[0]
    for found in sorted(name for name in tensors if name.endswith(f".{first}")):
        prefix = found.removesuffix(first)
        inside = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        if set(inside) == own:
            left = sorted(name for name in tensors if not name.startswith(prefix))
            more = f"; left out, for they are of something else: {_some(left)}" if left else ""
            warn(f"the names in {path} begin with {prefix!r}, which a wrapper put there: read without it{more}")
            return inside
    return tensors


def build(factory: Factory, kwargs: Mapping[str, Any]) -> nn.Module:
    """Call a factory and check that a module with floating-point parameters came out."""
    try:
        module = factory(**kwargs)
    except TypeError as error:
        given = ", ".join(kwargs) or "none"
        raise TypeError(
            f"the factory {factory_name(factory)} does not take these arguments ({given}): {error}; give what it "
            "needs, by name (--factory-args in commands)"
        ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"the factory {factory_name(factory)} returned {type(module).__name__}; "
            "it has to return a torch.nn.Module: give a module class or a function that builds a module."
        )
    return module


def fill(module: nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Load `tensors` into `module`, or say how they differ from what it holds."""
    own = module.state_dict()
    missing, unexpected = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [
        f"{name} is {_shape(tensors[name])} in the file, {_shape(own[name])} in the module"
        for name in sorted(own.keys() & tensors.keys())
        if not nn.parameter.is_lazy(own[name]) and own[name].shape != tensors[name].shape
    ]
    if missing or unexpected or shapes:
        differences = [
            *([f"missing in the file: {_some(missing)}"] if missing else []),
            *([f"unknown to the module: {_some(unexpected)}"] if unexpected else []),
            *([f"shapes differ: {_some(shapes)}"] if shapes else []),
        ]
        raise ValueError(
            f"the weights in {where} don't fit {type(module).__name__}; {'; '.join(differences)}. "
            "Build the module with the arguments that it was trained with."
        )
    module.load_state_dict(dict(tensors))


def resolve_factory(name: str) -> Factory:
    """Import what `"package.module:name"` names.

    Raises
    ------
    ValueError
        The text has another form, or there is no such module, or nothing callable of that name in it.
    """
    if not isinstance(name, str):
        raise TypeError(
            "a factory is named 'package.module:name', for example 'awd_core.teacher.networks:MLP'; got "
            f"{name!r}, no text."
        )
    module_name, colon, attribute = current_name(name).partition(":")
    if not (colon and attribute.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise ValueError(
            f"a factory is named 'package.module:name', for example 'awd_core.teacher.networks:MLP'; got {name!r}."
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ValueError(f"importing {module_name!r} for the factory {name!r} failed: {error}.") from error
        raise ValueError(
            f"there is no module {error.name!r} (for the factory {name!r}). Install its package, or put the folder "
            "that holds it into PYTHONPATH."
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        near = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module_name
        ]
        raise ValueError(f"the module {module_name!r} has no class or function {attribute!r}; it has {_some(near)}.")
    return factory  # type: ignore[no-any-return]


def current_name(name: str) -> str:
    """A `"package.module:name"` as it is now, where it names a module of these packages as it was called before.

    Examples
    --------
    >>> current_name("awd_core.networks:MLP"), current_name("mine.networks:MLP")
    ('awd_core.teacher.networks:MLP', 'mine.networks:MLP')
    """
    module_name, colon, attribute = name.partition(":")
    return f"{MOVED.get(module_name, module_name)}{colon}{attribute}"


def factory_name(factory: Any) -> str:
    """`"package.module:name"` of a class or function; the name itself, as it is now, where a name is given."""
    if isinstance(factory, str):
        return current_name(factory)
    named = factory if hasattr(factory, "__qualname__") else type(factory)
    return f"{named.__module__}:{named.__qualname__}"


def as_json(document: Any, what: str) -> Any:
    """The document as JSON returns it (tuples become lists, numpy scalars numbers), or an error that names `what`."""

    def plain(value: Any) -> Any:
        if hasattr(value, "tolist") and not isinstance(value, torch.Tensor):
            return value.tolist()
        raise TypeError(
            f"{what} can't be saved: {value!r} is neither a number, a text, a boolean, None, nor a list or dict of "
            "such. Let the factory take names or numbers, and build objects inside it."
        )

    return json.loads(json.dumps(document, default=plain, allow_nan=False))


def save_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, torch.Tensor], document: Mapping[str, Any], kind: str
) -> None:
    """Write tensors and a JSON document as one file, whole or not at all.

    The file is written beside `path`, brought to the disk, and renamed: whoever is killed in between leaves the
    previous file as it was.
    """
    whole = {"kind": kind, "version": FORMAT_VERSION, "document": document}
    own = {name: _plain_tensor(name, tensor) for name, tensor in tensors.items()}
    header = json.dumps(whole | {"sha256": _digest(own, whole)}, allow_nan=False)
    write_atomically(path, save(own, metadata={HEADER_KEY: header}))


def load_tensors(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is a pickle, damaged, of other origin, of another kind, or from a newer version.
    """
    path = _safetensors_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise _damaged(path, error, kind) from error
    if header is None:
        raise ValueError(
            f"{path} is a safetensors file, but no {kind} of this package: its header lacks the key {HEADER_KEY!r}. "
            "For the bare weights of a network of your own use awd_core.teacher.load_module."
        )
    try:
        whole = json.loads(header)
        digest = whole.pop("sha256")
        found, version, document = whole["kind"], whole["version"], whole["document"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(path, error, kind) from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(f"{path} has format version {version}; this awd-core reads up to {FORMAT_VERSION}. Update it.")
    if found != kind:
        raise ValueError(f"{path} holds a {found}, not a {kind}.")
    if digest != _digest(tensors, whole):
        raise _damaged(path, "its content doesn't have the digest that was written with it", kind)
    return tensors, document


def _safetensors_file(path: str | os.PathLike[str]) -> Path:
    """The path, once it is sure that a file lies there and that it isn't a pickle."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}.")
    with path.open("rb") as file:
        start = file.read(9)
    # torch.save writes a zip archive around a pickle; before version 1.6, and elsewhere, a bare pickle of protocol ≥ 2.
    # A safetensors file has eight bytes of length and then its header's brace.
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:] != b"{"):
        raise ValueError(
            f"{path} is a pickle (from torch.save), which can run any code while it is read; it isn't read here. "
            "If you trust its origin, convert its state_dict once:\n"
            "    import torch, safetensors.torch as st\n"
            f"    st.save_file({{k: v.clone() for k, v in torch.load({str(path)!r}, weights_only=True).items()}}, "
            f"{str(path.with_suffix('.safetensors'))!r})"
        )
    return path


def _damaged(path: Path, reason: object, kind: str = "") -> ValueError:
    advice = "Delete it, and what it is of begins anew" if kind in CHECKPOINTS else "Write it anew"
    return ValueError(f"{path} is damaged, cut short, or no safetensors file ({reason}). {advice}.")


def _plain_tensor(name: str, tensor: Any) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"the entry {name!r} is {type(tensor).__name__}; a safetensors file holds tensors only.")
    # A clone of its own for each: safetensors refuses tensors that share memory, as tied weights do.
    return tensor.detach().cpu().contiguous().clone()


def _digest(tensors: Mapping[str, torch.Tensor], document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape)).replace(",)", ")")


def _some(items: list[str], most: int = 6) -> str:
    """The first few items; how many more there are."""
    if not items:
        return "none"
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
