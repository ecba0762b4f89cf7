"""A lock between processes: a file that one of them holds, until it lets go or ends."""

import errno
import os
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path


def lock_file(path: str | os.PathLike[str]) -> AbstractContextManager[object]:
    """Lock a file against all other processes that ask for the same lock.

    Parameters
    ----------
    path : str or path
        The file, made if it is not there; its folder must exist. What it holds is lost, so it should be for this alone.

    Returns
    -------
    context manager
        Leaving it lets go of the lock, as does the end of the process, however it ends. Where the file system knows no
        locks (some network file systems), there is none: two processes are not told of each other, which is better than
        no work at all.

    Raises
    ------
    BlockingIOError
        If somebody else holds it.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with lock_file(Path(tempfile.mkdtemp()) / ".lock"):
    ...     pass
    """
    from filelock import FileLock, Timeout

    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"cannot lock {path}: the folder {Path(path).parent} does not exist")
    try:
        with warnings.catch_warnings(action="ignore"):  # that a file system knows locks of another kind only
            return FileLock(path, timeout=0, thread_local=False).acquire()
    except Timeout as error:
        raise BlockingIOError(f"{path} is held by another process") from error
    except NotImplementedError:  # of earlier filelocks
        return nullcontext()
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        return nullcontext()
