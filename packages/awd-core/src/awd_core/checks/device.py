"""Devices by torch's names, refused before any work is begun."""

import torch


def check_device(device: str | torch.device | None) -> None:
    """Refuse a device that torch does not know, or that is not there.

    Parameters
    ----------
    device : str or torch.device, optional
        As torch names it: "cpu", "cuda", "cuda:1", "mps". None stands for a default.

    Raises
    ------
    ValueError
        If there is none of that name here.

    Examples
    --------
    >>> check_device("gpu")
    Traceback (most recent call last):
    ...
    ValueError: torch knows no device 'gpu'; choose cpu, cuda, cuda:1, mps …
    """
    if device is None:
        return
    try:
        asked = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"torch knows no device {device!r}; choose cpu, cuda, cuda:1, mps …") from error
    missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if missing.get(asked.type, False) or (asked.type == "cuda" and (asked.index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"the device {device} is not available to torch {torch.__version__} here; choose cpu")
