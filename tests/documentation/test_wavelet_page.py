"""The page on which a wavelet is dragged: its numbers are those of awd_core, and dragging changes them.

Chromium opens the script in a page of its own, so that the site need not be built.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import Browser, found

from awd_core import DWT1d, Wavelet

pytestmark = pytest.mark.skipif(
    found() is None, reason="no chromium, chromium-browser, google-chrome or chrome is on the PATH; install one"
)
DOCS = Path(__file__).parents[2] / "docs"
LEVELS = 4
RANDOM = np.random.default_rng(0).uniform(-np.pi / 2, np.pi / 2, (4, 4))
ANGLES = [[np.pi / 4 - row[:k].sum(), *row[:k]] for row, k in zip(RANDOM, (1, 2, 3, 4), strict=True)]
"""Of filters of 4 to 10 taps that bear no name."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The page at the width of a screen, and the browser that holds it."""
    file = tmp_path_factory.mktemp("page") / "wavelet.html"
    page, script, style = DOCS / "wavelet.md", DOCS / "assets" / "wavelet.js", DOCS / "assets" / "extra.css"
    lab = next(line for line in page.read_text(encoding="utf-8").splitlines() if 'id="wavelet-lab"' in line)
    file.write_text(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=width=device-width>"
        f"<style>body {{ margin: 8px }} {style.read_text(encoding='utf-8')}</style>"
        f"<div class=md-typeset>{lab}<script>{script.read_text(encoding='utf-8')}</script></div>",
        encoding="utf-8",
    )
    with Browser(found()) as browser:
        yield browser.open(file, width=1280)


def compute(page, expression):
    """What the page's functions give."""
    return page.evaluate(f"(() => {{ const a = window.awdWavelet; return {expression}; }})()")


def close(given, wanted):
    """To rounding: both add a few products of doubles, each in its own order."""
    return np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-12)


def test_named_wavelets_are_those_of_the_package(opened):
    plain = compute(opened, "a.PLAIN")
    assert len(plain) == 8
    for name, angles in plain.items():
        close(compute(opened, f"a.tapsFromAngles({angles})"), Wavelet.from_name(name).dec_lo)


@pytest.mark.parametrize("angles", ANGLES, ids=["4 taps", "6 taps", "8 taps", "10 taps"])
def test_taps_functions_response_and_coefficients_are_those_of_the_package(opened, angles):
    wavelet = Wavelet.from_angles(angles)
    h = f"a.tapsFromAngles({json.dumps(list(map(float, angles)))})"
    close(compute(opened, h), wavelet.dec_lo)
    close(compute(opened, f"a.mirror({h})"), wavelet.dec_hi)
    functions = wavelet.functions(6)
    close(compute(opened, f"a.cascade({h}, {h}, 6)"), functions.phi)
    close(compute(opened, f"a.cascade(a.mirror({h}), {h}, 6)"), functions.psi)
    omega = np.linspace(0, np.pi, 129)
    powers = np.exp(-1j * np.outer(omega, np.arange(wavelet.length)))
    close(compute(opened, f"a.response({h})"), np.abs(powers @ wavelet.dec_lo))
    transform = DWT1d(wavelet, LEVELS, "periodization")
    for name in compute(opened, "Object.keys(a.SIGNALS)"):
        x = f"a.SIGNALS[{json.dumps(name)}]()"
        signal = np.array(compute(opened, x))
        bands = [band.numpy() for band in transform(torch.from_numpy(signal)[None]).tensors()]
        shown = compute(opened, f"a.dwt({x}, {h})")
        for given, wanted in zip(shown, bands, strict=True):
            close(given, wanted.ravel())
        close(compute(opened, f"a.norm({x}, {h})"), sum(np.abs(band).sum() for band in bands) / len(signal))
        close(compute(opened, f"a.inverse(a.dwt({x}, {h}), {h})"), signal)


def test_downhill_lowers_the_norm_and_stops(opened):
    walked = compute(
        opened,
        """(() => {
        const x = a.SIGNALS.steps(), norms = [];
        const of = (free) => a.norm(x, a.tapsFromAngles([Math.PI / 4 - free.reduce((p, q) => p + q, 0), ...free]));
        let free = [-1.0471975511965976], next;
        for (let i = 0; i < 500 && (next = a.downhill(free, x)) !== free; i++) { free = next; norms.push(of(free)); }
        return { norms, free };
    })()""",
    )
    assert 3 < len(walked["norms"]) < 500
    assert np.all(np.diff(walked["norms"]) < 0)
    end = Wavelet.from_angles([np.pi / 4 - walked["free"][0], *walked["free"]])
    # Steps are sparsest in Haar's wavelet; 0.01 is far below the distance from db2, 0.5.
    assert end.distance("haar") < 0.01


def test_dragging_moves_the_wavelet(opened):
    opened.resize(1280)
    box = opened.evaluate(
        "(({x, y, width, height}) => ({x, y, width, height}))"
        "(document.querySelector('.lab-pad').getBoundingClientRect())"
    )
    code = "document.querySelector('#wavelet-lab > div > code').textContent"
    before = opened.evaluate(code)
    for kind, across, up in (("mousePressed", 0.5, 0.5), ("mouseMoved", 0.75, 0.25), ("mouseReleased", 0.75, 0.25)):
        at = {"x": box["x"] + across * box["width"], "y": box["y"] + up * box["height"]}
        opened.send("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **at)
    after = opened.evaluate(code)
    assert before != after
    angles = json.loads(after.removeprefix("Wavelet.from_angles(").removesuffix(")"))
    # A quarter of the square to the right and upwards: 45° each, to a pixel of some 200.
    np.testing.assert_allclose(angles[1:], np.pi / 4, atol=0.03)
    assert "reconstruction error" in opened.evaluate("document.querySelector('.lab-words').textContent")
    sliders = opened.evaluate("[...document.querySelectorAll('.lab-sliders input')].map((one) => Number(one.value))")
    np.testing.assert_allclose(sliders, 45, atol=2)


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_nothing_is_cut_off_and_nothing_goes_wrong(opened, width):
    opened.resize(width)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate("document.querySelectorAll('#wavelet-lab svg').length") == 5
    assert opened.errors() == []
