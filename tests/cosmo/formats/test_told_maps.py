"""What names, tables, headers and options tell of maps: chosen, left out one by one, held to, never mixed."""

import codecs
import shutil

import numpy as np
import pytest
from astropy.io import fits

from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits import read_map
from awd_cosmo.formats.parameters import parameter_name
from awd_cosmo.formats.realisations import numbered
from awd_cosmo.maps.layout_writer import pack_models
from awd_cosmo.maps.open import open_maps

SIDE, SCALE = 8, 0.5
COSMOLOGIES = (0.25, 0.3, 0.35)


def kappa(*seed, side=SIDE):
    return np.random.default_rng(seed).normal(0, 0.02, (side, side)).astype(np.float32)


def put(place, pixels, checksum=False, **cards):
    place.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header({"ANGLE": SCALE * SIDE / 60, **cards})
    fits.PrimaryHDU(pixels, header).writeto(place, overwrite=True, checksum=checksum)


def file_of(root, model, realisation):
    return root / f"Om{COSMOLOGIES[model]:.3f}_si0.800" / f"WLconv_z1.00_{realisation:04d}r.fits"


@pytest.fixture
def suite(tmp_path):
    """Three cosmologies of four maps."""
    for model in range(3):
        for realisation in range(1, 5):
            put(file_of(tmp_path / "suite", model, realisation), kappa(model, realisation))
    return tmp_path / "suite"


def table(root, rows, head="file,Omega_m", name="maps.csv", encoding="utf-8"):
    (root / name).write_text("\n".join([head, *rows]) + "\n", encoding=encoding)
    return root


# --- realisations and duplicates --------------------------------------------------------------------------------------


def seeds_and_lines_of_sight(root, same=False):
    rows = []
    for model, omega_m in enumerate(COSMOLOGIES):
        for k, seed in enumerate("af"):
            for line in (1, 2):
                file = f"{model:02d}_{seed}/kappa_LOS_{line}.fits"
                put(root / file, kappa(model, 0 if same else k, line))
                rows.append(f"{file},{omega_m}")
    return table(root, rows)


def test_maps_that_share_the_last_number_of_their_names_stay(tmp_path):
    maps = open_maps(seeds_and_lines_of_sight(tmp_path))
    assert len(maps) == 12
    assert maps.table["realisation"].tolist() == [1, 2, 3, 4] * 3
    assert "the last number of names does not tell realisations" in maps.account
    np.testing.assert_array_equal(maps.read([2])[0], kappa(0, 1, 1))


def test_maps_that_hold_the_same_are_duplicates(tmp_path):
    root = seeds_and_lines_of_sight(tmp_path, same=True)
    with pytest.raises(BadMap, match=r"00_f/kappa_LOS_1\.fits: duplicate: it holds the same map as 00_a/kappa_LOS_1"):
        open_maps(root)
    maps = open_maps(root, on_error="skip")
    assert len(maps) == 6
    assert [file for file, _ in maps.skipped] == [f"{m:02d}_f/kappa_LOS_{k}.fits" for m in range(3) for k in (1, 2)]
    # The header of a copy may differ, and so may a tar's member from a file of another.
    put(root / "01_f" / "kappa_LOS_2.fits", kappa(1, 0, 2), REMARK="copied")
    assert len(open_maps(root, on_error="skip")) == 6


def test_numbers_that_a_table_tells_are_kept_and_distinct_maps_too(tmp_path):
    root = seeds_and_lines_of_sight(tmp_path)
    rows = (root / "maps.csv").read_text().split()
    rows = [f"{row},{1 + k // 2 % 2}" for k, row in enumerate(rows[1:])]
    maps = open_maps(table(root, rows, head="file,Omega_m,realisation"))
    assert maps.table["realisation"].tolist() == [1, 1, 2, 2] * 3
    assert "have the same realisation by the table" in maps.account


@pytest.mark.parametrize(
    ("names", "groups", "found"),
    [
        (["map_0001_512.fits", "map_0002_512.fits"], [0, 0], [1, 2]),
        (["a_1.fits", "b_1.fits"], [0, 0], [1, 2]),
        (["s10/k_1.fits", "s2/k_1.fits"], [0, 0], [10, 2]),
        (["s10/k_1.fits", "s2/k_3.fits"], [0, 0], [2, 1]),
        (["x_1.fits", "x_1.fits.gz"], [0, 0], [-1, -1]),
        (["a_1.fits", "a_b_1.fits"], [0, 0], [-1, -1]),
    ],
)
def test_which_part_of_a_name_is_a_realisation(names, groups, found):
    assert numbered(names, groups) == found


# --- source redshifts -------------------------------------------------------------------------------------------------


def redshifts(root, z_column=True):
    rows = []
    for model, omega_m in enumerate(COSMOLOGIES):
        for z in (0.5, 1.0):
            for realisation in (1, 2):
                file = f"c{model}/WLconv_z{z:.2f}_{realisation:04d}r.fits"
                put(root / file, kappa(model, int(10 * z), realisation))
                rows.append(f"{file},{omega_m}" + f",{z}" * z_column)
    return table(root, rows, head="file,Omega_m" + ",z_s" * z_column)


@pytest.mark.parametrize("z_column", [True, False])
def test_a_source_redshift_chooses_maps(tmp_path, z_column):
    root = redshifts(tmp_path, z_column)
    maps = open_maps(root, source_redshift=0.5)
    assert maps.table["z_s"].tolist() == [0.5] * 6
    np.testing.assert_array_equal(maps.read([0, 5]), [kappa(0, 5, 1), kappa(2, 5, 2)])
    assert "source redshift 0.5, as asked: 6 of 12 maps" in maps.account
    # Of several the default is read, and that is told; what is not there is no reason to read something else.
    maps = open_maps(root)
    assert maps.table["z_s"].tolist() == [1.0] * 6
    assert "source redshift 1 taken of 0.5, 1; give --source-redshift" in maps.account
    with pytest.raises(ValueError, match=r"no maps of source redshift 0\.7; there are 0\.5, 1.*--relabel-redshift"):
        open_maps(root, source_redshift=0.7)


def test_a_relabelling_is_another_option_and_is_told(tmp_path):
    root = redshifts(tmp_path)
    maps = open_maps(root, source_redshift=0.5, relabel_redshift=0.9)
    assert maps.table["z_s"].tolist() == [0.9] * 6
    np.testing.assert_array_equal(maps.read([0])[0], kappa(0, 5, 1))
    assert len(open_maps(root, relabel_redshift=0.9)) == 12
    assert (
        "source redshift 0.9 for all maps, as told, though some say 0.5, 1"
        in open_maps(root, relabel_redshift=0.9).account
    )


def test_names_in_a_folder_choose_too(tmp_path):
    for k, z in enumerate((15, 90, 150)):
        put(tmp_path / f"convergence_z{z}.fit", kappa(k))
    assert len(open_maps(tmp_path)) == 3  # without parameters nothing is learnt from them
    maps = open_maps(tmp_path, source_redshift=0.9)
    assert maps.table["file"].tolist() == ["convergence_z90.fit"]
    # With parameters one has to be chosen.
    for k, z in enumerate((15, 90, 150)):
        put(tmp_path / f"convergence_z{z}.fit", kappa(k), OMEGA_M=0.3)
    with pytest.raises(ValueError, match=r"source redshifts 0\.15, 0\.9, 1\.5: give one as --source-redshift"):
        open_maps(tmp_path)


def test_a_redshift_that_no_map_tells_is_told(tmp_path):
    for k in range(2):
        put(tmp_path / f"kappa_{k}.fits", kappa(k))
    maps = open_maps(tmp_path, source_redshift=0.9)
    assert maps.table["z_s"].tolist() == [0.9, 0.9]
    assert "source redshift 0.9, as told: no map says its own" in maps.account
    put(tmp_path / "kappa_2.fits", kappa(2), Z=0.9)
    with pytest.raises(BadMap, match=r"kappa_0\.fits: it does not say its source redshift, and others do"):
        open_maps(tmp_path, source_redshift=0.9)
    maps = open_maps(tmp_path, source_redshift=0.9, on_error="skip")
    assert maps.table["file"].tolist() == ["kappa_2.fits"]
    assert len(maps.skipped) == 2


# --- what is left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_bad_first_maps_take_no_good_one_along(suite, bad):
    for realisation in range(1, bad + 1):
        file_of(suite, 0, realisation).write_bytes(b"junk")
    maps = open_maps(suite, on_error="skip")
    assert len(maps) == 12 - bad
    assert [file for file, _ in maps.skipped] == [
        str(file_of(suite, 0, r).relative_to(suite)) for r in range(1, bad + 1)
    ]
    assert maps.account.count("no FITS file") == bad
    assert f"{bad} left out:" in maps.account


@pytest.mark.parametrize("model", [0, 1, 2])
def test_a_first_map_of_another_size_goes_alone(suite, model):
    put(file_of(suite, model, 1), kappa(9, side=16))
    maps = open_maps(suite, on_error="skip")
    assert len(maps) == 11
    assert maps.shape == (SIDE, SIDE)
    assert dict(maps.skipped) == {
        str(file_of(suite, model, 1).relative_to(suite)): "wrong size: 16 × 16 where most have 8 × 8"
    }
    # In a suite of one model as well.
    one = open_maps(file_of(suite, model, 1).parent, on_error="skip")
    assert len(one) == 3


def test_maps_of_a_cosmology_outside_its_range_are_listed_one_by_one(suite):
    shutil.move(file_of(suite, 0, 1).parent, suite / "Om0.900_si0.800")
    maps = open_maps(suite, on_error="skip")
    assert len(maps) == 8
    assert len(maps.skipped) == 4
    assert all("Omega_m = 0.9 is outside its plausible range" in reason for _, reason in maps.skipped)


def test_hidden_files_and_large_letters(tmp_path):
    name = "convergence_gal_mnv0.00000_om0.30000_As2.1000"
    put(tmp_path / name / "Maps10" / "WLconv_z1.00_0001r.FITS", kappa(1))
    put(tmp_path / name / "Maps10" / "._WLconv_z1.00_0001r.fits", kappa(2))
    for _ in range(2):
        maps = open_maps(tmp_path)
        assert [file[-8:] for file in maps.table["file"]] == ["01r.FITS"]
        assert maps.table["realisation"].tolist() == [1]
        assert maps.table["z_s"].tolist() == [1.0]
        if (tmp_path / name).is_dir():
            pack_models(tmp_path, remove=True)


# --- ranges, tables and their columns ---------------------------------------------------------------------------------


def test_a_row_outside_its_range_goes_alone_and_ranges_can_be_given(tmp_path):
    for k in range(4):
        put(tmp_path / f"{k}.fits", kappa(k))
    table(tmp_path, ["0.fits,0.3,0.8", "1.fits,0.3,1.5", "2.fits,0.31,0.8", "3.fits,0.7,0.8"], "file,Omega_m,sigma8")
    with pytest.raises(BadMap, match=r"1\.fits: maps\.csv: sigma8 = 1\.5 \(row 1\) .*--ranges sigma8=LOW:HIGH"):
        open_maps(tmp_path)
    maps = open_maps(tmp_path, on_error="skip")
    assert maps.table["file"].tolist() == ["0.fits", "2.fits"]
    assert [file for file, _ in maps.skipped] == ["1.fits", "3.fits"]
    wide = {"sigma8": (0.2, 1.6), "Omega_m": (0.05, 0.9)}
    maps = open_maps(tmp_path, ranges=wide)
    np.testing.assert_array_equal(maps.parameters(["Omega_m"])[:, 0], [0.3, 0.3, 0.31, 0.7])
    with pytest.raises(ValueError, match=r"the range of sigma8 is \(1\.6, 0\.2\); give its two ends, the lower first"):
        open_maps(tmp_path, ranges={"sigma8": (1.6, 0.2)})
    # Swapped columns are no matter of rows: then none is right.
    table(tmp_path, ["0.fits,0.8,0.3", "1.fits,0.5,0.35"], "file,Omega_m,sigma8")
    with pytest.raises(ValueError, match="with Omega_m and sigma8 exchanged every value fits"):
        open_maps(tmp_path, on_error="skip")


def test_ranges_hold_for_headers_names_and_text_too(suite, tmp_path):
    put(tmp_path / "head" / "a.fits", kappa(1), OMEGA_M=0.7)
    with pytest.raises(BadMap, match=r"Omega_m = 0\.7 is outside .*--ranges Omega_m=LOW:HIGH"):
        open_maps(tmp_path / "head")
    assert open_maps(tmp_path / "head", ranges={"Omega_m": (0, 1)}).parameters(["Omega_m"]).tolist() == [[0.7]]
    shutil.move(file_of(suite, 0, 1).parent, suite / "Om0.900_si0.800")
    assert len(open_maps(suite, ranges={"Omega_m": (0.1, 1.0)})) == 12
    for model in (1, 2):
        put(tmp_path / "text" / f"model{model:03d}" / "WLconv_z1.00_0001r.fits", kappa(model))
    (tmp_path / "text" / "cosmological_parameters.txt").write_text("# index Omega_m\n1 0.3\n2 0.9\n")
    assert len(open_maps(tmp_path / "text", on_error="skip")) == 1
    assert len(open_maps(tmp_path / "text", ranges={"Omega_m": (0.1, 1.0)})) == 2


TABLES = {
    "byte-order mark": codecs.BOM_UTF8 + b"file,Omega_m\n0.fits,0.3\n1.fits,0.31\n",
    "semicolons": b"file;Omega_m\n0.fits;0.3\n1.fits;0.31\n",
    "commas for points": b"file;Omega_m\r\n0.fits;0,3\r\n1.fits;0,31\r\n",
    "tabs": b"file\tOmega_m\n0.fits\t0.3\n1.fits\t0.31\n",
    "remarks": b"# of our suite\n# made today\nfile,Omega_m\n0.fits,0.3\n# and\n1.fits,0.31\n",
    "header as a remark": b"# file,Omega_m\n0.fits,0.3\n1.fits,0.31\n",
    "spreadsheet's remark": b"sep=;\nfile;Omega_m\n0.fits;0.3\n1.fits;0.31\n",
    "two bytes a letter": "file,Omega_m\n0.fits,0.3\n1.fits,0.31\n".encode("utf-16"),
    "blanks": b"file , Omega_m\n0.fits , 0.3\n1.fits , 0.31\n",
    "name before file": b"name,file,Omega_m\nfirst,0.fits,0.3\nsecond,1.fits,0.31\n",
    "map before file": b"map,file,Omega_m\nkappa,0.fits,0.3\nkappa,1.fits,0.31\n",
    "a label of their own": b"run,realised_as,Omega_m\nA,0.fits,0.3\nB,1.fits,0.31\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_as_people_keep_them(tmp_path, kind):
    for k in range(2):
        put(tmp_path / f"{k}.fits", kappa(k))
    (tmp_path / "maps.csv").write_bytes(TABLES[kind])
    maps = open_maps(tmp_path)
    assert maps.table["file"].tolist() == ["0.fits", "1.fits"]
    np.testing.assert_array_equal(maps.parameters(["Omega_m"])[:, 0], [0.3, 0.31])


def test_a_table_that_is_not_used_is_told(tmp_path):
    put(tmp_path / "0.fits", kappa(0))
    table(tmp_path, ["A,0.3"], head="run,Omega_m", name="notes.csv")
    assert "notes.csv was not used: none of its columns (run, Omega_m) names files" in open_maps(tmp_path).account
    (tmp_path / "notes.csv").write_bytes(b"a,b\n1\n2,3,4\n")
    assert "notes.csv was not used: " in open_maps(tmp_path).account
    with pytest.raises(ValueError, match=r"notes\.csv was not used"):
        open_maps(tmp_path / "notes.csv")


def test_columns_can_be_told(tmp_path):
    for k in range(4):
        put(tmp_path / f"{k}.fits", kappa(k))
    table(tmp_path, ["0.fits,2.fits,0.3,0.2", "1.fits,3.fits,0.31,0.21"], head="file,other,Omega_m,matter")
    maps = open_maps(tmp_path, columns=["file=other", "Omega_m=matter"])
    assert maps.table["file"].tolist() == ["2.fits", "3.fits"]
    assert maps.parameters(["Omega_m"])[:, 0].tolist() == [0.2, 0.21]
    with pytest.raises(ValueError, match=r"has no column 'mater'; it has file, other, Omega_m, matter"):
        open_maps(tmp_path, columns={"Omega_m": "mater"})
    with pytest.raises(ValueError, match="'omega' is none of ours"):
        open_maps(tmp_path, columns={"omega": "matter"})
    with pytest.raises(ValueError, match="give names in their order, or all as OURS=THEIRS"):
        open_maps(tmp_path, columns=["file=other", "matter"])


def test_what_may_be_a_physical_density_is_not_guessed(tmp_path):
    assert parameter_name("omega_m") is None
    put(tmp_path / "0.fits", kappa(0))
    table(tmp_path, ["0.fits,0.14,0.7"], head="file,omega_m,h")
    with pytest.raises(
        ValueError, match=r"'omega_m' is Ω_m h² for CLASS, and Ω_m for others.*--columns Omega_m=omega_m"
    ):
        open_maps(tmp_path)
    maps = open_maps(tmp_path, columns={"Omega_m": "omega_m"})
    assert maps.parameters(["Omega_m", "h"]).tolist() == [[0.14, 0.7]]
    table(tmp_path, ["0.fits,0.14,0.3"], head="file,omega_m,Omega_m")
    assert open_maps(tmp_path).parameters(["Omega_m"]).tolist() == [[0.3]]


# --- headers and pixels -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"ITYPE": "PotentialPlane", "UNIT": "rad2"}, "it is no convergence map, but ITYPE = 'PotentialPlane'"),
        ({"ITYPE": "DensityPlane"}, "it is no convergence map, but ITYPE = 'DensityPlane'"),
        ({"UNIT": "rad2"}, "it is no convergence map, which has no unit: UNIT = 'rad2'"),
        ({"BUNIT": "K"}, "it is no convergence map, which has no unit: BUNIT = 'K'"),
        ({"ANGLE": 7.0}, r"wrong pixel scale: 52\.5 arcmin by ANGLE, where the others have 0\.5"),
        ({"OMEGA_M": 0.5}, r"its header has Omega_m = 0\.5, but names or table 0\.3"),
        ({"SIGMA8": 0.9}, r"its header has sigma8 = 0\.9, but names or table 0\.8"),
        ({"Z": 2.0}, "its header has the source redshift 2 "),
    ],
)
def test_no_header_is_contradicted(suite, cards, reason):
    """Neither the one that is asked when maps are listed, nor any other."""
    for realisation in (1, 3):
        put(file_of(suite, 1, realisation), kappa(1, realisation), **cards)
        with pytest.raises(BadMap, match=reason if "ANGLE" not in cards or realisation > 1 else "wrong pixel scale"):
            open_maps(suite).read()
        maps = open_maps(suite, on_error="skip")
        assert [file for file, _ in maps.skipped] == [str(file_of(suite, 1, realisation).relative_to(suite))]
        put(file_of(suite, 1, realisation), kappa(1, realisation))


def test_headers_that_round_and_words_of_convergence_are_no_contradiction(suite):
    put(file_of(suite, 1, 2), kappa(1, 2), OMEGA_M=0.3004, ITYPE="ConvergenceMap", BUNIT="kappa", Z=1.001)
    put(file_of(suite, 1, 3), kappa(1, 3), ITYPE="kappa", UNIT="")
    assert open_maps(suite).read().shape == (12, SIDE, SIDE)
    put(file_of(suite, 1, 3), kappa(1, 3), ITYPE="PotentialPlane", UNIT="rad2")
    for options in ({"itype": "PotentialPlane"}, {"itype": "any"}, {"headers": "ignore"}):
        assert open_maps(suite, **options).read().shape == (12, SIDE, SIDE)
    put(file_of(suite, 1, 3), kappa(1, 3), OMEGA_M=0.5)
    assert open_maps(suite, headers="ignore").parameters(["Omega_m"])[6, 0] == 0.3


def test_impossible_pixels_and_maps_of_one_value(suite):
    pixels = kappa(1, 2)
    pixels[3, 4] = 1e20
    put(file_of(suite, 1, 2), pixels)
    put(file_of(suite, 2, 2), np.zeros((SIDE, SIDE), np.float32))
    with pytest.raises(BadMap, match=r"1 of 64 pixels are no convergence \(one is 1e\+20\); give --training-mask"):
        open_maps(suite).read()
    maps = open_maps(suite, on_error="skip", constant=False)
    assert [reason.partition(":")[0] for _, reason in maps.skipped][1] == "all its pixels are 0"
    assert len(maps) == 10
    maps = open_maps(suite, invalid="mask")
    assert np.isnan(maps.read([5])).sum() == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_data_that_are_not_what_datasum_says(tmp_path, compressed):
    place = tmp_path / "a.fits"
    header = fits.Header({"ANGLE": 1.0})
    if compressed:
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(kappa(1, side=32), header)])
    else:
        hdus = fits.HDUList([fits.PrimaryHDU(kappa(1, side=32), header)])
    hdus.writeto(place, checksum=True)
    whole = read_map(place)[0]
    assert np.abs(whole - kappa(1, side=32)).max() < 0.01  # RICE quantises
    with fits.open(place) as read:
        start = read[-1].fileinfo()["datLoc"]
    content = bytearray(place.read_bytes())
    content[start + 300] ^= 1
    place.write_bytes(content)
    with pytest.raises(BadMap, match=r"a\.fits: damaged: its data .* DATASUM.*fetch it again"):
        read_map(place)
