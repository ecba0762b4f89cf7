"""Files and arrays that are there whole or not at all.

Atomic writing, locks between processes, and arrays of samples in NumPy files and Zarr stores, wherever they lie.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.files.arrays import identity as identity
    from awd_core.files.arrays import read_array as read_array
    from awd_core.files.atomic import make_atomically as make_atomically
    from awd_core.files.atomic import write_atomically as write_atomically
    from awd_core.files.atomic import write_json as write_json
    from awd_core.files.lock import lock_file as lock_file

_HOME = {
    "identity": "arrays",
    "lock_file": "lock",
    "make_atomically": "atomic",
    "read_array": "arrays",
    "write_atomically": "atomic",
    "write_json": "atomic",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
