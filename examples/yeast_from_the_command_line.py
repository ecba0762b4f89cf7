# %% [markdown]
# # A network of your own, distilled from the command line
# Real two-channel tracks of endocytic sites in yeast (Pedersen, Hassinger, Marchando, Drubin 2020): from the series of
# the coat protein, how strong will Abp1 get? A plain LSTM learns it; `awd distill` asks the network for its input
# gradients once and learns the wavelet. All that passes between the two are three files.

# %%
import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from awd_cme.dataset import yeast_problem
from awd_cme.readers import read_tracks
from awd_core import Teacher

FILE = Path(__file__).resolve().parents[2] / "shared/data/cme/yeast/Sla1-GFP_Abp1-RFP.mat"

# %%
parser = argparse.ArgumentParser(description="Train a plain LSTM on yeast tracks and distil it with `awd distill`.")
parser.add_argument("file", type=Path, nargs="?", default=FILE, help="a file with goodTrackData")
parser.add_argument("--out", type=Path, default=Path("runs/yeast"), help="folder for the files")
parser.add_argument("--epochs", type=int, default=150)
parser.add_argument("--random-starts", type=int, default=64)
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Split before anything is fitted: means and deviations are those of the training tracks.

# %%
table, losses = read_tracks(options.file)
print(losses)
training, test = yeast_problem(table, seed=0)
teacher = Teacher(
    "awd_cme.networks:SeriesLSTM", scale_inputs="none", max_epochs=options.epochs, patience=None, accelerator="cpu"
)
teacher.fit(training.X, training.y, validation=None)
print(f"The LSTM's R² on {len(test)} test tracks: {teacher.score(test.X, test.y):.3f}")

# %%
np.save(options.out / "X.npy", training.X.astype(np.float32))
np.save(options.out / "y.npy", training.y)
save_file(teacher.as_torch().network.state_dict(), options.out / "lstm.safetensors")

# %%
command = [
    "awd", "distill", options.out / "X.npy", "--ndim", "1",
    "--teacher", "awd_cme.networks:SeriesLSTM", "--weights", options.out / "lstm.safetensors", "--target", "0",
    "--y", options.out / "y.npy", "--random-starts", str(options.random_starts), "--out", options.out / "run",
]  # fmt: skip
print("$", *command, flush=True)
subprocess.run([Path(sys.executable).with_name("awd"), *command[1:]], check=True)
