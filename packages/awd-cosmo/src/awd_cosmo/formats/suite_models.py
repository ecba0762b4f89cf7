"""What names tell of a suite: its models, one a cosmology, and their files."""

import fnmatch
import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Found:
    """A map that was found: its file relative to the root, and what its name tells, or a table (`told`)."""

    file: str
    hdu: int = -1
    realisation: int = -1
    z_s: float = math.nan
    told: bool = False


@dataclass(frozen=True)
class Model:
    """One cosmology and its maps.

    With `ask_all`, every map's own header is asked. `elsewhere` are the source redshifts of maps that are there too and
    were not listed.
    """

    name: str
    parameters: dict[str, float]
    files: list[Found]
    ask_all: bool = False
    elsewhere: tuple[float, ...] = ()

    @property
    def by_headers(self) -> bool:
        """Whether headers alone tell its parameters."""
        return not self.parameters

    def matching(self, pattern: str) -> "Model":
        """Only the files whose name, without folders, matches."""
        return replace(self, files=[f for f in self.files if fnmatch.fnmatch(f.file.rpartition("/")[2], pattern)])

    def at_redshift(self, z: float, tolerance: float) -> "Model":
        """Only the files of this source redshift, and those that do not tell theirs."""
        return replace(self, files=[f for f in self.files if math.isnan(f.z_s) or abs(f.z_s - z) <= tolerance])
