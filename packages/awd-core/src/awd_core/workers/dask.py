"""Workers of a scheduler of Dask, on this machine or on many."""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from awd_core.workers.mapping import IN_FLIGHT, Item, Result, WorkerDied, Workers

PATIENCE = 300.0
"""Seconds without any worker after which waiting ends."""
ANSWER = 30.0
"""Seconds that a scheduler may take to answer, or to write its file."""
LOOK = 5.0
"""Seconds between two looks at the scheduler."""


class DaskWorkers(Workers):
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

    worth = 0.5  # its scheduler, its client and its worker take some 8 ms of a core for whatever is handed out

    def __init__(self, address: str, patience: float = PATIENCE) -> None:
        try:
            from distributed import Client
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
        self.address, self.patience = address, patience
        self.where = f"on the workers of {address}"
        self._counted = (0.0, 1)

    @property
    def window(self) -> int:
        """Two for each thread of the workers, at the moment."""
        looked, count = self._counted
        if time.monotonic() - looked > LOOK:
            count = max(1, sum(self.client.nthreads().values()))
            self._counted = (time.monotonic(), count)
        return IN_FLIGHT * count

    def submit(self, function: Callable[[Item], Result], item: Item) -> Any:
        """Hand out an item."""
        # A key of its own: the same item may be asked for twice, with other files behind it. And bytes, into which Dask
        # does not look: its scheduler unpickles tasks, and would import all of this to hand them on.
        task = to_bytes(partial(function, item))
        return self.client.submit(work, task, own_version(), key=f"awd-{uuid.uuid4().hex}", pure=False, retries=0)

    def result(self, waiting: Any) -> Any:
        """What an item has given."""
        from distributed import KilledWorker

        lonely = 0.0
        while True:
            done = waiting.done()
            try:
                return waiting.result() if done else waiting.result(timeout=LOOK)
            except KilledWorker:
                raise WorkerDied from None
            except TimeoutError:
                if done:  # nothing was waited for: the function has raised it
                    raise
                lonely = 0.0 if self.client.nthreads() else lonely + LOOK
                if lonely >= self.patience:
                    raise ConnectionError(
                        f"the scheduler at {self.address} has had no worker for {lonely:.0f} s; start some with "
                        f"`dask worker {self.address} --nthreads 1`, and the same command again"
                    ) from None

    def forget(self, waiting: Iterable[Any]) -> None:
        """Cancel what has not begun."""
        self.client.cancel([one for one in waiting if hasattr(one, "key")], force=True)

    def close(self) -> None:
        """Leave the scheduler as it was."""
        self.client.close()


def scheduler_address(given: str, patience: float = ANSWER) -> str:
    """The address of a scheduler that is given by it or by its file, checked as far as it can be without asking there.

    Dask's client waits for a file without end, and for a minute if an address cannot be one.

    Parameters
    ----------
    given : str
        "tcp://host:8786" and the like, or a scheduler file (.json).
    patience : float
        Seconds that the file may take to be written: schedulers start when they can.

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
    parse: Any = parse_address
    scheme, place = parse(address)
    backend: Any = get_backend
    backend(scheme)
    if scheme in ("tcp", "tls"):
        host_and_port: Any = parse_host_port
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
