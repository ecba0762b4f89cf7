"""What was lost on the way: how many tracks came, what was dropped and why, what was assumed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from awd_core.files import Record


def counted(count: int, plural: str) -> str:
    """Return a number and what is counted, in the singular of one.

    Parameters
    ----------
    count : int
        How many.
    plural : str
        The plural of the noun, perhaps with words behind it, whose singular lacks the s.

    Examples
    --------
    >>> counted(1, "tracks"), counted(1200, "frames around tracks")
    ('1 track', '1200 frames around tracks')
    """
    noun, space, behind = plural.partition(" ")
    return f"{count} {noun.removesuffix('s') if count == 1 else noun}{space}{behind}"


class Dropped(NamedTuple):
    """What was left out: a plural such as "tracks" or "rows", how many, and why."""

    what: str
    how_many: int
    why: str


@dataclass
class LossReport(Record):
    """An account of one step: nothing is dropped or assumed without a line here.

    Attributes
    ----------
    came, kept : int
        Tracks before and after. Where compound or branching tracks are split, more may be kept than came.
    dropped : list of Dropped
        What was left out.
    assumed : list of str
        Sentences on what the input did not say and was taken as given, or stays unknown.
    recognised : list of str
        What the input was taken for, one sentence a file.
    doubts : list of str
        What cannot be right though it is no error, such as tracks that do not lie on spots.

    Examples
    --------
    >>> report = LossReport(came=3, kept=2)
    >>> report.add("tracks", 1, "no frame in the movie")
    >>> print(report)
    3 tracks came, 2 kept.
    Dropped: 1 track (no frame in the movie).
    """

    came: int = 0
    kept: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def add(self, what: str, how_many: int, why: str) -> None:
        """Note that so many of something were dropped; the same thing for the same reason adds up, none is no line."""
        if how_many <= 0:
            return
        for place, (known, count, reason) in enumerate(self.dropped):
            if (known, reason) == (what, why):
                self.dropped[place] = Dropped(what, count + how_many, why)
                return
        self.dropped.append(Dropped(what, how_many, why))

    def assume(self, sentence: str) -> None:
        """Note what was taken as given; once said is enough."""
        if sentence not in self.assumed:
            self.assumed.append(sentence)

    def doubt(self, sentence: str) -> None:
        """Note what cannot be right; once said is enough."""
        if sentence not in self.doubts:
            self.doubts.append(sentence)

    def merge(self, other: "LossReport") -> None:
        """Add the account of another input of the same step."""
        self.came += other.came
        self.kept += other.kept
        for what, how_many, why in other.dropped:
            self.add(what, how_many, why)
        for sentence in other.assumed:
            self.assume(sentence)
        for sentence in other.doubts:
            self.doubt(sentence)
        self.recognised.extend(other.recognised)

    def __str__(self) -> str:
        lines = [*self.recognised, f"{counted(self.came, 'tracks')} came, {self.kept} kept."]
        lines += [f"Dropped: {counted(how_many, what)} ({why})." for what, how_many, why in self.dropped]
        lines += [f"Assumed: {sentence}" for sentence in self.assumed]
        lines += [f"Warning: {sentence}." for sentence in self.doubts]
        return "\n".join(lines)
