"""What is done to a file: bytes, headers, lengths, tags, pieces, halves, huge counts, bombs; always by a seed."""

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from benchmarks.damage.structures import STRUCTURAL, STRUCTURES, Field, free, members

Rng = np.random.Generator
HUGE = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
NUMBERS = (b"nan", b"inf", b"-1", b"0", b"1e999", b"-0", b"99999999999999999999", b"1e-320", b"2147483648", b"1" * 400,
           b"0x10", b"1_000", b"", b"3.5", b"1,5", b"--1", b"\xc2\xb2")  # fmt: skip
TEXTS = (b"", b"x" * 5000, b"\x00", b"\xff\xfe", b"../../etc/passwd", b"<script>", b"%s%n", b"\xe2\x82", b"null", b"O8",
         b"'", b'"', b"\n", b"NaN")  # fmt: skip
FREE_FORM = ("metadata", "settings", "provenance", "told", "attributes", "versions", "options", "steps")
"""Entries of our records that hold whatever was told, or log what happened."""
BOMB = 1 << 28
"""Bytes that a bomb unpacks to."""


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Attributes
    ----------
    content : bytes or None
        None: the file is gone.
    what : str
        What was done.
    valid : bool
        Whether it is known to be another sound file, of whose difference no reader can know.
    before, valid_before, valid_again : bytes, bool, bool
        Of a file that was damaged twice: what it was in between, and the same of each damage by itself.
    """

    content: bytes | None
    what: str
    valid: bool = False
    before: bytes | None = None
    valid_before: bool = False
    valid_again: bool = False


def mutate(content: bytes, family: str, rng: Rng, *, gone: bool = False) -> Mutant:
    """A file that is damaged once, now and then twice.

    Parameters
    ----------
    content : bytes
        The sound file.
    family : str
        What it is: one of `STRUCTURES`; two, parted by "+", where one is packed into the other, as "gzip+fits".
    rng : Generator
        Decides all.
    gone : bool
        Whether the file may vanish, as one among several.
    """
    if gone and rng.random() < 0.05:
        return Mutant(None, "gone")
    outer, _, inner = family.partition("+")
    guarded = outer == "guarded"  # by a sum over all of it: no change is beyond notice
    if guarded:
        outer, inner = inner or "blob", ""
    if inner and rng.random() < 0.5:
        return _repacked(content, outer, inner, rng)
    fields = _fields(content, outer)
    made = _once(content, outer, fields, rng)
    if guarded:
        return Mutant(made.content, made.what)
    made = _judged(content, made, outer, fields)
    if rng.random() < 0.15 and made.content:
        again = _judged(made.content, _once(made.content, outer, [], rng, of=fields), outer, fields)
        both = _judged(content, Mutant(again.content, "", made.valid and again.valid), outer, fields)
        return Mutant(again.content, f"{made.what}; {again.what}", both.valid, made.content, made.valid, again.valid)
    return made


def _judged(content: bytes, made: Mutant, family: str, fields: list[Field]) -> Mutant:
    """A mutant of which it is known whether it is another sound file, as far as the format lets tell."""
    if made.content is None or made.valid:
        return made
    ways: dict[str, Callable[[bytes, bytes], bool]] = {
        "text": is_other_text,
        "latin": partial(is_other_text, encoding="cp1252"),
        "fits": is_other_fits,
        "tar": is_other_tar,
        "tiff": partial(is_other_tiff, fields=fields),
    }
    return replace(made, valid=family in ways and ways[family](content, made.content))


@lru_cache(maxsize=64)
def _fields(content: bytes, family: str) -> list[Field]:
    try:
        return STRUCTURES[family](content)
    except Exception:  # a mutant that is packed again is itself damaged; then any bytes are hit
        return []


def _once(content: bytes, family: str, fields: list[Field], rng: Rng, of: list[Field] | None = None) -> Mutant:
    """Damage to one of the fields or, without any, anywhere; `of` are then those that a change is judged by."""
    chosen = [field for field in fields if field.kind != "values"]
    if chosen and rng.random() < 0.6:
        # Each kind of field as often as any other, however many there are.
        kinds = sorted({field.kind for field in chosen})
        kind = kinds[rng.integers(len(kinds))]
        some = [field for field in chosen if field.kind == kind]
        field = some[rng.integers(len(some))]
        new = _other(content[field.start : field.stop], field, rng)
        made = content[: field.start] + new + content[field.stop :]
        touched, same = (field.start, field.stop), len(new) == field.stop - field.start
        what = f"{kind} at {field.start}: {content[field.start : field.stop][:12]!r} becomes {new[:12]!r}"
    else:
        made, what, touched, same = _anywhere(content, rng)
    valid = same and _within(touched, content, made, fields if of is None else of)
    return Mutant(made, what, valid)


def _within(touched: tuple[int, int], content: bytes, made: bytes, fields: list[Field]) -> bool:
    """Whether all that differs lies in bytes that nothing guards."""
    start, stop = touched
    differ = np.flatnonzero(np.frombuffer(content[start:stop], np.uint8) != np.frombuffer(made[start:stop], np.uint8))
    places = differ + start
    inside = np.zeros(len(places), bool)
    for low, high in free(fields):
        inside |= (places >= low) & (places < high)
    return bool(inside.all())


def _other(held: bytes, field: Field, rng: Rng) -> bytes:
    """Something else in place of a field."""
    size = len(held)
    if field.kind == "count":
        order = field.order
        value = int.from_bytes(held, order)  # type: ignore[arg-type]
        near = (value + 1, value - 1, value * 2, value // 2, value ^ (1 << int(rng.integers(8 * size))))
        every = [*near, *HUGE, int(rng.integers(1 << 62))]
        new = every[rng.integers(len(every))] % (1 << 8 * size)
        return new.to_bytes(size, order)  # type: ignore[arg-type]
    if field.kind == "number":
        if rng.random() < 0.5:  # one digit
            at = int(rng.integers(size))
            return held[:at] + bytes([48 + int(rng.integers(10))]) + held[at + 1 :]
        return NUMBERS[rng.integers(len(NUMBERS))]
    if field.kind == "text" and rng.random() < 0.5:
        return TEXTS[rng.integers(len(TEXTS))]
    at = int(rng.integers(max(size, 1)))
    return held[:at] + bytes([int(rng.integers(256))]) + held[at + 1 :]


def _anywhere(content: bytes, rng: Rng) -> tuple[bytes, str, tuple[int, int], bool]:
    """Damage at a random place: what results, in words, where, and whether all else stays in its place."""
    length = len(content)
    if not length:
        return b"\0", "a byte in an empty file", (0, 0), False
    at = int(rng.integers(length))
    run = int(min(2 ** rng.integers(0, 13), length - at))
    name = ("bit", "byte", "run", "zeros", "ones", "cut", "longer", "halves", "deleted", "doubled", "inserted", "line",
            "pieces", "empty")[rng.integers(14)]  # fmt: skip
    place, same = f"{name} at {at}", False
    if name in ("bit", "byte", "run", "zeros", "ones"):
        same = True
        if name == "bit":
            new, run = bytes([content[at] ^ (1 << int(rng.integers(8)))]), 1
        elif name == "byte":
            new, run = bytes([int(rng.integers(256))]), 1
        elif name == "run":
            new = rng.bytes(run)
        else:
            new = (b"\0" if name == "zeros" else b"\xff") * run
        return content[:at] + new + content[at + run :], f"{place}, {run} bytes", (at, at + run), same
    if name == "cut":
        made = content[:at]
    elif name == "longer":
        made = content + (bytes(run) if rng.random() < 0.5 else rng.bytes(run))
    elif name == "halves":
        made = content[length // 2 :] + content[: length // 2]
    elif name == "deleted":
        made = content[:at] + content[at + run :]
    elif name == "doubled":
        made = content[: at + run] + content[at : at + run] + content[at + run :]
    elif name == "inserted":
        made = content[:at] + rng.bytes(run) + content[at:]
    elif name == "line":
        lines = content.splitlines(keepends=True)
        k, j = (int(n) for n in rng.integers(len(lines), size=2))
        how = rng.integers(3)
        lines = [*lines[:k], *lines[k + 1 :]] if how == 0 else [*lines[:k], lines[j], *lines[k:]] if how == 1 else lines
        if how == 2:
            lines[k], lines[j] = lines[j], lines[k]
        made = b"".join(lines)
    elif name == "pieces":
        size = max(1, length // 8)
        parts = [content[k : k + size] for k in range(0, length, size)]
        k, j = (int(n) for n in rng.integers(len(parts), size=2))
        parts[k], parts[j] = parts[j], parts[k]
        made = b"".join(parts)
    else:
        made = b""
    return made, place, (0, min(len(made), length)), len(made) == length


# --- What is packed ---------------------------------------------------------------------------------------------------


def _repacked(content: bytes, outer: str, inner: str, rng: Rng) -> Mutant:
    """Damage inside of what is packed, packed again with right sums; or a bomb."""
    bomb = rng.random() < 0.06
    if outer == "gzip":
        if bomb:
            return Mutant(_bomb_gzip(), "a bomb of gzip")
        made = mutate(gzip.decompress(content), inner, rng)
        return Mutant(gzip.compress(made.content or b"", 1, mtime=0), f"in gzip: {made.what}", made.valid)
    if outer == "zip":
        held = dict(members(content))
        names = sorted(held)
        name = names[rng.integers(len(names))]
        if bomb:
            return Mutant(_zip(held | {name: None}), f"a bomb in {name}")
        if rng.random() < 0.1:
            renamed = {("../" * 3 + k if k == name else k): v for k, v in held.items()}
            return Mutant(_zip(renamed), f"{name} leaves the folder")
        family = inner if inner != "any" else _family_of(name)
        made = mutate(held[name], family, rng, gone=True)
        changed = (
            held | {name: made.content} if made.content is not None else {k: v for k, v in held.items() if k != name}
        )
        return Mutant(_zip(changed, packed=not name.endswith(".npy")), f"in {name}: {made.what}", made.valid)
    if outer == "mat5":
        from scipy.io import loadmat, savemat

        plain = io.BytesIO()
        names = {k: v for k, v in loadmat(io.BytesIO(content)).items() if not k.startswith("__")}
        savemat(plain, names, do_compression=False)
        made = mutate(plain.getvalue(), "mat5", rng)
        return Mutant(made.content, f"without compression: {made.what}", made.valid)
    raise ValueError(outer)


def _family_of(name: str) -> str:
    if name.endswith(".npy"):
        return "npy"
    return "text" if name.rpartition(".")[2] in ("json", "xml", "rels", "zattrs", "zarray", "zgroup") else "chunk"


@lru_cache(maxsize=1)
def _bomb_gzip() -> bytes:
    return gzip.compress(bytes(BOMB), 1, mtime=0)


@lru_cache(maxsize=1)
def _zeros() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(bytes(BOMB)) + packer.flush()


def _zip(held: dict[str, bytes | None], *, packed: bool = True) -> bytes:
    """A zip file; None in place of a content is a bomb."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in held.items():
            if content is None:
                with archive.open(zipfile.ZipInfo(name), "w") as file:
                    file._compressor = zlib.compressobj(1, zlib.DEFLATED, -15)  # type: ignore[attr-defined]
                    file._zinfo.compress_type = zipfile.ZIP_DEFLATED  # type: ignore[attr-defined]
                    for _ in range(BOMB >> 22):
                        file.write(bytes(1 << 22))
            else:
                archive.writestr(name, content)
    return out.getvalue()


# --- What is another sound file ---------------------------------------------------------------------------------------


def is_other_fits(start: bytes, made: bytes) -> bool:
    """Whether a FITS file is another sound one: of the same structure, its header text, its data of the same sums."""
    if len(start) != len(made):
        return False
    at = 0
    while at < len(start) and start[at : at + 8] in (b"SIMPLE  ", b"XTENSION"):
        end, other = (held.find(b"END" + b" " * 77, at) for held in (start, made))
        if end != other or not re.fullmatch(rb"[ -~]*", made[at:end]):
            return False
        for place in range(at, end, 80):
            ours, theirs = start[place : place + 80], made[place : place + 80]
            if ours != theirs and (STRUCTURAL.match(ours) or STRUCTURAL.match(theirs)):
                return False
        data = (end // 2880 + 1) * 2880
        following = re.search(rb"XTENSION=", start[data:])
        stop = data + following.start() if following else len(start)
        if b"DATASUM" in start[at:end] and _sum(start[data:stop]) != _sum(made[data:stop]):
            return False
        at = stop
    return True


def is_other_tar(start: bytes, made: bytes) -> bool:
    """Whether a tar of maps is another sound one: its headers as they were, its maps sound."""
    if len(start) != len(made):
        return False
    at = 0
    while start[at : at + 1].strip(b"\0"):
        size = int(start[at + 124 : at + 135], 8)
        inside = slice(at + 512, at + 512 + size)
        if start[at : at + 512] != made[at : at + 512] or not is_other_fits(start[inside], made[inside]):
            return False
        at += 512 + size + (-size % 512)
    return start[at:] == made[at:]


def is_other_tiff(start: bytes, made: bytes, fields: list[Field]) -> bool:
    """Whether a TIFF file has all directories as they were: then any bytes may stand where its pixels are."""
    pixels = sorted((field.start, field.stop) for field in fields if field.kind == "values")
    if not pixels or len(made) < pixels[-1][1]:
        return False
    others = ((field.start, field.stop) for field in fields if field.kind != "values")
    return all(start[a:b] == made[a:b] for a, b in others)


def _sum(content: bytes) -> int:
    return int(np.frombuffer(content[: len(content) // 4 * 4], ">u4").sum(dtype=np.uint64)) % 0xFFFFFFFF


# --- Text -------------------------------------------------------------------------------------------------------------


def is_other_text(start: bytes, made: bytes, encoding: str = "utf-8") -> bool:
    """Whether a text is another sound one of the same form, as somebody might have written it."""
    try:
        ours, theirs = start.decode(encoding), made.decode(encoding)
    except UnicodeDecodeError:
        return False
    if re.search(r"[\x00-\x08\x0e-\x1f\ufffd]", theirs):
        return False
    for form in (_json_form, _xml_form, _table_form):
        if (known := form(ours)) is not None:
            return known == form(theirs) if form is not _table_form else _fits(known, form(theirs))
    return False


def _json_form(text: str) -> object:
    """Names and types of a JSON document; None if it is none."""

    def form(value: object) -> object:
        if isinstance(value, dict):
            return {key: "free" if key in FREE_FORM else form(one) for key, one in value.items()}
        return [form(one) for one in value] if isinstance(value, list) else _class(value)

    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return form(json.loads(text))
    except (ValueError, RecursionError):
        return ()


def _class(value: object) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def _xml_form(text: str) -> object:
    """Tags and attributes of an XML document, and which of them are numbers."""
    import xml.etree.ElementTree as ET

    if not text.lstrip().startswith("<"):
        return None
    try:
        return sorted(
            (item.tag, *((name, _is_number(value)) for name, value in sorted(item.attrib.items())))
            for item in ET.fromstring(text).iter()  # noqa: S314
        )
    except ET.ParseError:
        return ()


def _table_form(text: str) -> tuple[list[int], set[tuple[bool, ...]]] | None:
    """How many words the lines of a table's head have, and the rows' forms: which cells are numbers."""
    lines = [line for line in re.split(r"\r?\n", text) if line]
    if not lines:
        return [], set()
    rows = [[cell.strip() for cell in re.split(r"[,;\t ]+", line.strip())] for line in lines]
    head = [line for line, row in zip(lines, rows, strict=True) if not any(map(_is_number, row))]
    return [len(re.split(r"[,;\t ]+", line.strip())) for line in head], {
        tuple(map(_is_number, row)) for line, row in zip(lines, rows, strict=True) if line not in head
    }


def _fits(ours: object, theirs: object) -> bool:
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return False
    return ours[0] == theirs[0] and theirs[1] <= ours[1] and bool(theirs[1])


def _is_number(text: str) -> bool:
    return re.fullmatch(_PLAIN, text) is not None


_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
