# %% [markdown]
# # From two-channel movies to a model card, step by step
#
# What `awd-cme run` does, with the library: movies of clathrin and auxilin, tracks, series of 40 samples, an LSTM that
# guesses auxilin from clathrin, its input gradients, a wavelet distilled from them, and a ridge regression on the
# largest coefficients of each scale, with error bars, on one card that a person can read and NumPy can score. Movies
# are simulated here; give a folder of your own, or a file of tracks in any format that `awd-cme` reads.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from awd_cme import (
    MaxCoefficients,
    ModelCard,
    SeriesRidge,
    SeriesTeacher,
    fit_z_scores,
    make_series,
    open_movie,
    read_tracks,
    read_truth,
    score_interval,
    score_tracks,
    search_settings,
    simulate_dataset,
    split_groups,
    split_tracks,
    track_movie,
)
from awd_cme.model import FEATURES, coefficient_intervals
from awd_cme.tracks import concat
from awd_core import SearchSettings, distill_path, input_gradients
from awd_core.transforms import without_boundary_warnings

parser = argparse.ArgumentParser(description="Auxilin from clathrin, with a wavelet distilled from an LSTM.")
parser.add_argument("--data", type=Path, help="folder of movies (TIFF), or a file of tracks; simulated if not given")
parser.add_argument("--out", type=Path, default=Path("runs/movies"), help="folder for figures, wavelet and card")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Movies to tracks
# Spots are found where a fitted amplitude stands out of the noise around it, and linked from frame to frame; both
# channels are measured at each position. Of simulated movies the truth is known, so tracking can be scored.

# %%
cells, size, frames = (3, (64, 64), 80) if options.quick else (8, (128, 128), 200)
data = options.data
if data is None:
    data = options.out / f"movies-{cells}"
    if not (data / f"cell{cells}_1s.ome.tif").exists():
        simulate_dataset(data, "quick", seed=0, cells=cells, size=size, frames=frames)
if data.is_file():
    tracks, losses = read_tracks(data, on_error="skip")
    print(losses)
else:
    found = []
    for file in sorted(data.glob("*.tif*")):
        cell = file.name.split("_")[0].split(".")[0]
        found.append(track_movie(open_movie(file), cell=cell, threads=1))
        print(f"{file.name}: {found[-1]['track'].nunique()} tracks", flush=True)
    tracks = concat(found)
if options.data is None:
    truth, _ = read_truth(data)
    scores = score_tracks(tracks[tracks["cell"] == "cell1"], truth[truth["cell"] == "cell1"])
    print(f"cell1: {scores.recall:.0%} of {scores.true_tracks} true tracks found, {scores.precision:.1%} of ours true")

# %% [markdown]
# ## Tracks to a learning problem
# As published: tracks that live long enough, without hot spots, their clathrin brought to 40 samples; the target is the
# mean auxilin of the frames where it is significant. Whole cells are kept for the test, and z-scores are those of the
# training tracks.

# %%
p_known = np.isfinite(tracks[f"{tracks.attrs['channels'][1]}_p"]).any()
series = make_series(tracks, "published" if p_known else "yeast")
print(series.losses)
if len(np.unique(series.cell)) > 1:
    rows, held = split_groups(series.cell, share=0.7, seed=0)
else:
    rows, held = split_tracks(len(series), seed=0)
z_scores = fit_z_scores(series.take(rows))
training, test = (z_scores.apply(series.take(part)) for part in (rows, held))
seen, partner = series.channels
print(f"{len(training)} tracks of {len(np.unique(training.cell))} cells train, {len(test)} tracks test")

# %% [markdown]
# ## A teacher, its gradients, and the path of wavelets
# The LSTM reads a series in both directions. Its gradients are asked once; the path goes from the wavelet in which
# series are sparsest (share 0) to the one in which attributions are (share 1).

# %%
X = training.X.astype(np.float32)
teacher = SeriesTeacher(max_epochs=2 if options.quick else 40, seed=0).fit(X, training.y)
gradients = input_gradients(teacher.as_torch(), X)
with without_boundary_warnings():  # four levels are one more than fit 40 samples, as published
    path = distill_path(
        X, gradients, wavelet="db3", levels=4, shares=[0, 1] if options.quick else [0, 0.25, 0.5, 0.75, 1],
        search=SearchSettings(random_starts=0 if options.quick else 16),
    )  # fmt: skip

# %% [markdown]
# ## The largest coefficients of each scale
# Cross-validation on training tracks chooses the wavelet: the first that the folds cannot tell from the best, where the
# start stands first, since nobody had to fit it, and then those that lean most on the teacher. Folds keep cells
# together where there are two or more, and z-scores and penalty are fitted anew in each, so that its score is one for
# cells that nothing has seen.

# %%
groups = training.groups()
step = float(np.nanmedian(training.seconds_per_sample))
step = step if np.isfinite(step) else None


def features_of(wavelet):
    """The two largest and the two most negative coefficients of each scale, when they come, and the scale's energy."""
    return MaxCoefficients(wavelet, levels=4, seconds_per_sample=step, **FEATURES["timed"])


candidates = [path.start, *(point.wavelet for point in reversed(path))]
names = [path.start.name, *(f"distilled, share {point.share:g}" for point in reversed(path))]
search = search_settings(
    [features_of(wavelet) for wavelet in candidates], series.take(rows), SeriesRidge(seed=0),
    folds=3 if options.quick else 5, repeats=1 if options.quick else 3, seed=0,
)  # fmt: skip
best = search.first_within(1.0)
for number, (name, score, error) in enumerate(zip(names, search.pooled, search.standard_error(), strict=True)):
    print(f"  {name:22s} R² {score:.3f}, {error:.3f} from the best{'   chosen' if number == best else ''}")

features = features_of(candidates[best]).fit(training.X)
model = SeriesRidge(seed=0).fit(features.transform(training.X), training.y, groups=groups)

# %% [markdown]
# ## The test
# In auxilin's own unit, on cells that took no part. Error bars from the jackknife, which leaves out one cell at a time.

# %%
truth = series.y[held]
plain = features_of("db5").fit(training.X)
rivals = {
    "distilled": model.predict(features.transform(test.X)),
    "db5, same features": SeriesRidge(seed=0)
    .fit(plain.transform(training.X), training.y, groups=groups)
    .predict(plain.transform(test.X)),
    "ridge on raw series": SeriesRidge(seed=0).fit(training.X, training.y, groups=groups).predict(test.X),
    "LSTM (teacher)": teacher.predict(test.X.astype(np.float32)),
}
rivals = {name: z_scores.restore_targets(found, test.cell) for name, found in rivals.items()}
print()
for name, found in rivals.items():
    interval = score_interval(truth, found, test.groups())
    print(f"  {name:20s} R² {interval.value:.3f} (95 %: {interval.low:.3f} to {interval.high:.3f})")

# %% [markdown]
# ## The card
# All that is needed to score a track and to discuss the model: the wavelet, its scales in seconds, each coefficient
# with the interval of its effect without the penalty, the units.

# %%
intervals = coefficient_intervals(model, features.transform(training.X), training.y, groups)
notes = {"wavelet": names[best], "test tracks": len(test)}
card = ModelCard.of(features, model, training, z_scores, intervals=intervals, notes=notes)
card.save(options.out / "card.json")
again = ModelCard.load(options.out / "card.json").predict(series.X[held], cell=series.cell[held])
print(f"\nlargest difference of the card's predictions: {np.abs(again - rivals['distilled']).max():.1e} counts")

scale = features.transform(training.X).std(axis=0) * float(z_scores.targets.sd)
table = pd.DataFrame(card.coefficients[:, :3] * scale[:, None], columns=["effect", "low", "high"], index=card.names)
table["p"] = card.coefficients[:, 3]  # corrected for the number of features
table = table.loc[table["effect"].abs().sort_values(ascending=False).index[:10]]
print(f"\n{partner} per standard deviation of a feature, the ten strongest (counts)")
print(table.round(2).to_string())

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained", width_ratios=(1, 1, 1.1))
time = np.arange(series.X.shape[1]) * (step or 1)
order = np.argsort(truth)
for quantile, colour in ((0.1, "#9A9A9A"), (0.5, "#56B4E9"), (0.95, "#0072B2")):
    row = held[order[int(quantile * (len(order) - 1))]]
    axes[0].plot(time, series.X[row], color=colour, label=f"{series.y[row]:.0f}")
axes[0].set(title=f"{seen} of three test tracks", xlabel=f"time ({'s' if step else 'samples'})", ylabel="counts")
axes[0].legend(title=partner, frameon=False, fontsize=8)
limits = np.quantile(truth, [0, 0.995])
axes[1].plot(limits, limits, color="black", linewidth=0.8)
axes[1].scatter(truth, rivals["distilled"], s=9, color="#0072B2", alpha=0.5, linewidth=0)
axes[1].set(title="test tracks", xlabel=f"measured {partner} (counts)", ylabel="predicted (counts)", xlim=limits)
places = np.arange(len(table))[::-1]
axes[2].hlines(places, table["low"], table["high"], color="#D55E00")
axes[2].plot(table["effect"], places, "o", color="#D55E00")
axes[2].axvline(0, color="black", linewidth=0.8)
axes[2].set_yticks(places, table.index, fontsize=8)
reach = 4 * table["effect"].abs().max()  # of few cells intervals are so wide that nothing else could be seen
axes[2].set(title="what the model reads", xlabel=f"{partner} per standard deviation (counts)", xlim=(-reach, reach))
figure.savefig(options.out / "model.png", dpi=130)
candidates[best].plot(before=path.start).savefig(options.out / "wavelet.png", dpi=130)
candidates[best].save(options.out / "wavelet.json")
print(f"\nLook at model.png, wavelet.png and card.json in {options.out}.")
