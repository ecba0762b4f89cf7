"""The first sheet of an Excel file (.xlsx), as lines of text: what a workbook holds of a table is a little XML.

Nothing in it is worked out: of a formula the value is taken that Excel has left there. Old files (.xls) are no XML.
"""

import csv
import io
import os
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator

from awd_cme.tracks.losses import LossReport
from awd_core.files import check_archive, refuse_entities

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
SEPARATOR = "\t"


def sheet_as_text(path: str | os.PathLike[str], report: LossReport | None = None) -> bytes:
    """The first sheet that is not empty, a line a row, tabs between cells, in UTF-8.

    Parameters
    ----------
    path : str or path
        The workbook.
    report : LossReport, optional
        Sheets that are left out are listed there.

    Raises
    ------
    ValueError
        If it is no workbook, is damaged, or all its sheets are empty.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
            for part in (name for name in archive.namelist() if name.endswith((".xml", ".rels"))):
                with archive.open(part) as file:
                    refuse_entities(file.read(1 << 20), path)
            if "xl/workbook.xml" not in archive.namelist():
                raise ValueError(
                    f"{path} is a ZIP archive and no Excel file; unpack it, and give the files of tracks in it"
                )
            shared = list(_shared_texts(archive))
            sheets = list(_sheets(archive))
            for name, place in sheets:
                text = _as_text(archive, place, shared)
                if text.strip():
                    others = [other for other, _ in sheets if other != name]
                    if report is not None and others:
                        report.assume(f"of the workbook the sheet {name!r} is read, and not {', '.join(others)}")
                    return text.encode()
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ET.ParseError) as error:
        raise ValueError(f"{path} is a damaged Excel file ({error}); save it again, or as CSV") from error
    raise ValueError(f"{path} is empty: no sheet of the workbook holds a cell")


def _sheets(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Name and place of each sheet, in the order of the workbook."""
    relations = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - expat fetches nothing
    target = {item.attrib["Id"]: item.attrib["Target"] for item in relations}
    for item in ET.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314
        if _tag(item) == "sheet":
            yield item.attrib.get("name", ""), posixpath.normpath(posixpath.join("/xl", target[item.attrib[_RELATION]]))


def _shared_texts(archive: zipfile.ZipFile) -> Iterator[str]:
    if "xl/sharedStrings.xml" in archive.namelist():
        with archive.open("xl/sharedStrings.xml") as file:
            for _, item in ET.iterparse(file):  # noqa: S314
                if _tag(item) == "si":
                    yield _text(item)
                    item.clear()


def _as_text(archive: zipfile.ZipFile, place: str, shared: list[str]) -> str:
    out = io.StringIO()
    write = csv.writer(out, delimiter=SEPARATOR, lineterminator="\n").writerow
    with archive.open(place.lstrip("/")) as file:
        for _, item in ET.iterparse(file):  # noqa: S314
            if _tag(item) != "row":
                continue
            cells: list[str] = []
            for cell in item:
                column = _column(cell.attrib.get("r", ""), len(cells))
                cells += [""] * (column - len(cells))
                cells.append(_value(cell, shared))
            if any(cells):
                write(cells)
            item.clear()
    return out.getvalue()


def _value(cell: ET.Element, shared: list[str]) -> str:
    kind = cell.attrib.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    text = next((item.text or "" for item in cell if _tag(item) == "v"), "")
    return shared[int(text)] if kind == "s" and text else text


def _column(reference: str, following: int) -> int:
    """Number, from 0, of the column of a cell such as "AB12"; the following one where the file does not say."""
    letters = re.match(r"[A-Z]+", reference)
    number = 0
    for letter in letters[0] if letters else "":
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1 if letters else following


def _text(item: ET.Element) -> str:
    return " ".join("".join(part.text or "" for part in item.iter() if _tag(part) == "t").split())


def _tag(item: ET.Element) -> str:
    return item.tag.rpartition("}")[2]
