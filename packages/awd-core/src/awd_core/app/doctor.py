"""The command `awd doctor`: what computes here. Nothing heavy is imported before it runs."""

import sys
from collections.abc import Iterator


def doctor() -> None:
    """Tell what computes here: versions, the compiled kernel or why there is none, threads, devices."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in findings():
        table.add_row(name, escape(value))
    Console(file=sys.stdout).print(table)


def findings() -> Iterator[tuple[str, str]]:
    """Names and values, for people."""
    import torch

    from awd_core.kernel.library import find_kernel
    from awd_core.run.folder import PACKAGES, versions_of
    from awd_core.workers.threads import available_cores

    yield from versions_of(PACKAGES).items()
    kernel = find_kernel()
    if kernel is not None:
        yield "library", str(kernel.path)
    yield "torch's instructions", torch.backends.cpu.get_cpu_capability()
    yield "threads", f"{torch.get_num_threads()}, of {available_cores()} cores that may be used"
    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    yield "devices", ", ".join(["cpu", *devices, *(["mps"] if torch.backends.mps.is_available() else [])])
