"""Maps in files: every kind that is in use, read as astropy reads it; bad ones named."""

import gzip
import tarfile

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from awd_cosmo.formats.archives import BadMap, tar_members
from awd_cosmo.formats.fits import image, read_map
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.formats.headers import redshift_from_name
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel

SCALE = 3.5 * 60 / 512 * units.arcmin


@pytest.fixture
def kappa():
    return np.random.default_rng(0).normal(0, 0.02, (24, 24)).astype(np.float32)


def no_astropy(monkeypatch):
    def refuse(*_):
        raise AssertionError("this file should be read without astropy")

    monkeypatch.setattr("awd_cosmo.formats.fits._by_astropy", refuse)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "<f8"])
def test_a_primary_image_is_read_as_astropy_reads_it(tmp_path, kappa, dtype, monkeypatch):
    place = tmp_path / "a.fits"
    fits.PrimaryHDU(kappa.astype(dtype)).writeto(place)
    expected = fits.getdata(place)
    no_astropy(monkeypatch)
    found, header = read_map(place)
    assert found.dtype.isnative
    assert found.dtype.itemsize == expected.dtype.itemsize
    np.testing.assert_array_equal(found, expected)
    assert (header.hdu, header.shape) == (0, (24, 24))
    assert found.flags.writeable


def test_the_fast_parser_says_of_a_header_what_astropy_says(tmp_path, kappa, monkeypatch):
    header = fits.Header()
    header["ANGLE"] = (3.5, "Side / of it")
    header["TEXT"] = ("it's / so", "quotes")
    header["EMPTY"] = ""
    header["NOTHING"] = None
    header["SMALL"] = -1.25e-30
    header["LARGE"] = 10**15
    header["YES"] = True
    header["COMMENT"] = "END"
    header["HISTORY"] = "ANGLE = 4"
    for i in range(80):  # more than one block
        header[f"KEY{i}"] = i
    place = tmp_path / "a.fits"
    fits.PrimaryHDU(kappa, header).writeto(place)
    expected = fits.getheader(place)
    no_astropy(monkeypatch)
    pixels, cards, _ = image(place.read_bytes(), "a.fits")
    np.testing.assert_array_equal(pixels, kappa)
    for key in expected:
        if key not in ("COMMENT", "HISTORY", "NOTHING", ""):
            assert cards[key] == expected[key], key
            assert type(cards[key]) is type(expected[key]), key
    assert cards["NOTHING"] is None


def test_numbers_with_d_exponents_and_continued_strings(tmp_path, kappa):
    place = tmp_path / "a.fits"
    fits.PrimaryHDU(kappa, fits.Header({"ANGLE": 3.5, "LONG": "x" * 200})).writeto(place)
    content = place.read_bytes()
    card = f"{'ANGLE':8}= {'3.5D0':>20}".ljust(80).encode()
    at = content.index(b"ANGLE   =")
    place.write_bytes(content[:at] + card + content[at + 80 :])
    found, header = read_map(place)
    np.testing.assert_array_equal(found, kappa)
    assert header.arcmin_per_pixel == pytest.approx(3.5 * 60 / 24, rel=1e-15)


def test_images_behind_the_primary_hdu(tmp_path, kappa):
    place = tmp_path / "a.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(3.0))])
    second = fits.ImageHDU(2 * kappa.astype(np.float64), name="NOISY", header=fits.Header({"ANGLE": 2.0}))
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(kappa), second]).writeto(place)
    found, header = read_map(place)
    np.testing.assert_array_equal(found, kappa)
    assert header.hdu == 2
    for hdu in (3, "NOISY"):
        found, header = read_map(place, hdu=hdu)
        np.testing.assert_array_equal(found, 2 * kappa.astype(np.float64))
        assert header.hdu == 3
        assert header.arcmin_per_pixel == 5.0
    with pytest.raises(BadMap, match=r"a\.fits: unreadable: .*"):
        read_map(place, hdu=9)
    with pytest.raises(BadMap, match=r"HDU 1 holds no map"):
        read_map(place, hdu=1)


def test_compressed_files(tmp_path, kappa):
    plain, zipped, packed = (tmp_path / name for name in ("a.fits", "a.fits.gz", "a.fits.fz"))
    fits.PrimaryHDU(kappa).writeto(plain)
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(kappa, compression_type="GZIP_1", quantize_level=0)]).writeto(
        packed
    )
    for place, hdu in ((zipped, 0), (packed, 1)):
        found, header = read_map(place)
        np.testing.assert_array_equal(found, kappa)
        assert header.hdu == hdu
    lossy = tmp_path / "b.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(kappa, compression_type="RICE_1")]).writeto(lossy)
    np.testing.assert_array_equal(read_map(lossy)[0], fits.getdata(lossy))


def test_scaled_integers_and_their_blanks(tmp_path):
    whole = np.arange(16, dtype=np.int16).reshape(4, 4)
    place = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(whole)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.001, -0.005, 3
    hdu.writeto(place)
    # astropy drops the cards when it writes scaled data: put them back by hand
    content = bytearray(place.read_bytes())
    if b"BSCALE" not in content[:2880]:
        end = content.index(b"END" + b" " * 77)
        for i, (key, value) in enumerate((("BSCALE", 0.001), ("BZERO", -0.005), ("BLANK", 3))):
            content[end + 80 * i : end + 80 * (i + 1)] = f"{key:8}= {value:>20}".ljust(80).encode()
        content[end + 240 : end + 320] = b"END" + b" " * 77
        place.write_bytes(content)
    found, _ = read_map(place)
    expected = whole * 0.001 - 0.005
    expected[0, 3] = np.nan
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)  # float32 of numbers below 0.01
    assert np.isnan(found[0, 3])


def test_integers_are_floats_and_a_degenerate_axis_is_dropped(tmp_path, kappa):
    whole, cube = tmp_path / "a.fits", tmp_path / "b.fits"
    fits.PrimaryHDU(np.array([[0, 1], [1, 1]], np.int32)).writeto(whole)
    fits.PrimaryHDU(kappa[None]).writeto(cube)
    assert read_map(whole)[0].tolist() == [[0.0, 1.0], [1.0, 1.0]]
    np.testing.assert_array_equal(read_map(cube)[0], kappa)


def test_members_of_a_tar_are_read_in_place(tmp_path, kappa):
    archive = tmp_path / "convergence_gal_mnv0.00000_om0.30000_As2.1000.tar"
    for i in range(3):
        fits.PrimaryHDU(kappa + i).writeto(tmp_path / f"{i}.fits")
    with tarfile.open(archive, "w") as tar:
        for i in range(3):
            tar.add(tmp_path / f"{i}.fits", f"Maps10/WLconv_z1.00_{i:04d}r.fits")
        tar.add(tmp_path / "0.fits", "./readme.txt")
    members = tar_members(archive)
    assert len(members) == 3
    for i, member in enumerate(members):
        found, header = read_map(f"{archive}!{member}")
        np.testing.assert_array_equal(found, kappa + i)
        assert header.source_redshift == 1.0
    with pytest.raises(FileNotFoundError, match=r"no member 'Maps05/x.fits'; it has 3 maps"):
        read_map(f"{archive}!Maps05/x.fits")


def test_damaged_tars_are_named(tmp_path, kappa):
    fits.PrimaryHDU(kappa).writeto(tmp_path / "a.fits")
    archive, short, zipped = (tmp_path / name for name in ("a.tar", "short.tar", "zipped.tar"))
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "a.fits", "a.fits")
        tar.add(tmp_path / "a.fits", "b.fits")
    content = archive.read_bytes()
    short.write_bytes(content[:8000])
    zipped.write_bytes(gzip.compress(content))
    with pytest.raises(BadMap, match=r"short\.tar: the tar is truncated"):
        tar_members(short)
    with pytest.raises(BadMap, match=r"no tar, or a compressed one .*; unpack it"):
        tar_members(zipped)


@pytest.mark.parametrize("left", [0, 5, 2000, 2880, 5000])
@pytest.mark.parametrize("kind", ["primary", "extension", "gzip"])
def test_truncated_files_are_named(tmp_path, kappa, left, kind):
    place = tmp_path / "short.fits"
    hdus = [fits.PrimaryHDU(kappa)] if kind != "extension" else [fits.PrimaryHDU(), fits.ImageHDU(kappa)]
    fits.HDUList(hdus).writeto(place)
    whole = place.read_bytes()
    place.write_bytes(gzip.compress(whole)[: min(left, 1500)] if kind == "gzip" else whole[:left])
    with pytest.raises(BadMap, match=r"short\.fits: (truncated|unreadable|an empty file|no FITS file|none of its)"):
        read_map(place)


def test_what_is_no_fits_is_named(tmp_path):
    place = tmp_path / "page.fits"
    place.write_text("<html>not found</html>" * 500)
    with pytest.raises(BadMap, match=r"page\.fits: no FITS file \(it starts with b'<html>not'\)"):
        read_map(place)
    with pytest.raises(FileNotFoundError):
        read_map(tmp_path / "absent.fits")


def test_the_pixel_scale_and_where_it_comes_from(tmp_path, kappa):
    def scale(cards, shape=(24, 24), **options):
        place = tmp_path / "a.fits"
        fits.PrimaryHDU(np.zeros(shape, np.float32), fits.Header(cards)).writeto(place, overwrite=True)
        header = read_map(place, **options)[1]
        return header.arcmin_per_pixel, header.pixel_scale_source

    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    assert scale({"ANGLE": 3.5}) == (pytest.approx(8.75), "ANGLE")
    assert scale({"ANGLE": 3.5}, pixel_scale=0.4) == (0.4, "option")
    assert scale({**sky, "CDELT1": -0.01, "CDELT2": 0.01}) == (pytest.approx(0.6), "CDELT")
    assert scale({"CUNIT1": "arcsec", "CDELT1": 30.0, "CDELT2": 30.0}) == (pytest.approx(0.5), "CDELT")
    c, s = 0.01 * np.cos(0.3), 0.01 * np.sin(0.3)
    assert scale({**sky, "CD1_1": -c, "CD1_2": s, "CD2_1": s, "CD2_2": c}) == (pytest.approx(0.6), "CD")
    turned = {"PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c, "CDELT1": 1.0, "CDELT2": 1.0}
    assert scale({**sky, **turned}) == (pytest.approx(0.6), "CDELT")
    assert scale({"CDELT1": 1.0, "CDELT2": 1.0})[1] == ""  # a linear axis is no angle
    assert np.isnan(scale({"SIDE": 245.0})[0])
    assert scale({**sky, "ANGLE": 9.9, "CDELT1": 0.01, "CDELT2": 0.01}, shape=(10, 20)) == (pytest.approx(0.6), "CDELT")
    with pytest.raises(BadMap, match=r"ANGLE gives 8.75 arcmin per pixel, but CDELT 0.6; give --pixel-scale "):
        scale({**sky, "ANGLE": 3.5, "CDELT1": -0.01, "CDELT2": 0.01})
    with pytest.raises(BadMap, match=r"not square by CDELT: 0.6 × 1.2 arcmin"):
        scale({**sky, "CDELT1": -0.01, "CDELT2": 0.02})
    with pytest.raises(BadMap, match="side of a square map, but this one is 10 × 20"):
        scale({"ANGLE": 3.5}, shape=(10, 20))
    with pytest.raises(BadMap, match="ANGLE = -1 must be the side"):
        scale({"ANGLE": -1.0})


def test_pixel_scales_that_are_none():
    assert arcmin_per_pixel(0.5 * units.arcmin / units.pixel) == 0.5
    assert arcmin_per_pixel(0.5) == 0.5
    with pytest.raises(ValueError, match="is no angle"):
        arcmin_per_pixel(2 * units.Mpc)
    with pytest.raises(ValueError, match="must be positive"):
        arcmin_per_pixel(0)


def test_redshift_and_cosmology(tmp_path, kappa):
    place = tmp_path / "WLconv_z1.00_0001r.fits"
    fits.PrimaryHDU(
        kappa, fits.Header({"OMEGA_M": 0.26, "H0": 72.0, "H": 0.72, "W0": -1.0, "A_S": 2.1e-9, "Z": 2.0})
    ).writeto(place)
    header = read_map(place)[1]
    assert header.parameters == {"Omega_m": 0.26, "h": 0.72, "w": -1.0, "A_s": 2.1}
    assert (header.source_redshift, header.source_redshift_source) == (2.0, "Z")
    assert header.notes == ("source redshift 2 by Z, though the name says 1",)
    assert read_map(place, source_redshift=0.5)[1].source_redshift_source == "option"
    fits.PrimaryHDU(kappa, fits.Header({"OMEGA_M": 0.9})).writeto(place, overwrite=True)
    with pytest.raises(BadMap, match=r"its header: Omega_m = 0.9 is outside its plausible range"):
        read_map(place)


@pytest.mark.parametrize(
    ("name", "z"),
    [("Maps11000/WLconv_z1100.00_0001r.fits", 1100.0), ("a.tar!Maps05/WLconv_z0.50_0001r.fits", 0.5),
     ("convergence_z15.fit", 0.15), ("convergence_z150.fit", 1.5), ("z2.00.fits", 2.0)],
)  # fmt: skip
def test_redshifts_in_names(name, z):
    assert redshift_from_name(name)[0] == z


@pytest.mark.parametrize("name", ["maz10.fits", "map_0001.fits", "z1_folder/map.fits"])
def test_names_without_a_redshift(name):
    assert np.isnan(redshift_from_name(name)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["map.fits", "map.fits.gz"])
def test_what_is_written_is_read(tmp_path, kappa, dtype, name):
    place = tmp_path / name
    parameters = {"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1, "sigma8": 0.82, "h": 0.7, "n_s": 0.97, "w": -1.0}
    write_map(
        place,
        kappa.astype(dtype),
        pixel_scale=SCALE,
        source_redshift=1.5,
        parameters=parameters,
        extra={"SEED": (3, "of it")},
    )
    found, header = read_map(place)
    np.testing.assert_array_equal(found, kappa.astype(dtype))
    assert found.dtype == dtype
    assert header.parameters == parameters
    assert header.source_redshift == 1.5
    assert header.pixel_scale_source == "ANGLE"
    assert header.pixel_scale.to_value(units.arcmin / units.pixel) == pytest.approx(3.5 * 60 / 512, rel=1e-12)
    assert fits.getheader(place)["SEED"] == 3
    with fits.open(place) as hdus:
        hdus.verify("exception")


def test_the_written_wcs_is_a_square_of_the_sky(tmp_path, kappa):
    place = tmp_path / "map.fits"
    write_map(place, kappa, pixel_scale=SCALE)
    with fits.open(place) as hdus:
        wcs = WCS(hdus[0].header)
    lon, lat = wcs.pixel_to_world_values(11.5, 11.5)  # the centre, counted from 0
    assert (lon % 360) == pytest.approx(0, abs=1e-12)
    assert lat == pytest.approx(0, abs=1e-12)
    assert wcs.pixel_to_world_values(11.5, 12.5)[1] * 60 == pytest.approx(SCALE.value, rel=1e-6)  # up is north; TAN
    east = wcs.pixel_to_world_values(10.5, 11.5)[0]  # left is east
    assert east * 60 == pytest.approx(SCALE.value, rel=1e-6)


def test_a_written_map_that_is_not_square_has_a_wcs_alone(tmp_path):
    place = tmp_path / "map.fits"
    write_map(place, np.zeros((4, 6), np.float32), pixel_scale=0.5)
    assert "ANGLE" not in fits.getheader(place)
    assert read_map(place)[1].arcmin_per_pixel == pytest.approx(0.5, rel=1e-12)


def test_what_cannot_be_written_is_refused(tmp_path, kappa):
    place = tmp_path / "map.fits"
    write_map(place, kappa, pixel_scale=0.5)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        write_map(place, kappa, pixel_scale=0.5)
    write_map(place, 2 * kappa, pixel_scale=0.5, overwrite=True)
    np.testing.assert_array_equal(read_map(place)[0], 2 * kappa)
    with pytest.raises(TypeError, match="must be float32 or float64, got int64"):
        write_map(tmp_path / "a.fits", np.zeros((2, 2), np.int64), pixel_scale=0.5)
    with pytest.raises(ValueError, match=r"must have the shape \(ny, nx\), got \(1, 24, 24\)"):
        write_map(tmp_path / "a.fits", kappa[None], pixel_scale=0.5)
    with pytest.raises(ValueError, match="Omega_m = 3 is outside"):
        write_map(tmp_path / "a.fits", kappa, pixel_scale=0.5, parameters={"Omega_m": 3.0})
    assert [p.name for p in tmp_path.iterdir()] == ["map.fits"]


def test_every_real_map_is_read_as_astropy_reads_it(real_data):
    places = sorted((real_data / "cosmo").glob("*.fit"))
    assert len(places) == 10
    for place in places:
        found, header = read_map(place)
        np.testing.assert_array_equal(found, fits.getdata(place))
        assert header.pixel_scale_source == "ANGLE"
        assert header.arcmin_per_pixel * 512 / 60 == pytest.approx(3.5 if "conv" in place.name else 3.4641, abs=1e-5)
    assert read_map(real_data / "cosmo" / "convergence_z103.fit")[1].source_redshift == 1.03
