"""Bad inputs to awd_cosmo's public functions: each is refused in words that say what was given and what is allowed."""

import functools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from astropy import units
from bad_inputs import Bad, Legitimate, each, folder_to_come, there

import awd_cosmo
import awd_cosmo.report
from awd_cosmo import (
    BadMap,
    CountRidge,
    EmulatorPosterior,
    HaloModel,
    MapSet,
    MapTeacher,
    NearestCosmology,
    Nuisances,
    ParticleModel,
    PeakCountRegressor,
    PeakCounts,
    PowerSpectrum,
    ResNet,
    ResNet18,
    ScaleCounts,
    Setup,
    SkyAugmentation,
    Smail,
    StarletCounts,
)
from awd_cosmo.maps.observe import add_noise

FOLDER = folder_to_come()
NOWHERE = Path("/no/such/place")
MAP, TEXT = FOLDER / "a.fits", FOLDER / "a.txt"
K = np.random.default_rng(0).normal(0, 0.02, (12, 16, 16)).astype(np.float32)
MASKED = np.ma.masked_array(K, K > 0)
WITH_NAN = np.where(K.max() == K, np.nan, K)
OMEGA, COSMOLOGY, NUMBER = np.repeat([0.2, 0.3, 0.4], 4), np.repeat(np.arange(3), 4), np.tile(np.arange(1, 5), 3)
COUNTS = np.random.default_rng(0).poisson(20, (40, 5)).astype(float)
TEN, Y = np.repeat(np.arange(10), 4), np.repeat(np.linspace(0.2, 0.4, 10), 4)
RANGE = {"Omega_m": (0.1, 0.5)}
P = {"Omega_m": 0.3, "sigma8": 0.8}

arrays = functools.partial(MapSet.from_arrays, K, pixel_scale=0.5)
maps = arrays(parameters={"Omega_m": OMEGA}, realisation=NUMBER)
noisy = functools.partial(maps.with_shape_noise, "fair", galaxies_per_arcmin2=30, seed=0)
peaks = functools.partial(PeakCounts, "db2", range="normal")
write = functools.partial(awd_cosmo.write_map, FOLDER / "b.fits", K[0], pixel_scale=0.5)
splits = functools.partial(awd_cosmo.split_maps, COSMOLOGY, NUMBER, by="cosmology", seed=0)
design = functools.partial(awd_cosmo.latin_hypercube, RANGE, 4, seed=0)
suite = functools.partial(awd_cosmo.simulate_suite, FOLDER / "suite", seed=0)
scored = functools.partial(awd_cosmo.regression_scores, Y, Y + 0.1, Y, cosmology=TEN)


@pytest.fixture(scope="module", autouse=True)
def files():
    """A map, and a text that is none."""
    with there(FOLDER):
        awd_cosmo.write_map(MAP, K[0], pixel_scale=0.5, overwrite=True)
        TEXT.write_text("hello")
        yield


# fmt: off
BAD = [
    # sets of maps
    Bad("one map for a stack", lambda: MapSet.from_arrays(K[0], pixel_scale=0.5),
        ValueError, r"floats of shape \(n, ny, nx\), got float32 \(16, 16\)"),
    Bad("maps of integers", lambda: MapSet.from_arrays(K.astype(int), pixel_scale=0.5),
        ValueError, r"floats of shape \(n, ny, nx\), got int64"),
    Bad("complex maps", lambda: MapSet.from_arrays(K + 0j, pixel_scale=0.5),
        ValueError, r"must be floats.*got complex64"),
    Bad("masked maps", lambda: MapSet.from_arrays(MASKED, pixel_scale=0.5),
        ValueError, "maps has masked elements. Leave such samples out"),
    Bad("a pixel of no size", lambda: arrays(pixel_scale=0),
        ValueError, "a positive angle, in arcmin or with a unit; 0 must be positive"),
    Bad("a pixel as text", lambda: arrays(pixel_scale="0.5"),
        ValueError, "a positive angle, in arcmin or with a unit; '0.5' must be positive"),
    Bad("no pixel", lambda: arrays(pixel_scale=None),
        ValueError, "a positive angle, in arcmin or with a unit; None must be positive"),
    Bad("a pixel in kpc", lambda: arrays(pixel_scale=0.5 * units.kpc),
        ValueError, "0.5 kpc is no angle; give it in arcmin per pixel"),
    Bad("parameters of few", lambda: arrays(parameters={"Omega_m": [0.3, 0.4]}),
        ValueError, r"Omega_m has the shape \(2,\); give one number for each of the 12"),
    Bad("a parameter misspelt", lambda: arrays(parameters={"omega": OMEGA}),
        ValueError, "unknown parameter 'omega'; known are M_nu, Omega_m"),
    Bad("parameters as a list", lambda: arrays(parameters=[OMEGA]), TypeError, "parameters is a list.*give a Mapping"),
    Bad("parameters as a DataFrame", lambda: arrays(parameters=pd.DataFrame({"Omega_m": OMEGA})),
        TypeError, "parameters is a DataFrame.*give a Mapping"),
    Bad("parameters as text", lambda: arrays(parameters={"Omega_m": ["a"] * 12}),
        TypeError, "Omega_m has to hold real numbers; got elements of type <U1"),
    Bad("half realisations", lambda: arrays(realisation=NUMBER + 0.5),
        ValueError, "realisation must hold whole numbers, one for each map; got"),
    Bad("a negative redshift", lambda: arrays(z_s=-1),
        ValueError, "z_s must hold redshifts above 0, NaN where unknown; got -1"),
    Bad("a mask of another shape", lambda: arrays(mask=np.ones((3, 3), bool)),
        ValueError, r"shape \(3, 3\), but the maps have \(16, 16\)"),
    Bad("a mask that is not there", lambda: arrays(mask="mask.fits"),
        FileNotFoundError, "no file mask.fits; check the name"),
    Bad("a row that is not there", lambda: maps.read([99]),
        IndexError, "there are 12 maps; rows 99 to 99 were asked for"),
    Bad("a row and a half", lambda: maps.select([1.5]), IndexError, "rows must be whole numbers.*got float64"),
    Bad("batches of one and a half", lambda: next(maps.batches(1.5)),
        ValueError, "got size = 1.5: give a whole number"),
    Bad("a name for names", lambda: maps.parameters("Omega_m"), TypeError, r"a sequence of names, as \['Omega_m'\]"),
    Bad("no names", lambda: maps.parameters(None), TypeError, r"a sequence of names, as \[None\]"),
    Bad("a factor of three", lambda: maps.downsampled(3),
        ValueError, "factor = 3 must divide the sides of 16 × 16 maps; 1, 2, 4, 8, 16 do"),
    Bad("a width as text", lambda: maps.smoothed(sigma_arcmin="1"),
        ValueError, "the width is '1'; give a number of arcmin from 0 on"),
    Bad("a width in degrees", lambda: maps.smoothed(sigma_arcmin=1 * units.deg),
        ValueError, "the width is <Quantity 1. deg>; give a number of arcmin"),
    Bad("no width", lambda: maps.smoothed(),
        ValueError, "give the width as sigma_arcmin or as fwhm_arcmin, exactly one"),
    Bad("an edge misspelt", lambda: maps.smoothed(sigma_arcmin=1, edge="periodic"),
        ValueError, "edge is 'periodic'; choose one of reflect, wrap"),
    Bad("a convention misspelt", lambda: maps.with_shape_noise("fairr", galaxies_per_arcmin2=30, seed=0),
        ValueError, r"is 'fairr' \(did you mean fair\?\); choose one of lenstools, fair"),
    Bad("galaxies as text", lambda: noisy(galaxies_per_arcmin2="30"),
        ValueError, "galaxies_per_arcmin2 is '30'; give a number above 0"),
    Bad("noise of no seed", lambda: noisy(seed=None), ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("turns of seed -1", lambda: maps.turned(seed=-1), ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("tiles of 5", lambda: maps.tiles(5),
        ValueError, "tiles of 5 pixels do not fill 16 × 16; take a divisor, or rest='drop'"),
    Bad("tiles as text", lambda: maps.tiles("4"),
        ValueError, "tiles of '4' pixels do not fit into 16 × 16; take 1 to 16"),
    # files
    Bad("maps that are not there", lambda: awd_cosmo.open_maps(NOWHERE),
        FileNotFoundError, "no maps at /no/such/place: there is no such file"),
    Bad("a text for maps", lambda: awd_cosmo.open_maps(TEXT),
        ValueError, "no layout recognised.*known layouts are massivenus, model"),
    Bad("a layout misspelt", lambda: awd_cosmo.open_maps(FOLDER, "modl"),
        ValueError, "layout is 'modl'.*; choose one of auto, massivenus, model"),
    Bad("what to do on errors", lambda: awd_cosmo.open_maps(MAP, on_error="ignore"),
        ValueError, "on_error is 'ignore'; choose one of raise, skip"),
    Bad("no threads", lambda: awd_cosmo.open_maps(MAP, threads=0),
        ValueError, "threads is 0; give a positive whole number, or None"),
    Bad("a redshift as text", lambda: awd_cosmo.open_maps(MAP, source_redshift="1"),
        ValueError, "source_redshift = '1' must be positive and finite"),
    Bad("an extension that is not there", lambda: awd_cosmo.read_map(MAP, 9),
        BadMap, "it has no HDU 9; it has 0 PRIMARY"),
    Bad("a text for a map", lambda: awd_cosmo.read_map(TEXT),
        BadMap, r"a.txt: no FITS file \(it starts with b'hello'\)"),
    Bad("a stack for a map", lambda: awd_cosmo.write_map(FOLDER / "b.fits", K, pixel_scale=0.5),
        ValueError, r"the shape \(ny, nx\), got \(12, 16, 16\); write the maps"),
    Bad("a masked map to write", lambda: awd_cosmo.write_map(FOLDER / "b.fits", MASKED[0], pixel_scale=0.5),
        ValueError, "kappa has masked elements. Leave"),
    Bad("a map of another ending", lambda: awd_cosmo.write_map(FOLDER / "b.npy", K[0], pixel_scale=0.5),
        ValueError, r"b.npy: a map in a FITS file ends in .fits, .fit, .fits.gz or .fit.gz; name the file so"),
    Bad("a map without an ending", lambda: awd_cosmo.write_map(FOLDER / "b", K[0], pixel_scale=0.5),
        ValueError, r"b: a map in a FITS file ends in .fits"),
    Bad("a path for a run to report", lambda: awd_cosmo.report.write_report(FOLDER),
        TypeError, "give the RunFolder of an open run.*awd-cosmo report FOLDER makes it"),
    Bad("a seed of -1 for noise", lambda: add_noise(K, 0.1, seed=-1, items=range(12)),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("parameters that are not known", lambda: arrays(parameters={"Omega_m": math.nan}),
        ValueError, "parameters: Omega_m = nan .*is outside its plausible range, 0.05 to 0.6"),
    Bad("a file that is there", lambda: awd_cosmo.write_map(MAP, K[0], pixel_scale=0.5),
        FileExistsError, "is there already; pass overwrite=True"),
    Bad("a redshift of -1", lambda: write(source_redshift=-1),
        ValueError, "source_redshift = -1 must be positive and finite, or None"),
    Bad("a parameter of text", lambda: write(parameters={"Omega_m": "a"}),
        TypeError, "Omega_m has to hold real numbers; got elements of type <U1"),
    Bad("a parameter out of range", lambda: write(parameters={"Omega_m": math.nan}),
        ValueError, "Omega_m = nan is outside its plausible range, 0.05 to 0.6"),
    Bad("an array for a set", lambda: awd_cosmo.write_suite(K, FOLDER / "suite", "model"),
        TypeError, "maps is a ndarray.*give a MapSet"),
    Bad("nothing to pack", lambda: awd_cosmo.pack_models(NOWHERE),
        FileNotFoundError, "no folder /no/such/place with models to pack; check the name"),
    Bad("a model that is not there", lambda: awd_cosmo.Model.load(NOWHERE),
        FileNotFoundError, "no file /no/such/place; check the name"),
    Bad("a text for a model", lambda: awd_cosmo.Model.load(TEXT),
        ValueError, "cannot be read as a model: it is not JSON"),
    Bad("a model to predict with", lambda: awd_cosmo.predict_files(NOWHERE, [MAP]),
        FileNotFoundError, "no file /no/such/place; check the name"),
    Bad("a name for a model", lambda: awd_cosmo.predict_map("m", K[0], pixel_scale=0.5),
        TypeError, "model is a str, 'm'; give a Model"),
    Bad("no results", lambda: awd_cosmo.Results.read(NOWHERE),
        FileNotFoundError, "results.json is not there: the run has not come"),
    Bad("a setting misspelt", lambda: awd_cosmo.Job.from_dict({"targt": 1}),
        ValueError, "it has targt, which this awd-cosmo does not know"),
    Bad("a dict for a job", lambda: awd_cosmo.run_pipeline(None, FOLDER / "run", {"seed": 0}),
        TypeError, "job is a dict.*give a Job"),
    Bad("a step misspelt", lambda: awd_cosmo.run_pipeline(None, FOLDER / "run", until="end"),
        ValueError, "until is 'end'; choose one of prepare, teach"),
    # statistics
    Bad("peaks of a line", lambda: awd_cosmo.find_peaks(K[0, 0]),
        ValueError, r"the shape \(n, ny, nx\), got \(16,\); give one map as maps\[None\]"),
    Bad("peaks of NaN", lambda: awd_cosmo.find_peaks(WITH_NAN),
        ValueError, "holds nan at row .*fill them, or name them in a mask"),
    Bad("peaks of masked maps", lambda: awd_cosmo.find_peaks(MASKED),
        ValueError, "maps has masked elements. Leave such samples out"),
    Bad("peaks of truths", lambda: awd_cosmo.find_peaks(K > 0),
        TypeError, r"must hold real numbers, got bool; convert them with astype\(float\)"),
    Bad("a kind misspelt", lambda: awd_cosmo.find_peaks(K, kind="max"),
        ValueError, "kind is 'max'; choose one of peaks, minima"),
    Bad("workers as text", lambda: awd_cosmo.find_peaks(K, workers="2"),
        ValueError, "workers is '2'; give a positive whole number, or None"),
    Bad("counts of masked maps", lambda: peaks().fit(MASKED),
        ValueError, "maps has masked elements. Leave such samples out"),
    Bad("bins 2.5", lambda: peaks(bins=2.5).fit(K), ValueError, "bins is 2.5; give a whole number, 3 or more"),
    Bad("a range misspelt", lambda: peaks(range="norml").fit(K),
        ValueError, r"range is 'norml' \(did you mean normal\?\); choose one of published"),
    Bad("counts before fit", lambda: peaks().transform(K),
        ValueError, "this PeakCounts is not fitted yet; call fit with training maps"),
    Bad("too many levels", lambda: ScaleCounts("db2", 9).fit(K),
        ValueError, "9 levels are too many for maps of 16 × 16: 4 at most"),
    Bad("a band misspelt", lambda: ScaleCounts("db2", 2, bands=["x"]).fit(K),
        ValueError, "there is no band 'x'; there are raw, a1"),
    Bad("scales of a negative pixel", lambda: ScaleCounts("db2", 2, pixel_scale=-1).fit(K),
        ValueError, "a positive angle.*-1 must be positive"),
    Bad("scales of a metre", lambda: ScaleCounts("db2", 2, pixel_scale=units.m * 1).fit(K),
        ValueError, "1.0 m is no angle; give it in arcmin"),
    Bad("pixels misspelt", lambda: StarletCounts(2, pixels="peak").fit(K),
        ValueError, r"pixels is 'peak' \(did you mean peaks\?\); choose one of"),
    Bad("a spectrum of text", lambda: PowerSpectrum("a").fit(K).transform(K),
        ValueError, "a positive angle, in arcmin.*'a' must be positive"),
    Bad("a record of nothing", lambda: PowerSpectrum.from_dict(None),
        TypeError, "record is a NoneType, None; give a Mapping"),
    Bad("scales of no pixel", lambda: awd_cosmo.wavelet_scales("db2", 2, None),
        ValueError, "a positive angle.*None must be positive"),
    Bad("windows misspelt", lambda: awd_cosmo.wavelet_kernels("db2", windows="x"),
        ValueError, "windows is 'x'; choose one of published, all"),
    # regressors and scores
    Bad("targets of few", lambda: CountRidge().fit(COUNTS, Y[:3]),
        ValueError, r"one row for each of 40 maps; it has the shape \(3,\)"),
    Bad("features as text", lambda: CountRidge().fit(COUNTS.astype(str), Y),
        TypeError, "X has to hold real numbers; got elements of type <U"),
    Bad("a transform misspelt", lambda: CountRidge(transform="sqr").fit(COUNTS, Y),
        ValueError, "is 'sqr'.*; choose one of sqrt, log, none"),
    Bad("a penalty as text", lambda: CountRidge(alphas="a").fit(COUNTS, Y),
        ValueError, "alphas must be numbers above 0, got 'a'"),
    Bad("negative counts", lambda: CountRidge().fit(COUNTS - 100, Y),
        ValueError, "square roots need counts and the least feature is -.*use transform='none'"),
    Bad("a negative share", lambda: NearestCosmology(rcond=-1).fit(COUNTS, Y),
        ValueError, "rcond must be a share from 0 to below 1, got -1"),
    Bad("an emulator misspelt", lambda: EmulatorPosterior("gpp").fit(COUNTS, Y),
        ValueError, "is 'gpp'.*; choose one of gp, linear, quadratic"),
    Bad("a sixth target", lambda: EmulatorPosterior("linear").fit(COUNTS, Y).posterior(COUNTS, 5),
        ValueError, "target is 5; give the number of one of 1 targets"),
    Bad("a regressor misspelt", lambda: PeakCountRegressor("near").fit(COUNTS, Y),
        ValueError, "is 'near'.*; choose one of emulator, nearest, ridge"),
    Bad("error bars of none", lambda: awd_cosmo.coverage(Y, Y, 0 * Y),
        ValueError, "must be finite and above 0; the smallest is 0.0"),
    Bad("estimates of few", lambda: awd_cosmo.fair_score(Y, Y[:3], Y),
        ValueError, r"shape \(40,\) and the estimates \(3,\); they must be the same"),
    Bad("scores of a single cosmology", lambda: awd_cosmo.regression_scores([0.1, 0.2], [0.1, 0.3], cosmology=[4, 4]),
        ValueError, "one cosmology alone tells nothing of others; give more, or leave cosmology out"),
    # splits, designs, simulation
    Bad("a split misspelt", lambda: splits(by="cosmo"),
        ValueError, "by is 'cosmo'.*; choose one of cosmology, realisation, both, published"),
    Bad("a split of no seed", lambda: splits(seed=None), ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("a fraction alone", lambda: splits(fractions=0.5),
        TypeError, r"fractions is 0.5; give a list of numbers, such as \[0.5\]"),
    Bad("fractions of too much", lambda: splits(fractions=(0.5, 0.5, 0.5)),
        ValueError, r"add up to 1, got \(0.5, 0.5, 0.5\)"),
    Bad("cosmologies of NaN", lambda: awd_cosmo.split_maps(OMEGA, NUMBER, by="cosmology", seed=0),
        TypeError, r"one column of whole numbers.*got shape \(12,\) of float64"),
    Bad("folds as text", lambda: awd_cosmo.cross_validation_folds(TEN, n_folds="5", seed=0),
        ValueError, "n_folds must be 2 or more, got"),
    Bad("more folds than cosmologies", lambda: awd_cosmo.cross_validation_folds(TEN, n_folds=99, seed=0),
        ValueError, "10 cosmologies cannot be dealt to 99 folds; ask for fewer"),
    Bad("a design of no seed", lambda: design(seed=None), ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("2.5 cosmologies", lambda: awd_cosmo.sobol(RANGE, 2.5, seed=0),
        ValueError, "n is 2.5; give a positive whole number"),
    Bad("a range of one end", lambda: awd_cosmo.sobol({"Omega_m": 0.5}, 4, seed=0),
        ValueError, r"the range of Omega_m must be \(low, high\), got 0.5"),
    Bad("ranges as a list", lambda: awd_cosmo.sobol([(0.1, 0.5)], 4, seed=0),
        TypeError, "ranges is a list.*give a Mapping"),
    Bad("a cosmology as a list", lambda: awd_cosmo.lensing_theory([0.3, 0.8]),
        TypeError, r"parameters is a list, \[0.3, 0.8\]; give a Mapping"),
    Bad("a cosmology without amplitude", lambda: awd_cosmo.lensing_theory({"Omega_m": 0.3}),
        ValueError, "one of A_s .* and sigma8; given: Omega_m"),
    Bad("a source as text", lambda: awd_cosmo.lensing_theory(P, "1"), ValueError, "give a number above 0 and up"),
    Bad("a beam to here", lambda: awd_cosmo.empty_beam(P, 0), ValueError, "give a number above 0"),
    Bad("16.5 pixels", lambda: Setup(pixels=16.5),
        ValueError, "pixels is 16.5; give a whole number, 8 or more"),
    Bad("a side with a unit", lambda: Setup(side_degrees=3 * units.deg),
        ValueError, "is <Quantity 3. deg>; give a side in degrees above 0 and up to 20"),
    Bad("halos True", lambda: Setup(halos=True), TypeError, "halos is a bool, True; give a HaloModel"),
    Bad("a mass as text", lambda: HaloModel(minimum_mass="1e13"),
        ValueError, "minimum_mass='1e13': give a number of solar masses within 1e10"),
    Bad("a box as text", lambda: ParticleModel(box="200"),
        ValueError, "box is '200'; give a length in Mpc from 10 to 5000"),
    Bad("half a particle", lambda: ParticleModel(particles=12.5),
        ValueError, "particles is 12.5; give a whole number, 8 or more"),
    Bad("a nuisance of one end", lambda: Nuisances(shear_bias=0.01),
        ValueError, r"shear_bias is 0.01; give \(low, high\) that rise within -0.5 to 0.5"),
    Bad("a slope as text", lambda: Smail(alpha="2"), ValueError, "alpha is '2'; give a number above 0"),
    Bad("a shell and a half", lambda: HaloModel(shells=1.5),
        ValueError, "shells is 1.5; give a whole number, 2 or more"),
    Bad("maps of no seed", lambda: awd_cosmo.simulate_maps(P, 1, seed=None),
        ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("a setup as a dict", lambda: awd_cosmo.simulate_maps(P, 1, seed=0, setup={"pixels": 16}),
        TypeError, "setup is a dict.*give a Setup"),
    Bad("a preset misspelt", lambda: suite(preset="quik"),
        ValueError, "preset is 'quik'.*; choose one of tiny, quick, halos, particles, massivenus"),
    Bad("a design as a dict", lambda: suite(design={"a": 1}), TypeError, "design is a dict.*give a Table"),
    Bad("no suite", lambda: awd_cosmo.theory_table(NOWHERE),
        FileNotFoundError, "holds no suite of simulated maps: there is no suite.json"),
    # networks
    Bad("two stages", lambda: ResNet((1, 1)), ValueError, r"four stages of one block or more; got blocks=\(1, 1\)"),
    Bad("stages as a number", lambda: ResNet(2), ValueError, "four stages of one block or more; got blocks=2"),
    Bad("a width of 1.5", lambda: ResNet18(width=1.5), ValueError, "width of a ResNet are 1 or more; got width=1.5"),
    Bad("maps of three channels", lambda: ResNet18(width=2)(torch.zeros(2, 3, 16, 16)),
        ValueError, r"maps of shape \(n, 1, ny, nx\); got \(2, 3, 16, 16\)"),
    Bad("negative noise", lambda: SkyAugmentation(noise=-1),
        ValueError, "noise must be finite and not negative; got -1"),
    Bad("smoothing as text", lambda: SkyAugmentation(smoothing="a"),
        ValueError, "smoothing must be finite and not negative; got 'a'"),
    Bad("a target for targets", lambda: MapTeacher("Omega_m").fit(maps),
        ValueError, "a sequence of names such as .*; got 'Omega_m'"),
    Bad("masked maps to learn", lambda: MapTeacher(width=2).fit(MASKED, OMEGA),
        ValueError, "X has masked elements. Leave such samples out"),
    Bad("what is seen where nothing is", lambda: MapTeacher(width=2, missing="a").fit(WITH_NAN, OMEGA),
        ValueError, "missing is 'a'; give the value"),
]

LEGITIMATE = [
    Legitimate("a list of maps is an array to be",
        lambda: MapSet.from_arrays(K.tolist(), pixel_scale=0.5).read(), lambda: K),
    Legitimate("a tensor on the CPU is an array",
        lambda: MapSet.from_arrays(torch.from_numpy(K), pixel_scale=0.5).read(), lambda: K),
    Legitimate("an angle may have any unit of angles",
        lambda: arrays(pixel_scale=30 * units.arcsec).arcmin_per_pixel, lambda: 0.5),
    Legitimate("one parameter stands for all maps",
        lambda: arrays(parameters={"Omega_m": 0.3}).parameters(["Omega_m"]), lambda: np.full((12, 1), 0.3)),
    Legitimate("rows may be asked for twice", lambda: maps.read([1, 1]), lambda: K[[1, 1]]),
    Legitimate("one map has peaks as well",
        lambda: awd_cosmo.find_peaks(pd.DataFrame(K[0])), lambda: awd_cosmo.find_peaks(K)[0]),
    Legitimate("maps of float16 hold real numbers",
        lambda: awd_cosmo.find_peaks(K.astype(np.float16)),
        lambda: awd_cosmo.find_peaks(K.astype(np.float16).astype(float))),
    Legitimate("numpy's seed is a whole number",
        lambda: design(seed=np.int64(3))["Omega_m"].value, lambda: design(seed=3)["Omega_m"].value),
    Legitimate("no maps may be simulated",
        lambda: awd_cosmo.simulate_maps(P, 0, seed=0, setup=Setup(pixels=16)).shape, lambda: (0, 16, 16)),
    Legitimate("maps that are not square are turned by halves",
        lambda: SkyAugmentation()(torch.ones(2, 8, 6), torch.Generator()).numpy(), lambda: np.ones((2, 8, 6))),
]
# fmt: on


@each(BAD)
def test_it_is_refused(row):
    with pytest.raises(row.error, match=row.match):
        row.call()


@each(LEGITIMATE)
def test_it_is_right(row):
    np.testing.assert_array_equal(row.call(), row.proper())
