"""How much slower work becomes where other programs hold the cores: `python -m benchmarks.busy [--beside 4]`.

Each kind of work runs in a process of its own, first alone and then beside programs that never rest: once with torch's
threads as they come, which spin while they wait, and once as commands compute (`awd_core.workers.threads`): waiting
threads soon sleep, and there are as many as cores are idle. A turn is long, so that it meets many of the scheduler's
slices, and what counts is its whole time. With n programs beside a single thread on two cores, a fair scheduler alone
makes it (n + 1) / 2 times as slow.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from rich.console import Console
from rich.table import Table

TURNS = 3
GOAL = 4.0
"""Times of the quiet turn that a turn may take beside four programs, as commands compute."""


def transform() -> Callable[[], object]:
    """Thirty forward transforms of 64 maps of 256²."""
    import torch

    from awd_core import DWT2d

    x, dwt = torch.randn(64, 256, 256), DWT2d("db5", 4, "symmetric")
    return lambda: [dwt(x) for _ in range(30)]


def path() -> Callable[[], object]:
    """A point of a distillation path over 400 maps of 32²."""
    import numpy as np

    from awd_core import SearchSettings, distill_path

    X, gradients = np.random.default_rng(0).standard_normal((2, 400, 32, 32)).astype(np.float32)
    search = SearchSettings(random_starts=1)
    return lambda: distill_path(X, gradients, wavelet="db3", levels=2, ndim=2, shares=[0.5], search=search, seed=0)


def resnet() -> Callable[[], object]:
    """Thirty steps of training of a ResNet-18 of 16 channels on 32 maps of 64²."""
    import torch

    from awd_cosmo.teacher.resnet import ResNet18

    return _training(ResNet18(width=16), torch.randn(32, 1, 64, 64), steps=30)


def lstm() -> Callable[[], object]:
    """Two hundred steps of training of an LSTM of 20 units on 100 series of 40, with one thread as awd-cme has it."""
    import torch

    from benchmarks.networks import Recurrent

    torch.set_num_threads(1)
    return _training(Recurrent(), torch.randn(100, 1, 40), steps=200)


WORK = {work.__name__: work for work in (transform, path, resnet, lstm)}


def _training(network: "object", x: "object", steps: int) -> Callable[[], object]:
    import torch

    module: torch.nn.Module = network  # type: ignore[assignment]
    optimiser = torch.optim.Adam(module.parameters())

    def train() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            module(x).square().mean().backward()
            optimiser.step()

    return train


def timed(name: str, as_commands_do: bool) -> None:
    """In a process of its own: print seconds of the turns and the number of threads."""
    if as_commands_do:
        from awd_core.workers.threads import use_threads, wait_briefly

        wait_briefly()
    import torch

    chosen = use_threads().count if as_commands_do else torch.get_num_threads()
    work = WORK[name]()
    work()
    seconds = []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    print(json.dumps([median(seconds), chosen]))


def turn(name: str, as_commands_do: bool) -> tuple[float, int]:
    """Median seconds and number of threads of a kind of work, in a process of its own."""
    untold = {
        key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_", "OPENBLAS_"))
    }
    own = [sys.executable, "-m", "benchmarks.busy", "--work", name, *(["--as-commands-do"] if as_commands_do else [])]
    done = subprocess.run(own, env=untold, stdout=subprocess.PIPE, text=True, check=True)
    seconds, threads = json.loads(done.stdout.splitlines()[-1])
    return seconds, threads


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """So many programs that never rest."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="benchmarks.busy", description=__doc__.partition("\n")[0])
    parser.add_argument("--beside", type=int, default=4, help="number of programs that never rest")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--as-commands-do", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        timed(given.work, given.as_commands_do)
        return
    ways = {"torch as it comes": False, "as commands compute": True}
    found: dict[tuple[str, str, int], tuple[float, int]] = {}
    for programs in (0, given.beside):
        with busy(programs):
            for name in WORK:
                for way, flag in ways.items():
                    found[name, way, programs] = turn(name, flag)
    table = Table(title=f"Beside {given.beside} programs that never rest, {os.cpu_count()} cores; goal {GOAL:g}")
    for column in ("work", "", "alone, s", "threads", "beside, s", "threads", "beside ÷ quickest alone"):
        table.add_column(column)
    for name in WORK:
        quickest = min(found[name, way, 0][0] for way in ways)
        for way in ways:
            (alone, threads), (beside, fewer) = found[name, way, 0], found[name, way, given.beside]
            row = (f"{alone:.2f}", str(threads), f"{beside:.2f}", str(fewer), f"{beside / quickest:.1f}")
            table.add_row(name, way, *row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
