"""A lock between processes: a file that one of them holds, until it lets go or ends."""

import os
from pathlib import Path
from typing import IO


def lock_file(path: str | os.PathLike[str]) -> IO[str] | None:
    """Lock a file against all other processes that ask for the same lock.

    Parameters
    ----------
    path : str or path
        The file, made if it is not there; its folder must exist. What it holds is lost, so it should be for this alone.

    Returns
    -------
    file or None
        The open file: the lock lasts until it is closed, or its process ends, however it ends. Where the file system
        knows no locks (some network file systems), an open file without a lock; where the operating system knows none
        (Windows), None. Then two processes are not told of each other, which is better than no work at all.

    Raises
    ------
    BlockingIOError
        If somebody else holds it.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / ".lock"
    >>> held = lock_file(place)
    >>> if held is not None:
    ...     held.close()
    """
    try:
        import fcntl
    except ImportError:
        return None
    file = Path(path).open("w")  # noqa: SIM115 the lock is the open file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    except OSError:  # ENOSYS, ENOLCK, ENOTSUP …: no locks here
        pass
    return file
