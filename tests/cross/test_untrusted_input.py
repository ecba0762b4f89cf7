"""Files of strangers: nothing in them is run, no other place is opened, nothing grows without bound."""

import ast
import gzip
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from awd_cme import open_movie, read_tracks
from awd_cosmo.formats import write_map
from awd_cosmo.maps.open import open_maps

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "packages").glob("*/src/**/*.py"))
LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib.load", "torch.load",
           "pandas.read_pickle",
           "pd.read_pickle", "yaml.load", "eval", "exec", "numpy.fromregex"}  # fmt: skip
"""Modules and functions that run what a file says."""


def dotted(node):
    """Name of what is called or imported."""
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_module_has_what_runs_a_file(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & LOADERS
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in LOADERS
            assert not {f"{node.module}.{alias.name}" for alias in node.names} & LOADERS
        elif isinstance(node, ast.Call):
            assert dotted(node.func) not in LOADERS
            told = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert told.get("allow_pickle", "False") == "False"
            if dotted(node.func) in ("np.load", "numpy.load"):
                assert told.get("allow_pickle") == "False", f"{path}, line {node.lineno}"


HOOK = """
import sys, tempfile
from pathlib import Path
from benchmarks.damage.subjects import SUBJECTS
for subject in SUBJECTS.values():  # all is imported, and each file made, before anybody looks
    folder = Path(tempfile.mkdtemp())
    subject.make(folder)
    subject.read(folder)
    found = []
    if not hasattr(sys, "hooked"):
        sys.hooked = []
        sys.addaudithook(lambda event, told: sys.hooked.append((event, told)) if event == "pickle.find_class" else None)
    sys.hooked.clear()
    subject.read(folder)
    assert not sys.hooked, (subject.name, sys.hooked)
print("none")
"""


def test_no_reader_unpickles_anything():
    """The interpreter itself tells of every class that a pickle asks for."""
    found = subprocess.run(
        [sys.executable, "-c", HOOK], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert found.stdout == "none\n", found.stderr[-3000:]


LAUGHS = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9))
DECLARED = {
    "laughs": f'<!DOCTYPE TrackMate [<!ENTITY a0 "ha">{LAUGHS}]>',
    "file": '<!DOCTYPE TrackMate [<!ENTITY a9 SYSTEM "file:///etc/hostname">]>',
    "network": '<!DOCTYPE TrackMate SYSTEM "http://127.0.0.1:9/none.dtd">',
    "parameter": '<!DOCTYPE TrackMate [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
def test_entities_are_refused(tmp_path, declared, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{declared}<TrackMate version="7">&a9;</TrackMate>'
    (tmp_path / "t.xml").write_text(text, encoding=encoding)
    if encoding == "utf-8":
        with pytest.raises(ValueError, match=r"t\.xml declares a document type or entities, which are not read"):
            read_tracks(tmp_path / "t.xml")
        ome = (
            f'<?xml version="1.0"?>{declared}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&a9;</OME>'
        )
        frames = np.zeros((2, 8, 8), np.uint16)
        tifffile.imwrite(tmp_path / "m.ome.tif", frames, metadata=None, description=ome.encode())
        with pytest.raises(ValueError, match=r"m\.ome\.tif declares a document type or entities"):
            open_movie(tmp_path / "m.ome.tif")
        with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
            archive.writestr("xl/workbook.xml", f"{declared}<workbook>&a9;</workbook>")
        with pytest.raises(ValueError, match=r"t\.xlsx declares a document type or entities"):
            read_tracks(tmp_path / "t.xlsx")
    else:
        with pytest.raises(ValueError, match=r"t\.xml"):
            read_tracks(tmp_path / "t.xml", format="trackmate-xml")


def test_bombs_are_not_unpacked(tmp_path):
    zeros = bytes(1 << 26)
    (tmp_path / "map.fits.gz").write_bytes(gzip.compress(zeros))
    with pytest.raises(ValueError, match=r"map\.fits\.gz: "):
        open_maps(tmp_path / "map.fits.gz")
    write_map(tmp_path / "sound.fits", np.ones((8, 8), np.float32), pixel_scale=0.5)
    head = (tmp_path / "sound.fits").read_bytes()
    (tmp_path / "map.fits.gz").write_bytes(gzip.compress(head + zeros))
    with pytest.raises(ValueError, match=r"map\.fits\.gz: truncated or damaged gzip .* unpack to \d+ MiB or more"):
        open_maps(tmp_path / "map.fits.gz")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"track,frame,x,y\n" + b"1,0,1,1\n" * (1 << 22)))
    with pytest.raises(ValueError, match=r"t\.csv\.gz holds .* unpack to \d+ MiB or more"):
        read_tracks(tmp_path / "t.csv.gz")
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook>" + b" " * (1 << 25))
    with pytest.raises(ValueError, match=r"t\.xlsx:xl/workbook\.xml holds .* unpack to 32 MiB or more"):
        read_tracks(tmp_path / "t.xlsx")


@pytest.mark.parametrize("name", ["../secret.fits", "maps/../../secret.fits", "..\\secret.fits", "{absolute}"])
def test_a_table_of_maps_does_not_lead_out_of_its_folder(tmp_path, name):
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "maps").mkdir()
    for place in (folder / "a.fits", tmp_path / "secret.fits"):
        write_map(place, np.eye(8, dtype=np.float32), pixel_scale=0.5)
    told = name.format(absolute=tmp_path / "secret.fits")
    (folder / "table.csv").write_text(f"file,Omega_m\na.fits,0.3\n{told},0.2\n")
    with pytest.raises(ValueError, match=r"row 1 of table\.csv names it outside the table's folder, which is not"):
        open_maps(folder)
    assert len(open_maps(folder, on_error="skip")) == 1


@pytest.mark.parametrize("name", ["../other.zarr/0", "/0", "a/../../0"])
def test_an_ome_zarr_store_does_not_lead_out_of_itself(tmp_path, name):
    for store in ("cell.zarr", "other.zarr"):
        group = zarr.create_group(tmp_path / store)
        group.create_array("0", data=np.ones((2, 8, 8), np.uint16))
    axes = [{"name": axis} for axis in "tyx"]
    group = zarr.open_group(tmp_path / "cell.zarr")
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": name}]}]}
    with pytest.raises(ValueError, match=r"cell\.zarr says that its pixels lie in .*outside the store"):
        open_movie(tmp_path / "cell.zarr")


PATTERNS = """
import sys, tempfile
from pathlib import Path
import numpy as np
from awd_cosmo.formats import write_map
from awd_cosmo.maps.open import open_maps
from awd_cme import open_movie
folder = Path(tempfile.mkdtemp())
write_map(folder / f"{'a' * 200}.fits", np.eye(8, dtype=np.float32), pixel_scale=0.5)
try:
    open_maps(folder, pattern="*a" * 40 + "b")
except ValueError as error:
    print("no map" in str(error) or "match" in str(error) or str(error))
for text in ("\\n" * 200_000, ' ' * 200_000 + 'x', '"a", ' + '"' * 100_000, '"' + "w" * 200_000):
    (folder / "cell.nd").write_text('"NDInfoFile", Version 1.0\\n' + text + '\\n"EndFile"')
    try:
        open_movie(folder / "cell.nd")
    except ValueError as error:
        print("cell.nd" in str(error))
"""


def test_no_pattern_explodes():
    """One that does would go on for years: the bound is no measurement."""
    found = subprocess.run(
        [sys.executable, "-c", PATTERNS], env=os.environ, capture_output=True, text=True, timeout=600, check=False
    )
    assert found.stdout.split() == ["True"] * 5, found.stdout + found.stderr[-2000:]


def test_security_md_has_the_numbers_of_the_code():
    from awd_core.files import damage

    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    told = re.search(r"more than (\d+) MiB and more than (\d+) times", text)
    assert told is not None
    assert (int(told[1]) << 20, int(told[2])) == (damage.FREE, damage.MOST_TIMES)
