"""The gallery's thumbnails: `python docs/make_gallery.py RUNS` makes those whose figures lie in RUNS or docs/figures.

RUNS/NAME is the folder that examples/NAME.py was given by `--out`, RUNS/any_field the run of that tutorial. What is not
there keeps its thumbnail.
"""

import io
import sys
from pathlib import Path

from PIL import Image

from awd_core import Wavelet

FIGURES = Path(__file__).parent / "figures"
WIDTH, HEIGHT = 480, 300
SOURCES = {
    "astronomer": "docs/distilled.png",
    "cell_biologist": "movies_to_a_card/model.png",
    "any_field": "any_field/wavelet.json",
    "spectra": "docs/spectra_weights.png",
    "classes": "docs/classes_worth.png",
    "few_numbers": "digits_to_ten_numbers/patterns.png",
    "a_wavelet_adapts": "a_wavelet_adapts/adapting.png",
    "demo": "demo/wavelet.png",
    "denoise_with_a_distilled_wavelet": "denoise_with_a_distilled_wavelet/pictures.png",
    "digits_to_ten_numbers": "digits_to_ten_numbers/curve.png",
    "explanation_family": "explanation_family/xor.png",
    "mass_maps_to_omega_m": "mass_maps_to_omega_m/maps.png",
    "movies_to_a_card": "movies_to_a_card/wavelet.png",
    "spectra_to_ten_numbers": "spectra_to_ten_numbers/curve.png",
    "trim_gallery": "trim_gallery/frequencies.png",
    "yeast_from_the_command_line": "yeast_from_the_command_line/run/wavelet.json",
}
"""Of each tutorial and example, the figure that stands for it, or the wavelet to be drawn."""


def main(runs: Path) -> None:
    """Shrink each figure to fit, on white."""
    folder = FIGURES / "gallery"
    folder.mkdir(exist_ok=True)
    for name, source in SOURCES.items():
        file = FIGURES / source.removeprefix("docs/") if source.startswith("docs/") else runs / source
        if not file.is_file():
            print(f"{name}: there is no {file}")
            continue
        drawn: Path | io.BytesIO = file
        if file.suffix == ".json":
            drawn = io.BytesIO()
            Wavelet.load(file).plot().savefig(drawn, format="png")
        with Image.open(drawn) as opened:
            figure = opened.convert("RGBA")
        figure.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        page = Image.new("RGB", (WIDTH, HEIGHT), "white")
        page.paste(figure, ((WIDTH - figure.width) // 2, (HEIGHT - figure.height) // 2), figure)
        page.quantize(64).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
