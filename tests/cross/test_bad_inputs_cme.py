"""Bad inputs to awd_cme's public functions: each is refused in words that say what was given and what is allowed."""

import functools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_inputs import Bad, Legitimate, each, folder_to_come, there

import awd_cme
import awd_cme.publish
import awd_cme.report
from awd_cme import (
    Camera,
    MaxCoefficients,
    Movie,
    SeriesEnsemble,
    SeriesLogistic,
    SeriesLSTM,
    SeriesRidge,
    SeriesSettings,
    SeriesTeacher,
    make_series,
    make_table,
)
from awd_cme.model.folds import grouped_folds
from awd_cme.series.series_set import example_set

FOLDER = folder_to_come()
NOWHERE = Path("/no/such/place")
TIFF, TEXT, TRACKS = FOLDER / "m.tif", FOLDER / "a.txt", FOLDER / "t.csv"
RNG = np.random.default_rng(0)
IMAGE = RNG.normal(100, 5, (32, 32))
IMAGE[10, 12] = 300
FRAMES = RNG.integers(90, 110, (6, 2, 24, 24)).astype(np.uint16)
MOVIE = Movie.from_array(FRAMES, channels=["clathrin", "auxilin"], seconds_per_frame=1.0)
TRACK, FRAME = np.repeat(np.arange(6), 10), np.tile(np.arange(10), 6)
AMPLITUDE = RNG.uniform(10, 20, 60)
SIGNALS = {"clathrin_amplitude": AMPLITUDE, "auxilin_amplitude": 2 * AMPLITUDE, "auxilin_p": np.full(60, 0.01)}
X, Y, GROUPS = RNG.normal(size=(30, 40)), RNG.normal(size=30), np.repeat(list("abcde"), 6)
MASKED = np.ma.masked_array(X, X > 1)
SPOTS = pd.DataFrame({"frame": np.arange(6), "y": 5.0, "x": 5.0, "amplitude": 9.0, "p": 0.01})
OTHER = pd.DataFrame({"a": [1]})
ANY = SeriesSettings(categories=None, longer_than=None, target="max")

tracks = functools.partial(
    make_table, track=TRACK, frame=FRAME, y=np.ones(60), x=np.ones(60), signals=SIGNALS, seconds_per_frame=1.0
)
TABLE = tracks()
movie = functools.partial(Movie.from_array, FRAMES)
features = functools.partial(MaxCoefficients, "db2", 2)
F = features().fit_transform(X)
spots = functools.partial(awd_cme.detect_spots, IMAGE, sigma=1.5)
fits = functools.partial(awd_cme.fit_spots, IMAGE, [10.0], [12.0])
sums = functools.partial(awd_cme.aperture_sums, IMAGE, [10.0], [12.0], radius=2, inner=3, outer=5)
links = functools.partial(awd_cme.link_spots, SPOTS)
taken = functools.partial(awd_cme.extract, MOVIE, TABLE, sigma=1.5)
rendered = functools.partial(awd_cme.render_tracks, TABLE, shape=(24, 24), seed=0, sigma=1.5, background=100.0)
search = functools.partial(awd_cme.search_settings, [features()], example_set(30), SeriesRidge(), folds=2)
interval = functools.partial(awd_cme.score_interval, Y, Y, GROUPS)


@pytest.fixture(scope="module", autouse=True)
def files():
    """A movie, tracks, and a text that is neither."""
    with there(FOLDER):
        awd_cme.write_movie(TIFF, MOVIE)
        awd_cme.write_csv(TABLE, TRACKS)
        TEXT.write_text("hello")
        yield


# fmt: off
BAD = [
    # tables of tracks
    Bad("frames of few", lambda: tracks(frame=[1, 2]),
        ValueError, "must have the 60 rows of `track`; lengths that differ: {'frame': 2"),
    Bad("half frames", lambda: tracks(frame=FRAME + 0.5),
        ValueError, r"frame must be whole numbers, got 0.5 among them \(60 such"),
    Bad("frames twice", lambda: tracks(frame=0 * FRAME),
        ValueError, r"rows of the same \(cell, track, frame\) are there twice"),
    Bad("tracks as text", lambda: tracks(track=["a"] * 60),
        ValueError, "track must be whole numbers, got values of the type <U1"),
    Bad("one number for tracks", lambda: tracks(track=1), ValueError, "all columns must have the 1 rows of `track`"),
    Bad("places as text", lambda: tracks(y=["a"] * 60),
        TypeError, "y has to hold real numbers; got elements of type <U1"),
    Bad("masked places", lambda: tracks(y=np.ma.masked_array(np.ones(60), TRACK == 1)),
        ValueError, "y has masked elements. Leave such"),
    Bad("no cell", lambda: tracks(cell=None),
        ValueError, "must have the 60 rows of `track`; lengths that differ: {'cell'"),
    Bad("category 9", lambda: tracks(category=np.full(60, 9)), ValueError, "category is outside 1 to 8: 60 rows"),
    Bad("categories as text", lambda: tracks(category=["a"] * 60),
        ValueError, "category must be whole numbers, 1 to 8, or missing: .*'a'"),
    Bad("signals of no channel", lambda: tracks(signals={"clat_p": Y}),
        ValueError, r"\['clat_p'\] belong to none of the channels \['clathrin', 'auxilin'\]"),
    Bad("signals as a list", lambda: tracks(signals=[1]), TypeError, r"signals is a list, \[1\]; give a Mapping"),
    Bad("a channel for channels", lambda: tracks(channels="clathrin"),
        TypeError, r"channels are 'clathrin'; give a list of names, \['clathrin'\]"),
    Bad("a frame interval of 0", lambda: tracks(seconds_per_frame=0),
        ValueError, "must be a positive number, or None where unknown, here it is 0.0"),
    Bad("a frame interval as text", lambda: tracks(seconds_per_frame="1"),
        TypeError, "seconds_per_frame is '1'; give a positive number, or None"),
    Bad("a table of other columns", lambda: awd_cme.validate(OTHER),
        ValueError, "columns are missing: cell, track, frame.*make_table fills"),
    Bad("an array for a table", lambda: awd_cme.summary(X),
        TypeError, "must be a pandas DataFrame, got ndarray; read_tracks and make_table"),
    # series
    Bad("settings misspelt", lambda: make_series(TABLE, "publishd"),
        ValueError, "settings is 'publishd'.*; choose one of published, published-lstm"),
    Bad("settings as a dict", lambda: make_series(TABLE, {"length": 40}),
        TypeError, "settings is a dict, {'length': 40}; give a SeriesSettings"),
    Bad("a target misspelt", lambda: make_series(TABLE, ANY, target="maxx"),
        ValueError, "target is 'maxx'.*; choose one of mean_significant, max"),
    Bad("a number for a target", lambda: make_series(TABLE, ANY, target=3),
        TypeError, "target is 3; give one of mean_significant, max, consecutive"),
    Bad("no table", lambda: make_series(None, ANY), TypeError, "table is a NoneType, None; give a DataFrame"),
    Bad("a number for days", lambda: make_series(TABLE, ANY, day=3),
        TypeError, "day is 3; give a mapping from cells to days, or a function"),
    Bad("a cell of no day", lambda: make_series(TABLE, ANY, day={"a": "1"}),
        KeyError, "no entry for the cell 'cell'; it has a"),
    Bad("a channel misspelt", lambda: make_series(TABLE, SeriesSettings(x="foo")),
        ValueError, "the table has no channel 'foo'; it has clathrin, auxilin"),
    Bad("parts misspelt", lambda: make_series(TABLE, SeriesSettings(parts=("trak",))),
        ValueError, r"parts is \('trak',\); give some of before, track, gap"),
    Bad("one part as text", lambda: make_series(TABLE, SeriesSettings(parts="track")),
        ValueError, "parts is 'track'; give some of before, track, gap"),
    Bad("series of no length", lambda: SeriesSettings(length=0),
        ValueError, "length is 0; give a positive whole number"),
    Bad("a length as text", lambda: SeriesSettings(length="40"),
        ValueError, "length is '40'; give a positive whole number"),
    Bad("a lifetime as text", lambda: SeriesSettings(longer_than="15"),
        ValueError, "longer_than is '15'; give seconds from 0 on, or None"),
    Bad("one category alone", lambda: SeriesSettings(categories=1),
        ValueError, "categories is 1; give some of 1 to 8, as"),
    Bad("series of an array", lambda: awd_cme.fit_z_scores(X), TypeError, "training is a ndarray.*give a SeriesSet"),
    Bad("a rule misspelt", lambda: awd_cme.fit_z_scores(make_series(TABLE, ANY), inputs="train"),
        ValueError, "the rules training, own, none; got 'train'"),
    Bad("a group for groups", lambda: awd_cme.split_groups(GROUPS, test="ab"),
        TypeError, r"test is 'ab'; give a list of groups, \['ab'\]"),
    Bad("a group that is not there", lambda: awd_cme.split_groups(GROUPS, test=["z"]),
        ValueError, "no group 'z' to test on; there are a, b, c, d, e"),
    Bad("a share as text", lambda: awd_cme.split_groups(GROUPS, share="a"),
        ValueError, "share is 'a'; give a part of the groups between 0 and 1"),
    Bad("no groups", lambda: awd_cme.split_groups(None),
        ValueError, r"groups have the shape \(\); give one entry for each track"),
    Bad("tracks split by no seed", lambda: awd_cme.split_tracks(10, None),
        ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("2.5 tracks", lambda: awd_cme.split_tracks(2.5, 0), ValueError, "n is 2.5; give a whole number, 0 or more"),
    Bad("a share of NaN", lambda: awd_cme.split_tracks(10, 0, math.nan),
        ValueError, "share is nan; give a part of the tracks between 0 and 1"),
    Bad("a text for yeast", lambda: awd_cme.yeast_problem("t"), TypeError, "table is a str, 't'; give a DataFrame"),
    # features and predictors
    Bad("a mode that series have not", lambda: features(mode="z").fit(X),
        ValueError, "mode is 'z'; choose one of zero, constant"),
    Bad("most 1.5", lambda: features(most=1.5).fit(X), ValueError, "most is 1.5; give a positive whole number"),
    Bad("which misspelt", lambda: features(which="pos").fit(X),
        ValueError, "which is 'pos'.*; choose one of positive, negative, absolute"),
    Bad("a sample of -1 s", lambda: features(seconds_per_sample=-1).fit(X),
        ValueError, "seconds_per_sample is -1; give a positive number, or None"),
    Bad("masked series", lambda: features().fit(MASKED), ValueError, "X has masked elements. Leave such samples out"),
    Bad("series of text", lambda: features().fit(X.astype(str)),
        TypeError, "X has to hold real numbers; got elements of type <U"),
    Bad("series of another length", lambda: features().fit(X).transform(X[:, :20]),
        ValueError, "X has 20 features, but MaxCoefficients is expecting 40"),
    Bad("no penalties", lambda: SeriesRidge(alphas=()).fit(F, Y),
        ValueError, r"one or more penalties from 0 on; got \(\)"),
    Bad("a penalty alone", lambda: SeriesRidge(alphas=1.0).fit(F, Y),
        ValueError, "one or more penalties from 0 on; got 1.0"),
    Bad("one fold of tracks", lambda: SeriesRidge(folds=1).fit(F, Y),
        ValueError, r"30 group\(s\) and 1 folds: cross-validation needs two or more"),
    Bad("a ridge of no seed", lambda: SeriesRidge(seed=None).fit(F, Y),
        ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("masked features", lambda: SeriesRidge().fit(np.ma.masked_array(F, F > 0), Y),
        ValueError, "X has masked elements. Leave such samples"),
    Bad("features before fit", lambda: awd_cme.coefficient_intervals(SeriesRidge(), F, Y),
        ValueError, "This SeriesRidge instance is not fitted yet. Call 'fit'"),
    Bad("three classes", lambda: SeriesLogistic().fit(F, np.repeat([0, 1, 2], 10)),
        ValueError, r"has two classes; y has 3: \[0, 1, 2\]"),
    Bad("a penalty as text", lambda: SeriesLogistic(alphas="a").fit(F, Y > 0),
        TypeError, "alphas is 'a'; give a list of numbers"),
    Bad("an interval of 2", lambda: awd_cme.coefficient_intervals(SeriesRidge().fit(F, Y), F, Y, level=2),
        ValueError, "level is 2; give a probability above 0 and below 1"),
    Bad("a metric misspelt", lambda: interval(metric="r"), ValueError, "metric is 'r2' or 'auc'; got 'r'"),
    Bad("a level of 95", lambda: interval(level=95), ValueError, "level is 95; give a probability above 0 and below 1"),
    Bad("groups of few", lambda: awd_cme.score_interval(Y, Y, GROUPS[:7]),
        ValueError, "groups has 7 entries for 30 tracks; give one for each"),
    Bad("names for candidates", lambda: awd_cme.search_settings(["a"], example_set(30), SeriesRidge()),
        TypeError, "a candidate is a str, 'a'; give a MaxCoefficients"),
    Bad("no repeats", lambda: search(repeats=0), ValueError, "repeats is 0; give a positive whole number"),
    Bad("a search of arrays", lambda: awd_cme.search_settings([features()], X, SeriesRidge()),
        TypeError, "series is a ndarray.*give a SeriesSet"),
    Bad("a search of no seed", lambda: search(seed=None), ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("a search with groups of few", lambda: search(groups=GROUPS[:7]),
        ValueError, "groups has 7 entries for 30 tracks; give one for each"),
    Bad("2.5 units", lambda: SeriesLSTM(2.5), ValueError, "hidden and n_out are 1 or more.*got hidden=2.5"),
    Bad("a dropout as text", lambda: SeriesLSTM(dropout="a"), ValueError, "dropout from 0 to below 1; got.*dropout=a"),
    Bad("a network's cell misspelt", lambda: SeriesLSTM(cell="rnn"), ValueError, "cell is one of lstm, gru; got 'rnn'"),
    Bad("series with NaN", lambda: SeriesTeacher().fit(X * math.nan, Y),
        ValueError, "X has a NaN or an infinity, first at sample 0. Leave"),
    Bad("no members", lambda: SeriesEnsemble(members=0).fit(X, Y),
        ValueError, "members is 0; give a positive whole number"),
    Bad("no ensemble", lambda: SeriesEnsemble.load(NOWHERE),
        FileNotFoundError, "no files member-0.safetensors, … in /no/such/place; save"),
    # movies
    Bad("no gain", lambda: Camera(gain=0),
        ValueError, "gain is 0; give counts per photoelectron above 0"),
    Bad("a gain as text", lambda: Camera(gain="2"),
        ValueError, "gain is '2'; give counts per photoelectron above 0"),
    Bad("12.5 bits", lambda: Camera(bits=12.5), ValueError, "bits is 12.5; give a whole number from 1 to 16"),
    Bad("a seed for a generator", lambda: Camera().expose([1.0], 0), TypeError, "rng is a int, 0; give a Generator"),
    Bad("an image for a movie", lambda: Movie.from_array(IMAGE),
        ValueError, r"'TCYX' for an array of the shape \(32, 32\); give one letter an axis"),
    Bad("no axes", lambda: movie(axes=None),
        ValueError, "axes is None for an array.*give one letter an axis of T, C, Y and X"),
    Bad("a name for names", lambda: movie(channels="ab"),
        TypeError, r"channels are 'ab'; give a list of names, \['ab'\]"),
    Bad("names of few", lambda: movie(channels=["a"]), ValueError, r"channels are \('a',\); give 2 different names"),
    Bad("a masked movie", lambda: Movie.from_array(np.ma.masked_array(FRAMES, FRAMES > 100)),
        ValueError, "the array has masked elements. Leave"),
    Bad("an interval as text", lambda: movie(seconds_per_frame="1"),
        ValueError, "seconds_per_frame is '1'; give a number above 0, or None"),
    Bad("a frame and a half", lambda: MOVIE.frame(1.5),
        IndexError, "frame 1.5 was asked for; the movie has 6, counted from 0"),
    Bad("a channel that is not there", lambda: MOVIE.frame(0, "clat"),
        IndexError, "no channel 'clat'; the movie has clathrin, auxilin"),
    Bad("no channel", lambda: MOVIE.channel(None),
        IndexError, "channel None was asked for; the movie has 2, counted from 0"),
    Bad("a width of 0", lambda: spots(sigma=0),
        ValueError, "sigma is 0; .*estimate_sigma measures, in pixels from 0.5 to 20"),
    Bad("a width as text", lambda: spots(sigma="1.5"), ValueError, "sigma is '1.5'; .* in pixels from 0.5 to 20"),
    Bad("a level of 2", lambda: spots(level=2), ValueError, "level is 2; give a probability such as 0.05 above 0"),
    Bad("a control misspelt", lambda: spots(control="fwer"),
        ValueError, "is 'fwer'.*; choose one of fdr, familywise"),
    Bad("spots of a line", lambda: awd_cme.detect_spots(IMAGE[0], sigma=1.5),
        ValueError, r"two axes \(y, x\).*got the shape \(32,\); take one frame"),
    Bad("a masked image", lambda: awd_cme.detect_spots(np.ma.masked_array(IMAGE, IMAGE > 200), sigma=1.5),
        ValueError, "an image has masked elements. Leave"),
    Bad("places of few", lambda: awd_cme.fit_spots(IMAGE, [1.0, 2.0], [1.0], 1.5),
        ValueError, r"lists of the same length, got the shapes \(2,\) and \(1,\)"),
    Bad("threads 1.5", lambda: fits(1.5, threads=1.5),
        ValueError, "threads is 1.5; give a positive whole number"),
    Bad("neighbours misspelt", lambda: fits(1.5, neighbours="x"),
        ValueError, "is 'x'.*; choose one of flag, exclude, joint"),
    Bad("a radius as text", lambda: sums(radius="3"),
        ValueError, "0.5 ≤ radius ≤ inner < outer, got '3', 3 and 5 pixels"),
    Bad("a gain of -1", lambda: sums(gain=-1), ValueError, "gain is -1; give counts per photon .* from 0 on"),
    Bad("spots of other columns", lambda: awd_cme.link_spots(OTHER),
        ValueError, r"the columns frame, y and x; .* are missing among \['a'\]"),
    Bad("spots as a list", lambda: awd_cme.link_spots([1]), TypeError, r"spots is a list, \[1\]; give a DataFrame"),
    Bad("a gap of 1.5", lambda: links(max_gap=1.5),
        ValueError, "max_gap is 1.5; give a whole number, 0 or more"),
    Bad("a step as text", lambda: links(max_step="3"),
        ValueError, "max_step is '3'; give a number of pixels above 0"),
    Bad("a level of -1", lambda: links(level=-1), ValueError, "level is -1; give a probability such as 0.05 above 0"),
    Bad("an array for a movie", lambda: awd_cme.track_movie(FRAMES), TypeError, "movie is a ndarray.*give a Movie"),
    Bad("a channel to track", lambda: awd_cme.track_movie(MOVIE, channel="clat"),
        ValueError, r"the channels \['clathrin', 'auxilin'\], not 'clat'; name one"),
    Bad("1.5 frames before", lambda: taken(before=1.5),
        ValueError, "before is 1.5; give a whole number, 0 or more"),
    Bad("a method misspelt", lambda: taken(method="f"),
        ValueError, "method is 'f'.*; choose one of fit, aperture"),
    Bad("widths of other channels", lambda: taken(sigma={"foo": 1.5}),
        ValueError, r"no value for the channel 'clathrin', only for \['foo'\]; add it"),
    Bad("movies of no table", lambda: awd_cme.render_tracks(None, shape=(24, 24), seed=0, sigma=1.5, background=1.0),
        TypeError, "a pandas DataFrame, got NoneType"),
    Bad("truth of None", lambda: awd_cme.score_tracks(TABLE, None),
        TypeError, "truth is a NoneType, None; give a DataFrame"),
    Bad("an overlap of 2", lambda: awd_cme.score_tracks(TABLE, TABLE, overlap=2),
        ValueError, "overlap is 2; give a share above 0 and up to 1"),
    Bad("a preset misspelt", lambda: awd_cme.simulate_movie("quik", seed=0),
        ValueError, "no preset 'quik'; choose quick or realistic, or give Settings"),
    Bad("cells of no seed", lambda: awd_cme.simulate_movie(seed=None),
        ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("a setting misspelt", lambda: awd_cme.simulate_movie(seed=0, frame=3),
        TypeError, "there is no setting 'frame'; there are .*frames"),
    Bad("a setting as text", lambda: awd_cme.simulate_movie(seed=0, frames="9"),
        ValueError, "frames is '9'; give a number above 0"),
    # files
    Bad("no movie", lambda: awd_cme.open_movie(NOWHERE), FileNotFoundError, "there is no file /no/such/place"),
    Bad("a text for a movie", lambda: awd_cme.open_movie(TEXT),
        ValueError, "a.txt is not a TIFF file: it begins with b'hello'"),
    Bad("no movies", lambda: awd_cme.open_movie([]),
        ValueError, "the list of paths is empty; give at least one file or folder"),
    Bad("a projection misspelt", lambda: awd_cme.open_movie(TIFF, z="median"),
        ValueError, "z is 'median'; choose 'max', 'mean', 'sum'"),
    Bad("a series as text", lambda: awd_cme.open_movie(TIFF, series="a"),
        ValueError, "series is 'a'; give a whole number, 0 or more, or None"),
    Bad("a compression that readers lack", lambda: awd_cme.write_movie(FOLDER / "n.tif", MOVIE, compression="lzw"),
        ValueError, "compression is 'lzw'; choose 'zlib', or None"),
    Bad("a movie of -1 s", lambda: awd_cme.write_movie(FOLDER / "n.tif", FRAMES, seconds_per_frame=-1),
        ValueError, "seconds_per_frame is -1; give a number above 0, or None"),
    Bad("a movie of another ending", lambda: awd_cme.write_movie(FOLDER / "m.avi", MOVIE),
        ValueError, "m.avi: a movie in a TIFF file ends in .tif, .tiff, .btf, .tf2 or .tf8; name the file so"),
    Bad("tracks as a spreadsheet", lambda: awd_cme.write_csv(TABLE, FOLDER / "t.xlsx"),
        ValueError, "t.xlsx: a table of tracks as CSV ends in .csv or .csv.gz; name the file so"),
    Bad("tracks without an ending", lambda: awd_cme.write_csv(TABLE, FOLDER / "t"),
        ValueError, "t: a table of tracks as CSV ends in .csv"),
    Bad("napari's tracks as text", lambda: awd_cme.tracks.write_napari(TABLE, FOLDER / "t.txt"),
        ValueError, "t.txt: napari's table of tracks ends in .csv; name the file so"),
    Bad("a graph as a table", lambda: awd_cme.tracks.write_geff(TABLE, FOLDER / "t.csv"),
        ValueError, "t.csv: a graph of tracks ends in .geff or .zarr; name the file so"),
    Bad("one cell of a condition", lambda: awd_cme.publish.compare_cells([1.0], [1.0, 2.0]),
        ValueError, "control has 1 cells with a value; a comparison with cells as units needs two or more"),
    Bad("a partner that is not there", lambda: awd_cme.publish.partner_onsets(TABLE, "AP2"),
        ValueError, "and no partner AP2; give another"),
    Bad("a path for a run to report", lambda: awd_cme.report.write_report(FOLDER),
        TypeError, "give the RunFolder of an open run.*awd-cme report FOLDER makes it"),
    Bad("an example set of seed -1", lambda: example_set(seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("folds of seed -1", lambda: grouped_folds(np.arange(9), 3, -1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("a simulation of seed -1", lambda: awd_cme.simulate_dataset(FOLDER / "simulated", seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("a movie into a folder", lambda: awd_cme.write_movie(FOLDER, MOVIE),
        IsADirectoryError, "it is a folder; give the name of a file"),
    Bad("no tracks", lambda: awd_cme.read_tracks(NOWHERE),
        FileNotFoundError, "there is no file or folder /no/such/place"),
    Bad("a format misspelt", lambda: awd_cme.read_tracks(TRACKS, format="cvs"),
        ValueError, "format is 'cvs'; choose one of auto, cmeanalysis"),
    Bad("a channel to read", lambda: awd_cme.read_tracks(TRACKS, channels="clathrin"),
        TypeError, "channels must be a sequence of names.*'clathrin'"),
    Bad("tracks to a folder", lambda: awd_cme.write_csv(TABLE, FOLDER),
        IsADirectoryError, "it is a folder; give the name of a file"),
    Bad("other columns to a file", lambda: awd_cme.write_parquet(OTHER, FOLDER / "a.parquet"),
        ValueError, "columns are missing: cell, track"),
    Bad("no card", lambda: awd_cme.ModelCard.load(NOWHERE),
        FileNotFoundError, "there is no file /no/such/place; check the name"),
    Bad("a text for a card", lambda: awd_cme.ModelCard.load(TEXT), ValueError, "a.txt cannot be read as a model card"),
    Bad("no card to predict with", lambda: awd_cme.predict_tracks(NOWHERE, TABLE),
        FileNotFoundError, "there is no file /no/such/place; check"),
]

LEGITIMATE = [
    Legitimate("places that are not known are gaps",
        lambda: tracks(y=np.full(60, np.nan))["part"].tolist(), lambda: ["gap"] * 60),
    Legitimate("a table may be empty", lambda: len(make_table(track=[], frame=[], y=[], x=[])), lambda: 0),
    Legitimate("groups as a list are an array to be",
        lambda: awd_cme.split_groups(list(GROUPS))[0], lambda: awd_cme.split_groups(GROUPS)[0]),
    Legitimate("numpy's seed is a whole number",
        lambda: awd_cme.split_tracks(10, np.int64(1))[0], lambda: awd_cme.split_tracks(10, 1)[0]),
    Legitimate("a stack that ends early ends with the movie", lambda: MOVIE.stack(0, 0, 99), lambda: MOVIE.stack(0)),
    Legitimate("a spot outside the image has no value",
        lambda: awd_cme.fit_spots(IMAGE, [99.0], [12.0], 1.5).amplitude, lambda: np.array([np.nan])),
    Legitimate("an image may hold no spot", lambda: len(awd_cme.detect_spots(np.ones((32, 32)), sigma=1.5)), lambda: 0),
    Legitimate("no spots make no tracks", lambda: len(awd_cme.link_spots(SPOTS[:0])), lambda: 0),
    Legitimate("one file may be two channels",
        lambda: awd_cme.open_movie([TIFF, TIFF], join="C").shape, lambda: (6, 4, 24, 24)),
    Legitimate("tracks as integers of NumPy's smallest type",
        lambda: tracks(track=TRACK.astype(np.int8))["track"].to_numpy(), lambda: TRACK),
]
# fmt: on


@each(BAD)
def test_it_is_refused(row):
    with pytest.raises(row.error, match=row.match):
        row.call()


@each(LEGITIMATE)
def test_it_is_right(row):
    np.testing.assert_array_equal(row.call(), row.proper())
