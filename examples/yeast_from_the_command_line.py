# %% [markdown]
# # A network of your own, distilled from the command line
# Real two-channel tracks of endocytic sites in yeast (Pedersen, Hassinger, Marchando, Drubin 2020): from the series of
# the coat protein, how strong will Abp1 get? A plain LSTM learns it; `awd distill` asks the network for its input
# gradients once and learns the wavelet. All that passes between the two are three files. Any file of tracks that
# `awd-cme` reads will do, if it holds two channels.

# %%
import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from awd_cme import read_tracks, yeast_problem
from awd_core import Teacher

parser = argparse.ArgumentParser(description="Train a plain LSTM on yeast tracks and distil it with `awd distill`.")
parser.add_argument(
    "--data", type=Path, default=Path(os.environ.get("AWD_DATA", ".")) / "cme/yeast/Sla1-GFP_Abp1-RFP.mat",
    help="a file with goodTrackData",
)  # fmt: skip
parser.add_argument("--out", type=Path, default=Path("runs/yeast"), help="folder for the files")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Split before anything is fitted: means and deviations are those of the training tracks.

# %%
table, losses = read_tracks(options.data)
print(losses)
training, test = yeast_problem(table, seed=0)
teacher = Teacher(
    "awd_cme.teacher.networks:SeriesLSTM", scale_inputs="none", max_epochs=3 if options.quick else 150, patience=None,
    accelerator="cpu",
)  # fmt: skip
teacher.fit(training.X, training.y, validation=None)
print(f"The LSTM's R² on {len(test)} test tracks: {teacher.score(test.X, test.y):.3f}")

# %%
np.save(options.out / "X.npy", training.X.astype(np.float32))
np.save(options.out / "y.npy", training.y)
save_file(teacher.as_torch().network.state_dict(), options.out / "lstm.safetensors")

# %% [markdown]
# The report (not at the small size) holds the figures: the path, the wavelet, what the searches found, whether the
# attributions deserve trust.

# %%
command = [
    "awd", "distill", options.out / "X.npy", "--ndim", "1", "--y", options.out / "y.npy",
    "--teacher", "awd_cme.teacher.networks:SeriesLSTM", "--weights", options.out / "lstm.safetensors", "--target", "0",
    "--random-starts", "2" if options.quick else "64", "--out", options.out / "run",
]  # fmt: skip
if options.quick:
    command += ["--wavelet", "db2", "--shares", "2", "--no-quality", "--no-report"]
print("$", *command, flush=True)
subprocess.run([Path(sys.executable).with_name("awd"), *command[1:]], check=True)
print(f"\nLook at {options.out / 'run' / 'report.html'}.")
