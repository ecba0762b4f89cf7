"""Which bytes of a file are what: headers, lengths, tags, texts, values. What knows it damages where it hurts.

A format is not parsed in full; what matters is that its counts, offsets and tags are hit far more often than random
bytes would hit them, and that bytes which are known to be bare values can be told from all others: of a change in those
no reader can know.
"""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Spans = list[tuple[int, int]]

_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


STRUCTURAL = re.compile(rb"SIMPLE|BITPIX|NAXIS|EXTEND|XTENSION|[PG]COUNT|TF|Z(?! )|BSCALE|BZERO|GROUPS|BLANK")
"""Cards of FITS that say how its bytes are to be read."""


@dataclass(frozen=True)
class Field:
    """Bytes from `start` to `stop` that mean something.

    Attributes
    ----------
    start, stop : int
        Where.
    kind : {"magic", "count", "text", "number", "values"}
        What: "count" is a binary length, offset, count or tag, `order` its byte order; "number" a number in text;
        "values" bare values, which nothing guards.
    order : {"little", "big"}
        Of a count.
    """

    start: int
    stop: int
    kind: str
    order: str = "little"


def fits(content: bytes) -> list[Field]:
    """Cards of a FITS file: the values of those that say its structure, those of others, and data without a sum."""
    found, at, guarded = [], 0, False
    while at + 80 <= len(content):
        card = content[at : at + 80]
        if card[:8] == b"END     ":
            data = (at // 2880 + 1) * 2880
            if not guarded and data < len(content):
                found.append(Field(data, len(content), "values"))
            following = re.search(rb"XTENSION=", content[data:])
            if following is None:
                break
            at, guarded = data + following.start(), False
            continue
        guarded |= card[:7] in (b"DATASUM",)
        if card[8:10] == b"= ":
            bare = card[:8].rstrip()
            structural = STRUCTURAL.match(bare + b" ")
            found.append(Field(at, at + 8, "text"))
            value = card[10:].split(b"/")[0]
            inner = value.strip()
            if inner:
                start = at + 10 + value.index(inner)
                found.append(Field(start, start + len(inner), "number" if structural else "text"))
        at += 80
    return found


def tar(content: bytes) -> list[Field]:
    """Names, sizes and sums of the headers of a tar of maps, and the maps in it."""
    found, at = [], 0
    while content[at : at + 1].strip(b"\0"):
        size = int(content[at + 124 : at + 135], 8)
        found += [Field(at, at + 100, "name"), Field(at + 124, at + 135, "number"), Field(at + 148, at + 154, "number")]
        found += [Field(at + 156, at + 157, "magic"), Field(at + 257, at + 263, "magic")]
        start = at + 512
        inner = fits(content[start : start + size])
        found += [Field(start + one.start, start + one.stop, one.kind, one.order) for one in inner]
        at = start + size + (-size % 512)
    return found


def tiff(content: bytes) -> list[Field]:
    """Entries of the directories of a TIFF file, its pixels where they are not compressed."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        order = "little" if tif.byteorder == "<" else "big"
        found = [Field(0, 4, "magic"), Field(4, 8, "count", order)]
        wide = tif.is_bigtiff
        for page in tif.pages:
            for tag in page.tags.values():
                at = tag.offset
                found += [Field(at, at + 2, "count", order), Field(at + 2, at + 4, "count", order)]
                found += [Field(at + 4, at + (12 if wide else 8), "count", order)]
                found.append(Field(at + (12 if wide else 8), at + (20 if wide else 12), "count", order))
                if tag.code in (273, 324) and page.compression == 1:
                    # Where pixels lie: what leads elsewhere in the file leads to other pixels.
                    found.append(Field(tag.valueoffset, tag.valueoffset + tag.valuebytecount, "values"))
                if not at <= tag.valueoffset < at + 20 and tag.valuebytecount < 1 << 12:
                    kind = "text" if tag.code in (270, 50839) else "count"
                    found.append(Field(tag.valueoffset, tag.valueoffset + tag.valuebytecount, kind, order))
            if page.compression == 1:
                places = zip(page.dataoffsets, page.databytecounts, strict=True)
                found += [Field(start, min(start + size, len(content)), "values") for start, size in places]
            elif page.compression in (8, 32946):  # a sum stands behind the pixels
                places = zip(page.dataoffsets, page.databytecounts, strict=True)
                found += [Field(start + size - 4, start + size, "count", "big") for start, size in places]
    return found


def npy(content: bytes) -> list[Field]:
    """Magic, length and text of the header of an .npy file, and its values."""
    wide = content[6:7] != b"\x01"
    size = int.from_bytes(content[8 : 12 if wide else 10], "little")
    start = (12 if wide else 10) + size
    return [
        Field(0, 8, "magic"), Field(8, 12 if wide else 10, "count"), *text(content[:start], 10),
        Field(start, len(content), "values"),
    ]  # fmt: skip


def archive(content: bytes) -> list[Field]:
    """Lengths, sums and offsets of a zip file; what lies in it is guarded by its sums."""
    found = []
    for mark, fields in (
        (b"PK\x03\x04", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
        (b"PK\x01\x02", ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4))),
        (b"PK\x05\x06", ((8, 2), (10, 2), (12, 4), (16, 4))),
    ):
        for match in re.finditer(re.escape(mark), content):
            at = match.start()
            found += [Field(at, at + 4, "magic")]
            found += [Field(at + k, at + k + n, "count") for k, n in fields if at + k + n <= len(content)]
    return found


def gzipped(content: bytes) -> list[Field]:
    """Header and sums of a gzip file."""
    end = len(content)
    return [Field(0, 3, "magic"), Field(3, 4, "count"), Field(end - 8, end - 4, "count"), Field(end - 4, end, "count")]


def matlab5(content: bytes) -> list[Field]:
    """Tags of the elements of a MATLAB 5 file that is not compressed, and the bytes of numbers in it."""
    found = [Field(0, 16, "magic"), Field(124, 126, "count"), Field(126, 128, "magic")]

    def walk(at: int, stop: int, depth: int) -> None:
        while at + 8 <= stop:
            kind, size = struct.unpack_from("<II", content, at)
            if kind >> 16:  # a small element
                found.append(Field(at, at + 4, "count"))
                at += 8
                continue
            found.extend([Field(at, at + 4, "count"), Field(at + 4, at + 8, "count")])
            if kind == 14 and depth < 8:
                walk(at + 8, min(at + 8 + size, stop), depth + 1)
            elif kind in (2, 3, 4, 7, 9) and depth > 1 and size >= 8:
                found.append(Field(at + 8, at + 8 + size, "values"))
            at += 8 + size + (-size % 8)

    walk(128, len(content), 0)
    return found


def hdf5(content: bytes) -> list[Field]:
    """Words around the marks of HDF5's structures, and the bytes of its arrays."""
    import h5py

    found = []
    for match in re.finditer(rb"\x89HDF\r\n\x1a\n|TREE|HEAP|SNOD|OHDR|GCOL|FRHP|BTHD|OCHK", content):
        at = match.start()
        found.append(Field(at, at + 4, "magic"))
        found += [Field(k, k + 8, "count") for k in range(at + 8, min(at + 88, len(content) - 8), 8)]
        found += [Field(k, k + 2, "count") for k in range(at + 4, min(at + 16, len(content) - 2), 2)]
    with h5py.File(io.BytesIO(content), "r") as file:
        before = file.userblock_size

        def keep(name: str, node: Any) -> None:
            if name == "packed":  # which no reader asks for
                place = node.id.get_chunk_info(0)
                found.append(Field(place.byte_offset, place.byte_offset + place.size, "values"))
            if isinstance(node, h5py.Dataset) and node.id.get_offset() is not None and node.dtype.kind in "fiu":
                start = node.id.get_offset() + before * (node.id.get_offset() < before)
                found.append(Field(start, start + node.id.get_storage_size(), "values"))

        file.visititems(keep)
    return found


def summed_parquet(content: bytes) -> list[Field]:
    """Of a Parquet file whose pages have sums."""
    return parquet(content, summed=True)


def parquet(content: bytes, *, summed: bool = False) -> list[Field]:
    """Marks and footer of a Parquet file, and its pages."""
    import pyarrow.parquet

    size = int.from_bytes(content[-8:-4], "little")
    foot = len(content) - 8 - size
    found = [Field(0, 4, "magic"), Field(len(content) - 4, len(content), "magic")]
    found += [Field(len(content) - 8, len(content) - 4, "count")]
    found += [Field(k, k + 1, "count") for k in range(foot, len(content) - 8)]
    meta = pyarrow.parquet.ParquetFile(io.BytesIO(content)).metadata
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            held = meta.row_group(group).column(column)
            start = held.dictionary_page_offset or held.data_page_offset
            found += [Field(k, k + 1, "count") for k in range(start, start + 24)]
            if not summed:
                found.append(Field(start, start + held.total_compressed_size, "values"))
    return found


def safetensors(content: bytes) -> list[Field]:
    """Length and text of the header of a safetensors file, and its tensors."""
    size = int.from_bytes(content[:8], "little")
    return [Field(0, 8, "count"), *text(content[: 8 + size], 8), Field(8 + size, len(content), "values")]


def text(content: bytes, start: int = 0) -> list[Field]:
    """Numbers, quoted words and lines of a text."""
    pattern = re.compile(
        rb"(?P<number>(?<![\w.])" + _NUMBER + rb"(?![\w.]))|(?P<text>[A-Za-z_]\w+)|(?P<magic>[{}\[\]<>,;:=])"
    )
    return [Field(m.start(), m.end(), str(m.lastgroup)) for m in pattern.finditer(content, start)]


def blob(content: bytes) -> list[Field]:
    """Bytes of which nothing is known, such as a chunk that is compressed."""
    return [Field(0, min(16, len(content)), "magic")]


def chunk(content: bytes) -> list[Field]:
    """A chunk that is compressed without a sum: what can still be unpacked is another sound chunk."""
    return [Field(0, min(16, len(content)), "magic"), Field(0, len(content), "values")]


def values(content: bytes) -> list[Field]:
    """Nothing but values."""
    return [Field(0, len(content), "values")]


STRUCTURES: dict[str, Callable[[bytes], list[Field]]] = {
    "fits": fits, "tar": tar, "tiff": tiff, "npy": npy, "zip": archive, "gzip": gzipped, "mat5": matlab5, "hdf5": hdf5,
    "parquet": parquet, "summed-parquet": summed_parquet, "safetensors": safetensors, "text": text, "latin": text,
    "blob": blob, "chunk": chunk, "values": values,
}  # fmt: skip


def free(fields: list[Field]) -> Spans:
    """Where a change in place makes another sound file: bare values."""
    return [(field.start, field.stop) for field in fields if field.kind == "values"]


def members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        for name in held.namelist():
            yield name, held.read(name)
