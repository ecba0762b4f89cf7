"""The command `awd-cosmo tiles`. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated, Literal

from awd_core.run import ARGUMENTS, AtLeast, Overwrite, Quiet, Typed, echo


def tiles(
    maps: Annotated[list[Path], ARGUMENTS, Typed("MAPS…"), "FITS tables, or .npy of 12 nside² numbers."],
    out: Annotated[Path, Typed("DIR"), "Folder of the tiles."],
    side: Annotated[float, Typed("DEGREES"), "Of a tile."] = 5.0,
    pixel_scale: Annotated[float | None, Typed("ARCMIN"), "Of tiles; that of HEALPix' pixels, if not given."] = None,
    least_observed: Annotated[float, "Share of a tile that must have been observed."] = 0.8,
    most: Annotated[int | None, AtLeast(1), "So many tiles of each map, drawn by --seed."] = None,
    seed: Annotated[int, AtLeast(0), "Of that draw."] = 0,
    ordering: Annotated[Literal["ring", "nested"] | None, "If headers do not tell it."] = None,
    column: Annotated[str | None, "Of the convergence, where a table has several."] = None,
    hdu: Annotated[str | None, "Of the table, number or name; the first, if not given."] = None,
    source_redshift: Annotated[float | None, "Written to the tiles' headers."] = None,
    parameters: Annotated[str | None, Typed("NAME=VALUE,…"), "Of the cosmology, written to headers."] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Cut maps in HEALPix' pixels into flat FITS tiles, with position, scale and parameters in their headers."""
    from awd_core.run import Screen
    from awd_cosmo.sky.healpix import read_healpix
    from awd_cosmo.sky.tiles import write_tiles

    if not 0 <= least_observed <= 1:
        raise ValueError(f"--least-observed is {least_observed:g}; give a share, 0 to 1")
    names = [file.name.split(".")[0] for file in maps]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"several maps are named {twice[0]}, and so would their tiles be; cut them into several folders"
        )
    values = _parameters(parameters)
    number = int(hdu) if hdu is not None and hdu.isdecimal() else hdu
    for file, name in zip(maps, names, strict=True):
        sky = read_healpix(file, ordering=ordering, column=column, hdu=number)
        with Screen(quiet=quiet).task(name) as show:
            told = write_tiles(
                sky, out, name=name, side=side, pixel_scale=pixel_scale, least_observed=least_observed, most=most,
                seed=seed, source_redshift=source_redshift, parameters=values, overwrite=overwrite,
                progress=lambda done, total: show(done, total, ""),
            )  # fmt: skip
        if not quiet:
            drawn = f", {told.not_drawn} not drawn" if most is not None else ""
            echo(
                f"{file.name}: {len(told.kept)} tiles of {told.pixels} × {told.pixels} pixels of "
                f"{told.pixel_scale:.3g} arcmin, {told.covered:.0%} of what was observed; {told.masked} left out, "
                f"observed to less than {least_observed:.0%}{drawn}. Account: {out / (name + '_tiles.json')}"
            )


def _parameters(text: str | None) -> dict[str, float]:
    found = {}
    for part in text.split(",") if text else ():
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ValueError(
                f"--parameters is {text!r}; give NAME=VALUE, several with commas, such as Omega_m=0.3,sigma8=0.8"
            ) from None
    return found
