"""Every layout of maps in use is recognised, listed and written; what does not fit is named."""

import shutil
from functools import partial

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable, Table

from awd_core.workers.mapping import Serial
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.asked_headers import asked_headers, read_headers
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.formats.layouts import LAYOUTS, list_maps, recognise
from awd_cosmo.formats.suite_models import Found, Model
from awd_cosmo.maps.layout_writer import pack_models, write_suite
from awd_cosmo.maps.open import MapSet, open_maps
from suite_files import write_layout

COSMOLOGIES = [
    {"M_nu": 0.0, "Omega_m": 0.25, "A_s": 2.1, "sigma8": 0.851},
    {"M_nu": 0.1, "Omega_m": 0.283, "A_s": 2.3, "sigma8": 0.83},
]
SCALE = 0.41


def kappa(model, realisation, side=8):
    return np.random.default_rng([model, realisation]).normal(0, 0.02, (side, side)).astype(np.float32)


@pytest.fixture
def suite(tmp_path):
    def write(layout, realisations=2, root=tmp_path / "suite"):
        pairs = [(m, r) for m in (1, 2) for r in range(1, realisations + 1)]
        parameters = {name: [COSMOLOGIES[m - 1][name] for m, _ in pairs] for name in COSMOLOGIES[0]}
        write_layout(root, layout, np.array([kappa(*pair) for pair in pairs]), parameters, pixel_scale=SCALE)
        return root

    return write


def by_hand(root, files, header=None):
    for name, values in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(values, fits.Header({"ANGLE": SCALE * 8 / 60} if header is None else header)).writeto(place)
    return root


@pytest.mark.parametrize("layout", [*LAYOUTS, "tar"])
def test_what_is_written_in_a_layout_is_read(suite, layout):
    root = suite("massivenus" if layout == "tar" else layout)
    if layout == "tar":
        assert len(pack_models(root, remove=True)) == 2
        assert all(path.suffix == ".tar" for path in root.iterdir())
    maps = open_maps(root)
    table = maps.table
    assert maps.account.startswith(f"layout {'massivenus' if layout == 'tar' else layout}: ")
    assert maps.skipped == []
    assert table["cosmology"].tolist() == [0, 0, 1, 1]
    assert table["realisation"].tolist() == [1, 2, 1, 2]
    assert table["z_s"].tolist() == [1.0] * 4
    assert set(table["tile"]) == {-1}
    assert set(table["hdu"]) == {0}
    names = [name for name in COSMOLOGIES[0] if name in table.colnames]
    expected = {"massivenus": 3, "tar": 3, "names": 2}.get(layout, 4)
    assert len(names) == expected
    np.testing.assert_array_equal(
        maps.parameters(names), [[c[n] for n in names] for c in COSMOLOGIES for _ in range(2)]
    )
    if "M_nu" in names:
        assert table["M_nu"].unit == units.eV
    np.testing.assert_array_equal(maps.read(), [kappa(m, r) for m in (1, 2) for r in (1, 2)])
    assert maps.arcmin_per_pixel == pytest.approx(SCALE, rel=1e-12)


def test_lenstools_tells_no_more_than_its_headers(real_data):
    maps = open_maps(real_data / "cosmo", pattern="convergence_*.fit")
    assert len(maps) == 8
    assert maps.shape == (512, 512)
    assert sorted(maps.table["z_s"].tolist()) == [0.15, 0.32, 0.52, 0.7, 0.9, 1.03, 1.18, 1.5]
    assert maps.pixel_scale.to_value(units.deg / units.pixel) * 512 == pytest.approx(3.5, rel=1e-12)
    assert "parameters of the maps are not known" in maps.account
    assert "by ANGLE" in maps.account
    for row, name in enumerate(maps.files):
        np.testing.assert_array_equal(maps.read([row])[0], fits.getdata(name))


def test_real_maps_of_another_scale_are_named(real_data):
    with pytest.raises(BadMap, match=r"mask\.fit: wrong pixel scale: 0\.40595 arcmin where most have 0\.41016"):
        open_maps(real_data / "cosmo")
    maps = open_maps(real_data / "cosmo", on_error="skip")
    assert len(maps) == 8
    assert {file for file, _ in maps.skipped} == {"mask.fit", "unmasked.fit"}


def test_one_real_map_and_its_mask(real_data):
    maps = open_maps(real_data / "cosmo" / "unmasked.fit", mask=real_data / "cosmo" / "mask.fit")
    seen = fits.getdata(real_data / "cosmo" / "mask.fit") > 0
    np.testing.assert_array_equal(np.isnan(maps.read()[0]), ~seen)
    np.testing.assert_array_equal(maps.mask, seen)


def test_massivenus_with_more_than_one_redshift(tmp_path):
    name = "convergence_gal_mnv0.00000_om0.30000_As2.1000"
    folders = (("05", "0.50"), ("10", "1.00"), ("20", "2.00"))
    files = {
        f"{name}/Maps{d}/WLconv_z{z}_{r:04d}r.fits": kappa(1, r) + number
        for number, (d, z) in enumerate(folders)
        for r in (1, 2)
    }
    root = by_hand(tmp_path, files)
    maps = open_maps(root)
    assert "source redshift 1 taken of 0.5, 1, 2; give --source-redshift (source_redshift=) for another" in maps.account
    np.testing.assert_array_equal(maps.read()[1], kappa(1, 2) + 1)
    maps = open_maps(root, source_redshift=2.0)
    np.testing.assert_array_equal(maps.read()[0], kappa(1, 1) + 2)
    assert maps.table["z_s"].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match=r"no maps of source redshift 1\.5; there are 0\.5, 1, 2"):
        open_maps(root, source_redshift=1.5)
    pack_models(root, remove=True)
    packed = open_maps(root)
    assert "source redshift 1 taken of 0.5, 1, 2; give --source-redshift" in packed.account
    np.testing.assert_array_equal(packed.read()[1], kappa(1, 2) + 1)
    # one model alone, by its tar
    assert len(open_maps(root / f"{name}.tar")) == 2


def test_massivenus_without_headers_has_its_side_taken_for_granted(tmp_path):
    name = "convergence_gal_mnv0.00000_om0.30000_As2.1000"
    by_hand(tmp_path, {f"{name}/Maps10/WLconv_z1.00_0001r.fits": kappa(1, 1)}, header={})
    maps = open_maps(tmp_path)
    assert maps.arcmin_per_pixel == pytest.approx(3.5 * 60 / 8)
    assert "no header tells it, a side of 3.5° is taken for granted" in maps.account
    assert open_maps(tmp_path, pixel_scale=0.4).arcmin_per_pixel == 0.4
    assert len(open_maps(tmp_path / name)) == 1


def test_a_model_that_is_there_packed_and_unpacked(suite):
    root = suite("massivenus")
    pack_models(root)
    maps = open_maps(root)
    assert len(maps) == 4
    assert maps.account.count("is there unpacked too: the folder is read, the tar is not") == 2
    assert not any("!" in name for name in maps.table["file"])


def test_packing_the_same_maps_gives_the_same_bytes(suite, tmp_path):
    first = [tar.read_bytes() for tar in pack_models(suite("massivenus"))]
    second = [tar.read_bytes() for tar in pack_models(suite("massivenus", root=tmp_path / "again"))]
    assert first == second


def test_the_copy_by_hand_needs_names_of_its_columns(tmp_path):
    files = {f"model{m:03d}/WLconv_z1.00_{r:04d}r.fits": kappa(m, r) for m in (0, 1, 2) for r in (1, 2)}
    root = by_hand(tmp_path, files)
    with pytest.raises(ValueError, match=r"maps without parameters: .* but no cosmological_parameters\.txt"):
        open_maps(root)
    np.savetxt(
        root / "cosmological_parameters.txt", [[0, 0, 0.3, 2.1, 0.85], [1, 0.1, 0.28, 2.3, 0.83], [2, 0.2, 0.3, 2, 0.8]]
    )
    with pytest.raises(ValueError, match=r"no header that names them: give --columns "):
        open_maps(root)
    with pytest.raises(ValueError, match=r"with Omega_m and A_s exchanged every value fits|A_s and Omega_m exchanged"):
        open_maps(root, columns=("index", "M_nu", "A_s", "Omega_m", "sigma8"))
    maps = open_maps(root, columns=("index", "M_nu", "Omega_m", "A_s", "sigma8"))
    np.testing.assert_array_equal(maps.parameters(["Omega_m"])[:, 0], [0.3, 0.3, 0.28, 0.28, 0.3, 0.3])
    assert maps.table["cosmology"].tolist() == [0, 0, 1, 1, 2, 2]


def test_models_and_rows_that_do_not_match(tmp_path):
    root = by_hand(tmp_path, {f"model{m:03d}/WLconv_z1.00_0001r.fits": kappa(m, 1) for m in (1, 2)})
    place = root / "cosmological_parameters.txt"
    place.write_text("# index Omega_m\n0 0.25\n1 0.3\n", encoding="utf-8")
    with pytest.raises(BadMap, match=r"model002\S*: maps without parameters: .* has no row 2; does its index count"):
        open_maps(root)
    maps = open_maps(root, on_error="skip")
    assert maps.table["file"].tolist() == ["model001/WLconv_z1.00_0001r.fits"]
    assert [file for file, _ in maps.skipped] == ["model002/WLconv_z1.00_0001r.fits"]
    assert "parameters without maps: 1 row of cosmological_parameters.txt (index 0)" in maps.account
    place.write_text("# Omega_m\n0.25\n0.3\n", encoding="utf-8")
    maps = open_maps(root)
    assert "has no index: its rows are the folders in order" in maps.account
    np.testing.assert_array_equal(maps.parameters(["Omega_m"])[:, 0], [0.25, 0.3])
    place.write_text("# Omega_m\n0.25\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has 1 rows and no column that numbers them, but there are 2 folders"):
        open_maps(root)


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits"])
def test_a_table_that_names_files(tmp_path, ending):
    by_hand(tmp_path, {f"in/{i}.fits": kappa(i, 1) for i in range(3)})
    table = QTable(
        {
            "filename": ["in/2.fits", "in/0.fits", "in/1.fits"],
            "Om": [0.2, 0.2, 0.3],
            "seed": [4, 5, 4],
            "note": [1, 2, 3],
        }
    )
    table["mnu"] = [100, 100, 0] * units.meV if ending != "csv" else [0.1, 0.1, 0.0]
    (Table(table) if ending == "csv" else table).write(tmp_path / f"table.{ending}")
    for path in (tmp_path, tmp_path / f"table.{ending}"):
        maps = open_maps(path)
        np.testing.assert_allclose(maps.parameters(["M_nu", "Omega_m"]), [[0.1, 0.2], [0.1, 0.2], [0, 0.3]], rtol=1e-15)
        assert maps.table["realisation"].tolist() == [4, 5, 4]
        np.testing.assert_array_equal(maps.read(), [kappa(2, 1), kappa(0, 1), kappa(1, 1)])
        assert "left out: note" in maps.account


def test_rows_of_a_table_that_cannot_be_used(tmp_path):
    by_hand(tmp_path, {f"{i}.fits": kappa(i, 1) for i in range(3)})
    place = tmp_path / "index.csv"
    place.write_text("file,Omega_m,h\n0.fits,0.3,0.7\n9.fits,0.3,0.7\n1.fits,,0.7\n0.fits,0.3,0.7\n", encoding="utf-8")
    maps = open_maps(tmp_path, on_error="skip")
    reasons = dict(maps.skipped)
    assert maps.table["file"].tolist() == ["0.fits"]
    assert reasons["9.fits"] == "row 1 of index.csv names it, but there is no such file"
    assert reasons["1.fits"] == "row 2 of index.csv lacks a parameter"
    assert reasons["0.fits"] == "named twice: the same as 0.fits"
    place.write_text("file,Omega_m\n0.fits,0.3\n1.fits,30\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.csv: Omega_m = 30 \(row 1\) is outside its plausible range"):
        open_maps(tmp_path)
    place.write_text("file,Omega_m\n0.fits,0.3\n", encoding="utf-8")
    shutil.copy(place, tmp_path / "other.csv")
    with pytest.raises(ValueError, match=r"several tables that name files: index\.csv, other\.csv"):
        open_maps(tmp_path)


def test_folders_that_tell_their_parameters(tmp_path):
    files = {f"Om0.{om}_si0.{si}/WLconv_z1.00_{r:04d}r.fits": kappa(r, int(om))
             for om, si in (("260", "800"), ("310", "750")) for r in (1, 2)}  # fmt: skip
    root = by_hand(tmp_path, files)
    (root / "Om0.900_si0.800").mkdir()
    by_hand(root, {"Om0.900_si0.800/WLconv_z1.00_0001r.fits": kappa(1, 1)})
    with pytest.raises(BadMap, match=r"Om0\.900_si0\.800: .*Omega_m = 0\.9 is outside its plausible range"):
        open_maps(root)
    maps = open_maps(root, on_error="skip")
    np.testing.assert_array_equal(maps.parameters(["Omega_m", "sigma8"])[::2], [[0.26, 0.8], [0.31, 0.75]])
    assert len(open_maps(root / "Om0.260_si0.800")) == 2


def test_duplicates_and_other_sizes_are_named(tmp_path):
    folder = "Om0.260_si0.800"
    root = by_hand(
        tmp_path, {f"{folder}/WLconv_z1.00_0001r.fits": kappa(1, 1), f"{folder}/a/WLconv_z1.00_0001r.fits": kappa(1, 1)}
    )
    with pytest.raises(BadMap, match=rf"duplicate: it holds the same map as {folder}/WLconv_z1\.00_0001r\.fits"):
        open_maps(root)
    assert len(open_maps(root, on_error="skip")) == 1
    by_hand(root, {f"Om0.3{i}0_si0.800/WLconv_z1.00_0001r.fits": kappa(i, 1, side=16 if i else 8) for i in range(3)})
    maps = open_maps(root, on_error="skip", pixel_scale=0.4)
    assert maps.shape in ((8, 8), (16, 16))
    assert any("wrong size" in reason for _, reason in maps.skipped)


def test_an_empty_model_is_in_the_account(suite):
    root = suite("massivenus")
    (root / "convergence_gal_mnv0.20000_om0.35000_As2.0000").mkdir()
    maps = open_maps(root)
    assert "parameters without maps: convergence_gal_mnv0.20000_om0.35000_As2.0000 holds none" in maps.account


def test_a_bad_first_map_does_not_hide_the_others(suite):
    root = suite("model", realisations=3)
    place = root / "model001" / "WLconv_z1.00_0001r.fits"
    place.write_bytes(place.read_bytes()[:3000])
    with pytest.raises(
        BadMap, match=r"model001/WLconv_z1\.00_0001r\.fits: truncated: 3000 bytes where its header promises"
    ):
        open_maps(root)
    assert len(open_maps(root, on_error="skip")) == 5


def test_a_suite_listed_opens_one_map_a_model(suite, monkeypatch):
    root = suite("massivenus", realisations=5)
    opened = []
    import awd_cosmo.formats.asked_headers as module

    original = module.read_header
    monkeypatch.setattr(
        module, "read_header", lambda *args, **options: opened.append(args[0]) or original(*args, **options)
    )
    assert len(list_maps(recognise(root)).table) == 10
    assert len(opened) == 2


def test_maps_whose_headers_say_the_same_share_one_answer(tmp_path):
    for i, omega_m in enumerate([0.3, 0.4, 0.3, 0.3]):
        write_map(
            tmp_path / f"{i}.fits", np.zeros((4, 4), np.float32), pixel_scale=1.0, parameters={"Omega_m": omega_m}
        )
    model = Model("", {}, [Found(f"{i}.fits") for i in range(4)], ask_all=True)
    (answers,) = asked_headers([model], partial(read_headers, str(tmp_path), None, None, None), Serial())
    assert [header.parameters["Omega_m"] for header in answers] == [0.3, 0.4, 0.3, 0.3]
    assert answers[0] is answers[2] is answers[3]


def test_what_is_not_recognised(suite, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        ValueError, match=r"no layout recognised in .*empty; it holds nothing; known layouts are massivenus"
    ):
        recognise(empty)
    (empty / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match=r"it holds notes\.txt; known layouts"):
        recognise(empty)
    suite("model", root=empty / "inside")
    with pytest.raises(ValueError, match=r"The folder inside inside looks like a suite: pass that"):
        recognise(empty)
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        recognise(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"layout is 'fits'.*; choose one of auto, massivenus, model, names, table"):
        recognise(empty, "fits")
    with pytest.raises(ValueError, match=r"has nothing of the layout 'massivenus'; there is: layout model: 2 folders"):
        recognise(empty / "inside", "massivenus")
    with pytest.raises(ValueError, match=r"known layouts are"):
        recognise(empty / "notes.txt")


def test_two_layouts_in_one_folder(suite):
    root = suite("model")
    suite("massivenus", root=root)
    with pytest.raises(ValueError, match=r"more than one layout: .*massivenus.*; layout model: .* Give --layout "):
        open_maps(root)
    assert len(open_maps(root, "model")) == 4
    assert len(open_maps(root, layout="massivenus")) == 4


def test_without_a_pixel_scale(tmp_path):
    by_hand(tmp_path, {"a.fits": kappa(1, 1)}, header={})
    with pytest.raises(ValueError, match=r"no pixel scale in the headers .*: give --pixel-scale .*, in arcmin"):
        open_maps(tmp_path)
    assert open_maps(tmp_path, pixel_scale=0.4).arcmin_per_pixel == 0.4


def test_maps_without_parameters_among_others(tmp_path):
    write_map(tmp_path / "a.fits", kappa(1, 1), pixel_scale=0.4, parameters={"Omega_m": 0.3})
    write_map(tmp_path / "b.fits", kappa(1, 2), pixel_scale=0.4)
    with pytest.raises(BadMap, match=r"b\.fits: map without parameters, where others have them"):
        open_maps(tmp_path)


def test_where_a_set_is_written(tmp_path):
    options = {"pixel_scale": 0.4, "z_s": 0.5, "realisation": [31]}
    maps = MapSet.from_arrays(kappa(1, 1)[None], parameters={n: [v] for n, v in COSMOLOGIES[1].items()}, **options)
    places = {layout: write_suite(maps, tmp_path / layout, layout)[0] for layout in ("massivenus", "table")}
    assert {layout: place.relative_to(tmp_path / layout).as_posix() for layout, place in places.items()} == {
        "massivenus": "convergence_gal_mnv0.10000_om0.28300_As2.3000/Maps05/WLconv_z0.50_0031r.fits",
        "table": "maps/model000_WLconv_z0.50_0031r.fits",
    }
    few = MapSet.from_arrays(kappa(1, 1)[None], parameters={"M_nu": [0.0], "Omega_m": [0.3]}, **options)
    with pytest.raises(ValueError, match=r"'massivenus' tells M_nu, Omega_m and A_s in its names; A_s is missing"):
        write_suite(few, tmp_path / "few", "massivenus")
    with pytest.raises(ValueError, match="layout is 'model'; choose one of massivenus, table"):
        write_suite(maps, tmp_path / "model", "model")
    with pytest.raises(ValueError, match="holds no folder of a MassiveNuS model to pack"):
        pack_models(tmp_path / "table")
    with pytest.raises(FileExistsError):
        write_suite(maps, tmp_path / "table", "table")
    assert write_suite(maps, tmp_path / "table", "table", overwrite=True) == [places["table"]]


def test_a_set_is_written_in_another_layout(suite, tmp_path):
    maps = open_maps(suite("model"))
    places = write_suite(maps.downsampled(2), tmp_path / "other", "massivenus")
    assert len(places) == 4
    other = open_maps(tmp_path / "other")
    np.testing.assert_array_equal(other.read(), maps.downsampled(2).read())
    assert other.arcmin_per_pixel == pytest.approx(2 * SCALE, rel=1e-12)
    with pytest.raises(ValueError, match="tiles have no place"):
        write_suite(maps.tiles(4), tmp_path / "tiles", "table")
    with pytest.raises(ValueError, match="written for one source redshift, these maps have nan"):
        write_suite(MapSet.from_arrays(np.zeros((1, 4, 4)), pixel_scale=1), tmp_path / "none", "table")
