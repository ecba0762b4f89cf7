"""Workers of a scheduler of Dask, on this machine or on many."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from awd_core.workers.mapping import LOOK, Arguments, Result

PATIENCE = 300.0
"""Seconds without any worker after which waiting ends."""
ANSWER = 30.0
"""Seconds that a scheduler may take to answer, or to write its file."""


class OnScheduler(Executor):
    """Whatever workers a scheduler has, now and later.

    Parameters
    ----------
    address : str
        "tcp://host:8786" and the like, or a scheduler file.
    patience : float
        Seconds to wait while there is no worker.

    Raises
    ------
    ImportError
        If Dask is not installed.
    OSError
        If no scheduler answers at that address.
    """

    def __init__(self, address: str, patience: float = PATIENCE) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            raise ImportError("a scheduler needs dask.distributed; pip install 'awd-core[dask]'") from error
        client: Any = Client
        try:
            known = scheduler_address(address)
            self.client: Any = client(known, timeout=ANSWER, set_as_default=False, direct_to_workers=False)
        except (OSError, ValueError) as error:
            raise OSError(
                f"no scheduler answers at {address} ({error}); start one with `dask scheduler` and give its address"
            ) from error
        self.deaths: tuple[type[Exception], ...] = (KilledWorker,)
        self.address, self.patience = address, patience
        self._counted, self._lonely = (0.0, 1), 0.0

    def submit(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Hand out an item; its future raises `KilledWorker` if workers die of it."""
        # Bytes, into which Dask does not look: its scheduler unpickles tasks, and would import all of this for that.
        # Keys are new each time: the same item may be asked for twice, with other files behind it.
        told = to_bytes(partial(function, *args, **kwargs)), own_version()
        task = self.client.submit(work, *told, pure=False, retries=0)
        promised: Future[Result] = Future()
        promised.add_done_callback(lambda one: task.cancel() if one.cancelled() else None)
        task.add_done_callback(partial(_settle, promised))
        return promised

    def count(self) -> int:
        """Threads of the workers, lately."""
        if time.monotonic() - self._counted[0] > LOOK:
            self._counted = time.monotonic(), max(1, sum(self.client.nthreads().values()))
        return self._counted[1]

    def look(self) -> None:
        """Refuse to wait any longer where there has been no worker for long."""
        self._lonely = 0.0 if self.client.nthreads() else self._lonely + LOOK
        if self._lonely >= self.patience:
            raise ConnectionError(
                f"the scheduler at {self.address} has had no worker for {self._lonely:.0f} s; start some with "
                f"`dask worker {self.address} --nthreads 1`, and the same command again"
            )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Leave the scheduler as it was."""
        self.client.close()


def _settle(promised: Future[Any], task: Any) -> None:
    """Hand on what became of a task.

    The client's own executor asks for the status after the result. A task that is done again, since its worker has gone
    with the result, may have failed by then, and it takes the result for an error.
    """
    if task.status == "cancelled":
        promised.cancel()
    if not promised.set_running_or_notify_cancel():
        return
    try:
        promised.set_result(task.result())
    except BaseException as error:
        promised.set_exception(error)


def scheduler_address(given: str, patience: float = ANSWER) -> str:
    """The address of a scheduler that is given by it or by its file, checked as far as it can be without asking there.

    Dask's client waits for a file without end, and for a minute if an address cannot be one. A file may take `patience`
    seconds to be written: schedulers start when they can.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the address, or what the file says, is none.
    """
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend

    address = given
    if given.endswith(".json"):
        until = time.monotonic() + patience
        while (told := _told(Path(given))) is None:
            if time.monotonic() > until:
                raise OSError(f"no scheduler has written such a file within {patience:g} s")
            time.sleep(0.05)
        address = told
    untyped: Any = parse_address, get_backend, parse_host_port
    parse, backend, host_and_port = untyped
    scheme, place = parse(address)
    backend(scheme)
    if scheme in ("tcp", "tls"):
        host_and_port(place)
    return address


def _told(file: Path) -> str | None:
    """The address in a scheduler file; None while it is not there, or not written to its end."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError):
        if file.stat().st_mtime > time.time() - 2:
            return None
        raise ValueError("this is no file of a scheduler; it has no address") from None


def to_bytes(task: Callable[[], Any]) -> bytes:
    """A function and what it is to be called with, as Dask sends them."""
    from distributed.protocol import pickle

    dumps: Any = pickle.dumps
    return bytes(dumps(task))


def work(task: bytes, wanted: str) -> Any:
    """What a worker does with an item: it calls the function that holds it, as `to_bytes` has packed it.

    Raises
    ------
    RuntimeError
        If the worker has another version of the package: its results would be another program's.
    """
    if own_version() != wanted:
        raise RuntimeError(
            f"a worker has awd-core {own_version()}, this process {wanted}; install the same version everywhere"
        )
    from distributed.protocol import pickle

    loads: Any = pickle.loads
    return loads(task)()


@cache
def own_version() -> str:
    """The version of awd-core here; to look for it takes a millisecond."""
    return version("awd-core")
