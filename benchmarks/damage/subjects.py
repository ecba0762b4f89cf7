"""The formats that are read: a sound file of each, and the reader; of real values where the real data are there."""

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("AWD_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
Texts = list[str]


@dataclass(frozen=True)
class Reading:
    """What came of a file: a digest of the values, and all that was said of them."""

    values: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A format.

    Attributes
    ----------
    name : str
        Of the format.
    make : callable
        Writes the sound file, or files, into a folder, and says which files are damaged, each with its family.
    read : callable
        Given the folder, reads what lies there.
    """

    name: str
    make: Callable[[Path], dict[str, str]]
    read: Callable[[Path], Reading]


def reading(*values: Any, words: Sequence[str] = ()) -> Reading:
    """A reading of arrays, tables and anything that has a `repr`."""
    found = hashlib.sha256()
    for value in values:
        if hasattr(value, "to_csv"):
            found.update(value.to_csv(index=False).encode())
        elif isinstance(value, np.ndarray) or hasattr(value, "__array__"):
            array = np.ascontiguousarray(value)
            found.update(f"{array.dtype.newbyteorder('=').str} {array.shape}".encode())
            found.update(array.astype(array.dtype.newbyteorder("=")).tobytes())
        else:
            found.update(repr(value).encode(errors="surrogatepass"))
    return Reading(found.hexdigest(), tuple(words))


def _doubts(lines: Iterable[str]) -> Texts:
    """Of an account the lines that would make a reader look: not those that only say what was recognised."""
    return [
        line
        for line in lines
        if re.search(r"left out|not used|no labels|not known|unknown|lacks?|taken|default|:  ", line)
    ]


# --- Values -----------------------------------------------------------------------------------------------------------


def _kappa(side: int = 48, count: int = 1) -> Any:
    place = DATA / "cosmo" / "convergence_z103.fit"
    if place.exists():
        from astropy.io import fits

        with fits.open(place) as held:
            image = np.asarray(held[0].data, np.float32)
    else:
        image = np.random.default_rng(0).normal(0, 0.02, (512, 512)).astype(np.float32)
    return np.stack([image[k * side : (k + 1) * side, :side] for k in range(count)])


def _frames() -> Any:
    return np.random.default_rng(0).poisson(100, (3, 2, 16, 20)).astype(np.uint16)


def _real(name: str, made_up: str) -> bytes:
    place = DATA / "cme" / name
    return place.read_bytes() if place.exists() else made_up.encode()


# --- Maps -------------------------------------------------------------------------------------------------------------


def _fits(ending: str, family: str, **options: Any) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        from astropy.io import fits

        header = fits.Header([("ANGLE", 3.5, "[deg]"), ("Z", 1.03), ("OMEGA_M", 0.3), ("CTYPE1", "RA---TAN")])
        image = _kappa()[0]
        hdu = fits.CompImageHDU(image, header, **options) if options.get("compression_type") else None
        hdus = fits.HDUList([fits.PrimaryHDU(), hdu] if hdu is not None else [fits.PrimaryHDU(image, header)])
        out = io.BytesIO()
        hdus.writeto(out, checksum="sum" in ending)
        name = "map.fits.gz" if family.startswith("gzip") else "map.fits"
        content = gzip.compress(out.getvalue(), 6, mtime=0) if name.endswith("gz") else out.getvalue()
        (folder / name).write_bytes(content)
        return {name: family}

    return make


def _read_fits(folder: Path) -> Reading:
    from awd_cosmo.formats import read_map

    file = next(folder.iterdir())
    kappa, header = read_map(file)
    said = header.arcmin_per_pixel, header.source_redshift, header.parameters
    return reading(kappa, said, words=header.notes)


def _suite(table: str) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        from astropy.table import Table

        from awd_cosmo.formats import write_map

        if table == "tar":
            with tarfile.open(
                folder / "convergence_gal_mnv0.10000_om0.30000_As2.1000.tar", "w", format=tarfile.USTAR_FORMAT
            ) as archive:
                for k, kappa in enumerate(_kappa(16, 3)):
                    write_map(folder / "one.fits", kappa, pixel_scale=0.4, overwrite=True)
                    member = archive.gettarinfo(folder / "one.fits", f"Maps10/WLconv_z1.00_{k + 1:04d}r.fits")
                    member.mtime, member.uname, member.gname = 0, "", ""
                    with (folder / "one.fits").open("rb") as file:
                        archive.addfile(member, file)
            (folder / "one.fits").unlink()
            return {"convergence_gal_mnv0.10000_om0.30000_As2.1000.tar": "tar"}
        inside = "model{:03d}/WLconv_z1.00_{:04d}r.fits" if table == "txt" else "map{}_{}.fits"
        rows = []
        for k, kappa in enumerate(_kappa(16, 3)):
            place = folder / inside.format(k + 1, 1)
            place.parent.mkdir(exist_ok=True)
            write_map(place, kappa, pixel_scale=0.4, source_redshift=1.0)
            rows.append((place.name, 0.25 + 0.05 * k, 0.8 + 0.01 * k))
        if table == "txt":
            lines = [f"{k + 1} {om} {s8}" for k, (_, om, s8) in enumerate(rows)]
            (folder / "cosmological_parameters.txt").write_text("\n".join(["# index Omega_m sigma8", *lines, ""]))
            return {"cosmological_parameters.txt": "text"}
        held = Table(rows=rows, names=["file", "Omega_m", "sigma8"])
        kinds = {"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits"}
        held.write(folder / f"table.{table}", format=kinds[table])
        return {f"table.{table}": "fits" if table == "fits" else "text"}

    return make


def _read_suite(folder: Path) -> Reading:
    from awd_cosmo.maps.open import open_maps

    place = folder / "table.fits" if (folder / "table.fits").exists() else folder
    maps = open_maps(place, pixel_scale=0.4, threads=1)
    names = [name for name in maps.table.colnames if name not in ("cosmology",)]
    columns = [np.asarray(maps.table[name]).tolist() for name in names]
    return reading(maps.read(), names, columns, words=_doubts(maps.account.splitlines()))


def _stack(ending: str) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        kappa = _kappa(16, 4).astype(np.float16)
        label = np.array([[0.3 + 0.01 * k, 0.8, 7.7, 0.01, 0.0] for k in range(4)])
        if ending == "npy":
            np.save(folder / "kappa_2arcmin.npy", kappa)
            np.save(folder / "label.npy", label)
            return {"kappa_2arcmin.npy": "npy", "label.npy": "npy"}
        if ending == "npz":
            np.savez(folder / "kappa_2arcmin.npz", kappa=kappa, Omega_m=label[:, 0])
            return {"kappa_2arcmin.npz": "zip+any"}
        if ending == "h5":
            import h5py

            with h5py.File(folder / "kappa_2arcmin.h5", "w") as file:
                file["kappa"], file["Omega_m"] = kappa, label[:, 0]
                file.create_dataset("packed", data=kappa[:, 0], compression="gzip")
            return {"kappa_2arcmin.h5": "hdf5"}
        import zarr

        group = zarr.create_group(folder / "kappa_2arcmin.zarr")
        group.create_array("kappa", data=kappa)
        group.create_array("Omega_m", data=label[:, 0])
        return _of_store(folder / "kappa_2arcmin.zarr")

    return make


def _of_store(store: Path, family: str = "chunk") -> dict[str, str]:
    files = sorted(str(file.relative_to(store.parent)) for file in store.rglob("*") if file.is_file())
    return {name: "text" if name.endswith("json") or "/.z" in name else family for name in files}


def _read_stack(folder: Path) -> Reading:
    from awd_cosmo.maps.open import open_maps

    file = next((file for file in sorted(folder.iterdir()) if "kappa" in file.name), folder)
    maps = open_maps(
        file,
        source_redshift=1.0,
        threads=1,
        columns=["Omega_m", "S8", "-", "-", "-"] if file.suffix == ".npy" else None,
    )
    names = [name for name in maps.table.colnames if name not in ("cosmology",)]
    return reading(
        maps.read(),
        names,
        [np.asarray(maps.table[n]).tolist() for n in names],
        words=_doubts(maps.account.splitlines()),
    )


def _cache(folder: Path) -> dict[str, str]:
    _cached(folder)
    (store,) = (item for item in (folder / "cache").iterdir() if item.is_dir())
    return {f"cache/{name}": family for name, family in _of_store(store, "guarded").items()}


def _cached(folder: Path) -> Reading:
    from awd_cosmo.maps.map_set import MapSet

    maps = MapSet.from_arrays(_kappa(16, 4), pixel_scale=0.4, parameters={"Omega_m": [0.3] * 4})
    return reading(maps.cached(folder / "cache", intact=True).read())


def _mask(folder: Path) -> dict[str, str]:
    np.save(folder / "mask.npy", _kappa(24)[0] > 0)
    return {"mask.npy": "npy"}


def _read_mask(folder: Path) -> Reading:
    from awd_cosmo.maps.masks import read_any_mask

    return reading(read_any_mask(folder / "mask.npy"))


def _cosmo_model(folder: Path) -> dict[str, str]:
    from awd_cosmo.inference.estimators import CountRidge
    from awd_cosmo.inference.model import Model
    from awd_cosmo.inference.training_range import TrainingDistribution
    from awd_cosmo.statistics.counts import PeakCounts

    omega = np.repeat([0.25, 0.3, 0.35], 6)
    maps = (np.random.default_rng(0).normal(0, 1, (18, 16, 16)) * omega[:, None, None]).astype(np.float32)
    counts = PeakCounts("db2", range="normal", bins=3).fit(maps)
    X = counts.transform(maps)
    Model(
        parameters=["Omega_m"], pixel_scale=0.5, shape=(16, 16), statistics=[counts],
        regressor=CountRidge().fit(X, omega), training=TrainingDistribution.from_features(X), provenance={"seed": 0},
    ).save(folder / "model.json")  # fmt: skip
    return {"model.json": "text"}


def _read_cosmo_model(folder: Path) -> Reading:
    from awd_cosmo.inference.model import Model

    model = Model.load(folder / "model.json")
    maps = np.random.default_rng(1).normal(0, 0.3, (2, 16, 16)).astype(np.float32)
    return reading(model.to_dict(), model.predict(maps))


# --- Arrays, weights, records -----------------------------------------------------------------------------------------


def _array(ending: str) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        X = _kappa(8, 5).reshape(5, 64)[:, :12].astype(np.float64).round(5)
        if ending in ("csv", "parquet"):
            import pandas as pd

            table = pd.DataFrame(X, columns=[f"a{k}" for k in range(12)])
            if ending == "csv":
                table.to_csv(folder / "X.csv", index=False)
                return {"X.csv": "text"}
            table.to_parquet(folder / "X.parquet")
            return {"X.parquet": "parquet"}
        if ending == "npy":
            np.save(folder / "X.npy", X)
            return {"X.npy": "npy"}
        if ending == "npz":
            np.savez_compressed(folder / "X.npz", X=X)
            return {"X.npz": "zip+any"}
        import zarr

        form = 2 if ending == "zarr2" else 3
        if ending == "zarr.zip":
            with zarr.storage.ZipStore(folder / "X.zarr.zip", mode="w") as store:
                zarr.create_array(store, data=X, chunks=(2, 12))
            return {"X.zarr.zip": "zip+any"}
        zarr.create_array(folder / "X.zarr", data=X, chunks=(2, 12), zarr_format=form)
        return _of_store(folder / "X.zarr")

    return make


def _read_array(folder: Path) -> Reading:
    from awd_core.files import read_array

    values = np.asarray(read_array(next(folder.iterdir()))[:])
    # Missing values are NaN, which all that works with samples refuses or counts.
    return reading(values, words=["values that are not there"] if np.isnan(values).any() else [])


def _weights(bare: bool) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        from safetensors.torch import save_file

        from awd_core.teacher import MLP
        from awd_core.teacher.weights import save_tensors

        state = {name: value * 0 + 0.5 for name, value in MLP(3, hidden=(4,)).state_dict().items()}
        if bare:
            save_file(state, folder / "net.safetensors")
            return {"net.safetensors": "safetensors"}
        save_tensors(folder / "net.safetensors", state, {"n_in": 3}, "teacher")
        return {"net.safetensors": "guarded+safetensors"}

    return make


def _read_weights(bare: bool) -> Callable[[Path], Reading]:
    def read(folder: Path) -> Reading:
        from awd_core.teacher import load_module
        from awd_core.teacher.weights import load_tensors

        file = folder / "net.safetensors"
        if bare:
            state = load_module("awd_core.teacher:MLP", weights=file, n_in=3, hidden=(4,)).state_dict()
            return reading(*(state[name].numpy() for name in sorted(state)))
        tensors, document = load_tensors(file, "teacher")
        return reading(document, *(tensors[name].numpy() for name in sorted(tensors)))

    return read


def _store(folder: Path) -> dict[str, str]:
    _read_store(folder)
    return _of_store(folder / "gradients.zarr", "guarded")


def _read_store(folder: Path) -> Reading:
    """Gone on with: blocks that are not whole are made again."""
    from awd_core.files import BlockStore, Kind

    values = _kappa(8, 4)
    kind = Kind("gradients", "job", "input_gradients")
    store = BlockStore(folder / "gradients.zarr", kind, {"seed": 0}, values.shape, values.dtype, 2)
    for block in range(2):
        if not store.is_done(block):
            store.write(block, values[2 * block : 2 * block + 2])
    return reading(np.asarray(store.array[:]))


def _wavelet(folder: Path) -> dict[str, str]:
    from awd_core import Wavelet

    Wavelet.from_name("db3").with_metadata({"made": {"by": "hand", "share": 0.5}}).save(folder / "wavelet.json")
    return {"wavelet.json": "text"}


def _read_wavelet(folder: Path) -> Reading:
    from awd_core import Wavelet

    wavelet = Wavelet.load(folder / "wavelet.json")
    return reading(wavelet.taps, wavelet.name, wavelet.metadata)


def _path(folder: Path) -> dict[str, str]:
    import torch

    from awd_core import SearchSettings, distill_path
    from awd_core.distill.path_file import save_path

    X = torch.tensor(_kappa(16, 4).reshape(4, 256)[:, :32])
    path = distill_path(X, X, levels=1, wavelet="db2", shares=(0.0, 1.0), search=SearchSettings(random_starts=0))
    save_path(path, folder / "path.json")
    return {"path.json": "text"}


def _read_path(folder: Path) -> Reading:
    from awd_core.distill.path_file import load_path, to_json

    return reading(to_json(load_path(folder / "path.json")))


def _readable(folder: Path) -> dict[str, str]:
    from awd_core import readable_model

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 16))
    with warnings.catch_warnings(action="ignore"):
        made = readable_model(X, X[:, 3] + 0.1 * rng.normal(size=80), numbers=2, levels=2, wavelet="db1")
    made.model.save(folder / "model.json")
    return {"model.json": "text"}


def _read_readable(folder: Path) -> Reading:
    from awd_core import ReadableModel

    model = ReadableModel.load(folder / "model.json")
    return reading(json.dumps(model.to_dict(), sort_keys=True), model.predict(np.ones((2, 16))), str(model))


def _run(folder: Path) -> dict[str, str]:
    _read_run(folder)
    return {"run/config.json": "text", "run/sessions.json": "text"}


def _read_run(folder: Path) -> Reading:
    from awd_core.run import RunFolder

    with RunFolder.open(folder / "run", program="demo", settings={"seed": 0}, artefacts=["n.json"], quiet=True) as run:
        with run.step("count"):
            run.write_json("n.json", 1)
        return reading(run.config["settings"], (run / "n.json").read_text())


# --- Movies and tracks ------------------------------------------------------------------------------------------------


def _movie(kind: str) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        import tifffile

        from awd_cme import write_movie

        frames, file = _frames(), folder / "cell_2s.tif"
        if kind in ("ome", "imagej", "plain"):
            write_movie(file, frames, kind=kind)
        elif kind == "big":
            tifffile.imwrite(file, frames, bigtiff=True, metadata=None, photometric="minisblack", byteorder=">")
        elif kind == "packed":
            write_movie(file, frames, compression="zlib")
        elif kind == "tiles":
            tifffile.imwrite(
                file, np.tile(frames[:, 0], (1, 2, 2)), tile=(16, 16), metadata=None, photometric="minisblack"
            )
        elif kind == "nd":
            for c, name in enumerate(("GFP", "RFP"), 1):
                tifffile.imwrite(folder / f"cell_w{c}{name}.tif", frames[:, c - 1], photometric="minisblack")
            lines = ['"NDInfoFile", Version 1.0', '"DoTimelapse", TRUE', '"NTimePoints", 3', '"DoStage", FALSE',
                     '"DoWave", TRUE', '"NWavelengths", 2', '"WaveName1", "GFP"', '"WaveName2", "RFP"',
                     '"EndFile"']  # fmt: skip
            (folder / "cell.nd").write_text("\n".join(lines))
            return {"cell.nd": "latin"}
        elif kind == "zarr":
            import zarr

            group = zarr.create_group(folder / "cell.zarr")
            group.create_array("0", data=frames, chunks=(1, 1, 16, 20))
            axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"},
                    *({"name": a, "type": "space", "unit": "micrometer"} for a in "yx")]  # fmt: skip
            scale = {"type": "scale", "scale": [2.0, 1.0, 0.1, 0.1]}
            levels = [{"path": "0", "coordinateTransformations": [scale]}]
            omero = {"channels": [{"label": "GFP"}, {"label": "RFP"}]}
            group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}], "omero": omero}
            return _of_store(folder / "cell.zarr")
        return {file.name: "tiff"}

    return make


def _read_movie(folder: Path) -> Reading:
    from awd_cme import open_movie

    first = next((file for file in folder.iterdir() if file.suffix == ".nd"), None)
    movie = open_movie(first or next(folder.iterdir()))
    said = movie.channels, movie.seconds_per_frame, movie.micrometres_per_pixel
    return reading(np.stack(list(movie)), said, words=_doubts(movie.origin.values()))


_TRACKPY = "frame,particle,y,x,mass\n" + "".join(
    f"{f},{p},{10 * p + f}.25,{20 + f}.5,{100 + f}\n" for p in (1, 2) for f in range(6)
)


def _tracks(kind: str) -> Callable[[Path], dict[str, str]]:
    def make(folder: Path) -> dict[str, str]:
        if kind in ("mat5", "mat73", "yeast"):
            return _matlab(folder, kind)
        if kind == "trackmate-xml":
            made_up = '<TrackMate version="7"><Model/></TrackMate>'
            (folder / "cell.xml").write_bytes(_real("trackmate/FakeTracks.xml", made_up))
            return {"cell.xml": "text"}
        if kind == "links":
            for end in ("spots", "edges"):
                place = f"trackmate/trackmate_tracks_with_gap_closing_{end}.csv"
                other = "id,frame,position_x,position_y\n1,0,2.5,2.5\n2,1,3.5,2.5\n" if end == "spots" else (
                    "spot_source_id,spot_target_id,track_id\n1,2,0\n")  # fmt: skip
                (folder / f"cell_{end}.csv").write_bytes(_real(place, other))
            return {"cell_edges.csv": "text", "cell_spots.csv": "text"}
        if kind == "cmeanalysis-csv":
            made_up = "trackId,length,t,f,x,y,A,c\n" + "".join(
                f"1,5,{k},{k + 1},{k}.5,2.5,80.5,107.1\n" for k in range(5)
            )
            held = b"".join(_real("processedTracks.csv", made_up).splitlines(keepends=True)[:200])
            (folder / "cell.csv").write_bytes(held)
            return {"cell.csv": "text"}
        if kind == "napari":
            (folder / "cell.csv").write_text("".join(f"{p},{f},{10 * p}.25,{f}.5\n" for p in (1, 2) for f in range(6)))
            return {"cell.csv": "text"}
        if kind == "trackpy":
            (folder / "cell.csv").write_text(_TRACKPY)
            return {"cell.csv": "text"}
        if kind == "gzip":
            (folder / "cell.csv.gz").write_bytes(gzip.compress(_TRACKPY.encode(), mtime=0))
            return {"cell.csv.gz": "gzip+text"}
        if kind == "xlsx":
            _workbook(folder / "cell.xlsx", [row.split(",") for row in _TRACKPY.split()])
            return {"cell.xlsx": "zip+any"}
        from awd_cme import make_table, write_csv, write_parquet

        table = make_table(track=[1, 1, 1, 2, 2], frame=[0, 1, 2, 4, 5], y=[2.0, 2.5, 3, 7, 8], x=[3.0, 3.5, 4, 1, 2])
        if kind == "awd-csv":
            write_csv(table, folder / "cell.csv")
            return {"cell.csv": "text"}
        write_parquet(table, folder / "cell.parquet")
        return {"cell.parquet": "summed-parquet"}

    return make


def _matlab(folder: Path, kind: str) -> dict[str, str]:
    from scipy.io import loadmat, savemat

    name = "goodTrackData" if kind == "yeast" else "tracks"
    place = DATA / "cme" / "yeast" / "Sla1-GFP_Abp1-RFP.mat"
    if kind == "yeast" and place.exists():
        held = loadmat(place, variable_names=[name])[name].ravel(order="F")[:3]
    elif kind == "yeast":
        fields = {"tp_prev_all": 1, "tp_post_all": 6, "ref_tp_first": 2, "ref_tp_last": 5}
        series = ("ref_intensity", "cor_intensity", "ref_intensity_bg_corrected", "cor_intensity_bg_corrected")
        held = np.empty(2, [(n, object) for n in (*fields, *series, "ref_coord_extrapol", "ref_coord")])
        for row in held:
            for n, v in fields.items():
                row[n] = np.array([[float(v)]])
            for n in series:
                row[n] = np.arange(6.0)[:, None]
            row["ref_coord_extrapol"], row["ref_coord"] = np.ones((6, 2)), np.ones((4, 2))
    else:
        held = np.empty(3, [(n, object) for n in ("f", "x", "y", "A", "c", "lifetime_s", "start", "end", "catIdx")])
        rng = np.random.default_rng(0)
        for k, row in enumerate(held):
            size = 5 + k
            row["f"] = np.arange(1.0, size + 1)[None]
            for n in ("x", "y", "A", "c"):
                row[n] = rng.uniform(1, 90, (2, size)).round(3)
            for n, v in (("lifetime_s", 2.0 * size), ("start", 1.0), ("end", float(size)), ("catIdx", 1.0)):
                row[n] = np.array([[v]])
    if kind != "mat73":
        file = "Sla1-GFP_Abp1-RFP.mat" if kind == "yeast" else "ProcessedTracks.mat"
        savemat(folder / file, {name: held[None]}, do_compression=True)
        return {file: "mat5+mat5"}
    import h5py

    with h5py.File(folder / "ProcessedTracks.mat", "w", libver="earliest", userblock_size=512) as file:
        heap, group = file.create_group("#refs#"), file.create_group("tracks")
        for field in held.dtype.names:
            refs = np.empty((len(held), 1), h5py.ref_dtype)
            refs[:, 0] = [heap.create_dataset(f"{field}{k}", data=row[field].T).ref for k, row in enumerate(held)]
            group.create_dataset(field, data=refs)
    with (folder / "ProcessedTracks.mat").open("r+b") as out:
        out.write(b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM")
    return {"ProcessedTracks.mat": "hdf5"}


def _workbook(path: Path, rows: list[list[str]]) -> None:
    import zipfile

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    doc = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    shared = "".join(f"<si><t>{text}</t></si>" for text in rows[0])
    head = "".join(f'<c t="s"><v>{k}</v></c>' for k in range(len(rows[0])))
    cells = [head, *("".join(f"<c><v>{value}</v></c>" for value in row) for row in rows[1:])]
    lines = [f"<row>{row}</row>" for row in cells]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        place = '<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        sheet = '<sheet name="tracks" sheetId="1" r:id="rId1"/>'
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{doc}"><sheets>{sheet}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}">{place}</Relationships>',
        )
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{shared}</sst>')
        archive.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
        )


def _read_tracks(folder: Path) -> Reading:
    from awd_cme import read_tracks

    file = next(iter(sorted(folder.iterdir())))
    with suppress(StopIteration):
        file = next(one for one in folder.iterdir() if "edges" in one.name)
    told = {"micrometres_per_pixel": 0.1} if file.suffix == ".xml" or "cell_" in file.name else {}
    table, report = read_tracks(file, **told)
    words = [*map(str, report.dropped), *report.assumed, *report.doubts]
    return reading(table.drop(columns="source"), words=words)


def _card(folder: Path) -> dict[str, str]:
    from awd_cme import MaxCoefficients, ModelCard, SeriesRidge, fit_z_scores
    from awd_cme.series.series_set import example_set

    raw = example_set(n=60, cells=2)
    scores = fit_z_scores(raw, inputs="training")
    series = scores.apply(raw)
    features = MaxCoefficients("db2", seconds_per_sample=1.0, most=2).fit(series.X)
    predictor = SeriesRidge().fit(features.transform(series.X), series.y, groups=series.groups())
    ModelCard.of(features, predictor, raw, scores).save(folder / "card.json")
    return {"card.json": "text"}


def _read_card(folder: Path) -> Reading:
    from awd_cme import ModelCard
    from awd_cme.series.series_set import example_set

    card = ModelCard.load(folder / "card.json")
    return reading(card.to_dict(), card.predict(example_set(n=60, cells=2).X[:2]))


def _series(folder: Path) -> dict[str, str]:
    from awd_cme.series.series_file import save_series
    from awd_cme.series.series_set import example_set

    save_series(example_set(n=6, cells=2), folder / "series.npz")
    return {"series.npz": "zip+any", "series.json": "text"}


def _read_series(folder: Path) -> Reading:
    from awd_cme.series.series_file import load_series

    held = load_series(folder / "series.npz")
    return reading(held.X, held.y, held.cell.tolist(), held.channels, held.settings, held.losses)


SUBJECTS = {
    one.name: one
    for one in (
        Subject("fits", _fits(".fits", "fits"), _read_fits),
        Subject("fits with sums", _fits("sum.fits", "fits"), _read_fits),
        Subject("fits.gz", _fits(".gz", "gzip+fits"), _read_fits),
        Subject("fits RICE", _fits(".fits", "fits", compression_type="RICE_1"), _read_fits),
        *(Subject(f"maps {kind}", _suite(kind), _read_suite) for kind in ("tar", "csv", "ecsv", "fits", "txt")),
        *(Subject(f"stack {kind}", _stack(kind), _read_stack) for kind in ("npy", "npz", "h5", "zarr")),
        Subject("mask", _mask, _read_mask),
        Subject("map cache", _cache, _cached),
        Subject("map model", _cosmo_model, _read_cosmo_model),
        *(Subject(k, _array(k), _read_array) for k in ("npy", "npz", "zarr", "zarr2", "zarr.zip", "csv", "parquet")),
        Subject("safetensors", _weights(bare=False), _read_weights(bare=False)),
        Subject("bare safetensors", _weights(bare=True), _read_weights(bare=True)),
        Subject("store", _store, _read_store),
        Subject("wavelet", _wavelet, _read_wavelet),
        Subject("path", _path, _read_path),
        Subject("model", _readable, _read_readable),
        Subject("run folder", _run, _read_run),
        *(
            Subject(f"movie {kind}", _movie(kind), _read_movie)
            for kind in ("ome", "imagej", "plain", "big", "packed", "tiles", "nd", "zarr")
        ),
        *(
            Subject(f"tracks {kind}", _tracks(kind), _read_tracks)
            for kind in ("mat5", "mat73", "yeast", "trackmate-xml", "links", "cmeanalysis-csv", "napari", "trackpy",
                         "gzip", "xlsx", "awd-csv", "awd-parquet")
        ),
        Subject("card", _card, _read_card),
        Subject("series", _series, _read_series),
    )
}  # fmt: skip
