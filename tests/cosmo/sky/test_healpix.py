"""Maps in HEALPix' pixels: read in every layout, and cut into flat tiles that lie where their headers say."""

import json

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from awd_cosmo.app.main import app
from awd_cosmo.formats import read_map
from awd_cosmo.sky import HealpixMap, cut_tile, read_healpix, tile_centres, write_tiles

library = pytest.importorskip("astropy_healpix")
NSIDE = 64


def smooth(longitude, latitude):
    """A field without symmetry, of 0.1 and less."""
    a, d = np.radians(longitude), np.radians(latitude)
    return 0.05 * np.cos(d) * np.cos(a - 0.3) + 0.03 * np.sin(d) + 0.02 * np.cos(d) ** 2 * np.sin(2 * a)


def values(order="ring", nside=NSIDE):
    longitude, latitude = library.healpix_to_lonlat(np.arange(12 * nside**2), nside, order=order)
    return smooth(longitude.deg, latitude.deg)


def table(path, columns, **cards):
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def implicit(path, kappa, per_row=1024, **cards):
    rows = kappa.reshape(-1, per_row) if per_row > 1 else kappa
    code = f"{per_row}D" if per_row > 1 else "D"
    return table(
        path, [fits.Column("KAPPA", code, array=rows)],
        **{"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": NSIDE, "INDXSCHM": "IMPLICIT", **cards},
    )  # fmt: skip


def explicit(path, numbers, kappa, **cards):
    columns = [fits.Column("PIXEL", "J", array=numbers), fits.Column("SIGNAL", "E", array=kappa)]
    return table(
        path, columns,
        **{"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": NSIDE, "INDXSCHM": "EXPLICIT", **cards},
    )  # fmt: skip


@pytest.mark.parametrize("layout", ["rows of 1024", "a row each", "nested", "part", "part nested", "npy"])
def test_every_layout_gives_the_same_values_at_the_same_places(tmp_path, layout):
    file = tmp_path / "sky.fits"
    if layout == "npy":
        file = tmp_path / "sky.npy"
        np.save(file, values())
        sky = read_healpix(file, ordering="ring")
    elif "part" in layout:
        order = "nested" if "nested" in layout else "ring"
        numbers = np.random.default_rng(0).permutation(12 * NSIDE**2)
        sky = read_healpix(explicit(file, numbers, values(order)[numbers], ORDERING=order.upper()))
    elif layout == "nested":
        sky = read_healpix(implicit(file, values("nested"), ORDERING="NESTED"))
    else:
        sky = read_healpix(implicit(file, values(), 1 if "each" in layout else 1024))
    rng = np.random.default_rng(1)
    longitude, latitude = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    # A pixel of NSIDE 64 is 0.9 degrees wide; the field changes by less than 0.1 a radian.
    np.testing.assert_allclose(sky.at(longitude, latitude), smooth(longitude, latitude), atol=0.002)
    assert sky.observed == 1


def test_what_was_not_observed_is_nan(tmp_path):
    kappa = values()
    kappa[:7] = -1.6375e30
    kappa[7] = np.nan
    sky = read_healpix(implicit(tmp_path / "sky.fits", kappa))
    assert np.isnan(sky.values).sum() == 8
    part = read_healpix(explicit(tmp_path / "part.fits", [5, 9], [0.1, 0.2]))
    longitude, latitude = library.healpix_to_lonlat([5, 9, 100], NSIDE)
    np.testing.assert_allclose(part.at(longitude.deg, latitude.deg), [0.1, 0.2, np.nan], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: implicit(p, values(), ORDERING=""), "give --ordering ring or nested"),
        (lambda p: implicit(p, values()[: 10 * 1024]), "whole sky has 12 nside²"),
        (lambda p: implicit(p, values(), NSIDE=32), "NSIDE is 32, but"),
        (lambda p: explicit(p, [1, 1], [0.1, 0.2]), "pixel 1 is there twice"),
        (lambda p: explicit(p, [1, 12 * NSIDE**2], [0.1, 0.2]), "numbered 1 to"),
        (lambda p: explicit(p, [1, 2], [0.1, 0.2], NSIDE=48, ORDERING="NESTED"), "power of two"),
        (lambda p: implicit(p, values(), COORDSYS="X"), "COORDSYS"),
        (lambda p: fits.PrimaryHDU(np.zeros((4, 4))).writeto(p) or p, "holds no table"),
        (lambda p: p.write_bytes(b"no FITS file") and p, "no FITS file"),
    ],
)  # fmt: skip
def test_what_is_no_healpix_map_is_refused_by_name(tmp_path, make, message):
    with pytest.raises(ValueError, match=r"sky\.fits.*" + message):
        read_healpix(make(tmp_path / "sky.fits"))


@pytest.mark.parametrize("side", [5.0, 7.7, 20.0])
def test_tiles_nowhere_overlap(side):
    centres = tile_centres(side)
    rng = np.random.default_rng(2)
    point = rng.standard_normal((8000, 3))
    t = np.tan(np.radians(side / 2))
    inside = np.zeros(len(point), int)
    for longitude, latitude in np.radians(centres):
        middle = np.array(
            [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
        )
        east = np.array([-np.sin(longitude), np.cos(longitude), 0])
        along = point @ middle
        x, y = (point @ one / np.where(along > 0, along, np.nan) for one in (east, np.cross(middle, east)))
        inside += (np.abs(x) < t) & (np.abs(y) < t)
    assert inside.max() == 1
    assert inside.mean() > 0.65


@pytest.mark.parametrize("frame", ["C", "G"])
def test_a_tile_lies_where_its_header_says(tmp_path, frame):
    sky = HealpixMap(values("nested", 256), 256, "nested", frame=frame)
    told = write_tiles(sky, tmp_path, name="sky", side=12, pixel_scale=20, most=6, seed=3, source_redshift=1.0,
                       parameters={"Omega_m": 0.3})  # fmt: skip
    assert len(told.kept) == 6
    for tile in told.kept:
        kappa, header = read_map(tmp_path / tile.file)
        assert header.arcmin_per_pixel == pytest.approx(20)
        assert header.source_redshift == 1.0
        wcs = WCS(fits.getheader(tmp_path / tile.file))
        assert wcs.wcs.ctype[0] == ("RA---TAN" if frame == "C" else "GLON-TAN")
        rows, columns = np.indices(kappa.shape)
        longitude, latitude = wcs.pixel_to_world_values(columns, rows)
        # HEALPix pixels of 14 arcmin: a mean lies off its pixel's middle by less.
        np.testing.assert_allclose(kappa, smooth(longitude, latitude), atol=4e-4)


def test_the_mean_of_an_area_is_kept():
    sky = HealpixMap(np.random.default_rng(0).standard_normal(12 * 128**2), 128, "ring")
    fine = cut_tile(sky, 40.0, 30.0, pixels=96, pixel_scale=20)
    coarse = cut_tile(sky, 40.0, 30.0, pixels=24, pixel_scale=80)
    blocks = fine.reshape(24, 4, 24, 4).mean((1, 3))
    # The points of the two grids differ, and with them the weights of pixels that lie across an edge.
    assert np.std(coarse - blocks) < 0.25 * np.std(coarse)
    assert coarse.mean() == pytest.approx(blocks.mean(), abs=0.01)


def test_what_is_dropped_is_counted(tmp_path):
    _, latitude = library.healpix_to_lonlat(np.arange(12 * NSIDE**2), NSIDE)
    kappa = np.where(latitude.deg > 0, values(), np.nan)
    told = write_tiles(HealpixMap(kappa, NSIDE, "ring"), tmp_path, name="half", side=18)
    assert all(tile.latitude > 0 for tile in told.kept)
    assert len(told.kept) + told.masked == len(tile_centres(2 * np.degrees(np.arctan(told.pixels * np.radians(
        told.pixel_scale / 60) / 2))))  # fmt: skip
    assert 0.5 < told.covered < 1
    account = json.loads((tmp_path / "half_tiles.json").read_text())
    assert account["masked"] == told.masked
    assert len(account["kept"]) == len(list(tmp_path.glob("*.fits")))


def test_pixels_that_tell_nothing_new_are_refused():
    sky = HealpixMap(values(), NSIDE, "ring")
    with pytest.raises(ValueError, match=r"finer than the map.* give 27\.5 or more"):
        cut_tile(sky, 0, 0, pixels=32, pixel_scale=20)


def test_the_command_writes_tiles_that_can_be_read(tmp_path, capsys):
    file = implicit(tmp_path / "sky.fits", values(), COORDSYS="G")
    app(["tiles", str(file), "--out", str(tmp_path / "tiles"), "--side", "18", "--most", "3", "--seed", "1",
         "--parameters", "Omega_m=0.3,sigma8=0.8", "--source-redshift", "1"])  # fmt: skip
    assert "sky.fits: 3 tiles of 20 × 20 pixels" in capsys.readouterr().out
    again = tmp_path / "again"
    app(["tiles", str(file), "--out", str(again), "--side", "18", "--most", "3", "--seed", "1", "--quiet"])
    assert sorted(f.name for f in again.iterdir()) == sorted(f.name for f in (tmp_path / "tiles").iterdir())
    assert units.Quantity(fits.getheader(next(again.glob("*.fits")))["CDELT2"], "deg") > 0
