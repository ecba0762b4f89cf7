"""A dataclass goes to JSON and comes back; whatever is wrong with a file is named, with the place."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from awd_core.files.record import Record, from_json, to_json


class Lost(NamedTuple):
    what: str
    count: int = 0


@dataclass(frozen=True)
class Inner:
    value: float
    ends: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"value is {self.value}; it must not be negative")


class Own:
    """A class that says itself what it is in JSON."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _to_json(self) -> str:
        return self.name.upper()

    @classmethod
    def _from_json(cls, value: str) -> "Own":
        return cls(value.lower())


@dataclass(eq=False)
class Everything(Record, format="test-all", version=2, what="all there is", writer="save", ignored=("told",)):
    name: str
    ready: bool
    count: int
    share: float
    rest: float | None
    way: Literal["up", "down"]
    size: Annotated[int, "marked"]
    words: tuple[str, ...]
    listed: list[int]
    sequence: Sequence[float]
    table: Mapping[str, tuple[float, float]]
    matrix: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    lost: list[Lost]
    inner: Inner
    perhaps: Inner | None
    own: Own
    settings: dict[str, Any] = field(default_factory=dict)
    hidden: int = field(default=7, init=False)


def everything() -> Everything:
    return Everything(
        name="é", ready=True, count=3, share=math.nan, rest=None, way="up", size=4, words=("a", "b"), listed=[1],
        sequence=(0.5, math.inf), table={"x": (1.0, math.nan)}, matrix=np.array([[0.1, math.nan], [-math.inf, 2.0]]),
        rows=np.array([3, 1]), lost=[Lost("tracks", 2)], inner=Inner(0.5), perhaps=None, own=Own("me"),
        settings={"any": [1, {"deep": None}]},
    )  # fmt: skip


VALUES: dict[str, Any] = {
    "format": "test-all", "version": 2, "name": "é", "ready": True, "count": 3, "share": None, "rest": None,
    "way": "up", "size": 4, "words": ["a", "b"], "listed": [1], "sequence": [0.5, None], "table": {"x": [1.0, None]},
    "matrix": [[0.1, None], [None, 2.0]], "rows": [3, 1], "lost": [{"what": "tracks", "count": 2}],
    "inner": {"value": 0.5, "ends": [0.0, 1.0]}, "perhaps": None, "own": "ME",
    "settings": {"any": [1, {"deep": None}]},
}  # fmt: skip


def test_every_kind_of_field_goes_there_and_back(tmp_path):
    values = everything().to_dict()
    assert values == VALUES
    assert list(values) == list(VALUES)  # files are in this order
    everything().save(tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text(encoding="utf-8")) == VALUES
    back = Everything.load(tmp_path / "all.json")
    assert back.to_dict() == VALUES
    assert math.isnan(back.share)
    assert (back.rest, back.words, back.sequence[0], back.lost) == (None, ("a", "b"), 0.5, [("tracks", 2)])
    assert (back.matrix.dtype, back.rows.dtype) == (np.float64, np.int64)
    assert np.isnan(back.matrix[0, 1])
    assert (back.inner, back.own.name, back.hidden) == (Inner(0.5), "me", 7)


def test_what_has_a_default_may_lack_and_what_is_for_people_is_not_read():
    old = VALUES | {"told": "in words", "lost": [{"what": "x"}]}
    del old["settings"]
    back = Everything.from_dict(old)
    assert (back.settings, back.lost) == ({}, [Lost("x", 0)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ..., "count": ...}, "^it lacks name, count$"),
        ({"more": 1, "again": 2}, "^it has again, more, which this .* does not know: update$"),
        ({"name": 3}, "^name is 3; give a text$"),
        ({"name": None}, "^name is null; give a text$"),
        ({"ready": 1}, "^ready is 1; give true or false$"),
        ({"count": 3.5}, r"^count is 3\.5; give a whole number$"),
        ({"count": True}, "^count is true; give a whole number$"),
        ({"share": "0.5"}, '^share is "0.5"; give a number$'),
        ({"share": False}, "^share is false; give a number$"),
        ({"rest": []}, r"^rest is \[\]; give a number or null$"),
        ({"way": "left"}, '^way is "left"; give one of up, down$'),
        ({"size": "4"}, '^size is "4"; give a whole number$'),
        ({"words": "ab"}, '^words is "ab"; give a list$'),
        ({"words": {"a": 1}}, '^words is {"a": 1}; give a list$'),
        ({"words": ["a", 1]}, r"^words\[1\] is 1; give a text$"),
        ({"listed": 3}, "^listed is 3; give a list$"),
        ({"sequence": [None, "x"]}, r'^sequence\[1\] is "x"; give a number$'),
        ({"table": [1]}, r"^table is \[1\]; give an object$"),
        ({"table": {"x": [1.0]}}, r"^table.x is \[1\.0\]; give a list of 2$"),
        ({"table": {"x": [1.0, "y"]}}, r'^table\.x\[1\] is "y"; give a number$'),
        ({"matrix": [[1.0], [1.0, 2.0]]}, "^matrix is .*; give a list of numbers$"),
        ({"matrix": [True]}, r"^matrix is \[true\]; give a list of numbers$"),
        ({"matrix": [10**400]}, "^matrix is .*…; give a list of numbers$"),
        ({"rows": [1.5]}, r"^rows is \[1\.5\]; give a list of numbers$"),
        ({"rows": [None]}, r"^rows is \[null\]; give a list of numbers$"),
        ({"lost": [3]}, r"^lost\[0\] is 3; give an object$"),
        ({"lost": [{"count": 1}]}, r"^lost\[0\] lacks what$"),
        ({"lost": [{"what": "x", "why": "y"}]}, r"^lost\[0\] has why, which this .* does not know"),
        ({"inner": {"value": -1.0}}, r"^inner: value is -1\.0; it must not be negative$"),
        ({"inner": {}}, "^inner lacks value$"),
        ({"perhaps": 3}, "^perhaps is 3; give an object or null$"),
        ({"perhaps": {"value": "x"}}, r'^perhaps\.value is "x"; give a number$'),
        ({"own": 3}, "^own is 3; give an object$"),
        ({"settings": []}, r"^settings is \[\]; give an object$"),
        ({"name": 1, "count": "x", "way": 2, "size": None, "own": 1}, "; and 2 more$"),
        ({"format": "other"}, '^it has no "format": "test-all", but "other"; files like this are written by save$'),
        ({"format": ...}, '^it has no "format": "test-all"; files'),
        ({"version": 3}, "^its version is 3 and this .* reads version 2; a later .* may have written it: update$"),
        ({"version": ...}, "^its version is null"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes, message):
    values = {key: value for key, value in (VALUES | changes).items() if value is not ...}
    with pytest.raises(ValueError, match=message):
        Everything.from_dict(json.loads(json.dumps(values)))


@pytest.mark.parametrize("values", [None, 3, [], "x"])
def test_what_is_no_object_is_refused(values):
    with pytest.raises(ValueError, match='it has no "format": "test-all"'):
        Everything.from_dict(values)
    with pytest.raises(ValueError, match=r"^it is .*; give an object$"):
        from_json(Inner, values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"all\.json cannot be read as all there is: it is not JSON, or was cut short \(.*\)$"),
        (b'{"format": "test-all", ', "it is not JSON, or was cut short"),
        (b"\xff\xfe\x00", "it is not JSON, or was cut short"),
        (b"[]", r"all\.json cannot be read as all there is: it has no"),
        (b'{"format": "test-all", "version": 2}', "it lacks name, ready, count"),
    ],
)
def test_the_message_of_a_file_names_it(tmp_path, content, message):
    (tmp_path / "all.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Everything.load(tmp_path / "all.json")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.json; check the name"):
        Everything.load(tmp_path / "none.json")


def test_records_lie_within_each_other():
    @dataclass
    class Part(Record, format="part"):
        x: int

    @dataclass
    class Pair(Record):
        one: Part
        other: Part

    pair = Pair(Part(1), Part(2))
    assert to_json(pair)["other"] == {"format": "part", "version": 1, "x": 2}
    assert Pair.from_dict(pair.to_dict()) == pair
    with pytest.raises(ValueError, match=r'^other: it has no "format": "part"'):
        Pair.from_dict(pair.to_dict() | {"other": {"x": 2}})


def test_what_json_has_no_word_for_is_refused_and_nothing_is_written(tmp_path):
    one = everything()
    for settings in ({"rmse": math.nan}, {"when": object()}):
        one.settings = settings
        with pytest.raises((ValueError, TypeError), match="JSON"):
            one.save(tmp_path / "all.json")
    assert not list(tmp_path.iterdir())


def test_the_converter_is_imported_when_something_is_converted():
    code = (
        "import sys\n"
        "from awd_core.files import Record\n"
        "from awd_core.wavelets import Wavelet\n"
        "assert 'cattrs' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
