"""The figure of a wavelet: what is on it, and how it is written."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from awd_core.plotting.export import save_figure
from awd_core.plotting.palette import BEFORE, HIGH, LOW
from awd_core.wavelets.plot import plot_wavelet
from awd_core.wavelets.wavelet import Wavelet


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def learnt():
    start = Wavelet.from_name("db3")
    return Wavelet.from_angles(start.angles + np.array([0.1, 0.1, -0.2]), name="learnt")


def lines(axes, colour):
    return [line for line in axes.get_lines() if line.get_color() == colour and len(line.get_xdata()) > 2]


def test_the_curves_are_the_wavelets_own(learnt):
    figure = plot_wavelet(learnt, level=5)
    scaling, function, filters, response = figure.axes
    x, phi, psi = learnt.functions(5)
    for axes, colour, values in ((scaling, LOW, phi), (function, HIGH, psi)):
        (line,) = lines(axes, colour)
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), values)
    marks = [line for line in filters.get_lines() if line.get_marker() in ("o", "s")]
    np.testing.assert_array_equal(marks[0].get_ydata(), learnt.dec_lo)
    np.testing.assert_array_equal(marks[1].get_ydata(), learnt.dec_hi)
    omega, low, high = learnt.frequency_response(512)
    np.testing.assert_array_equal(lines(response, LOW)[0].get_ydata(), low)
    np.testing.assert_array_equal(lines(response, HIGH)[0].get_ydata(), high)
    np.testing.assert_array_equal(lines(response, HIGH)[0].get_xdata(), omega)


def test_every_axis_has_a_title_and_units(learnt):
    axes = plot_wavelet(learnt).axes
    assert [a.get_xlabel() for a in axes] == ["t (samples)", "t (samples)", "n (samples)", "ω (rad/sample)"]
    assert [a.get_ylabel() for a in axes] == ["φ(t)", "ψ(t)", "h(n), g(n)", "|H(ω)|, |G(ω)|"]
    assert all(a.get_title(loc="left") for a in axes)


def test_the_head_counts_taps_and_moments(learnt):
    assert plot_wavelet(learnt).get_suptitle() == "learnt: 6 taps, 1 vanishing moment"
    assert plot_wavelet("db3").get_suptitle() == "db3: 6 taps, 3 vanishing moments"


def test_the_wavelet_before_is_grey_and_behind(learnt):
    figure = learnt.plot(before="db3", level=4)
    scaling = figure.axes[0]
    colours = [line.get_color() for line in scaling.get_lines() if len(line.get_xdata()) > 2]
    assert colours == [BEFORE, LOW]
    np.testing.assert_array_equal(lines(scaling, BEFORE)[0].get_ydata(), Wavelet.from_name("db3").functions(4).phi)
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "before: db3"
    assert not any(lines(axes, BEFORE) for axes in learnt.plot().axes)


@pytest.mark.parametrize("name", ["haar", "db38", "dmey"])
def test_short_and_long_filters_can_be_drawn(name, tmp_path):
    save_figure(plot_wavelet(name, level=3), tmp_path / "w.png", dpi=40)
    assert (tmp_path / "w.png").stat().st_size > 1000


def test_a_response_above_the_orthonormal_one_stays_inside():
    free = Wavelet.from_taps([2.0, 1.0], tolerance=10)
    assert plot_wavelet(free, level=2).axes[3].get_ylim()[1] > 3.0


def test_what_is_no_wavelet_is_refused():
    with pytest.raises(TypeError, match="a wavelet must be"):
        plot_wavelet(3)
    with pytest.raises(ValueError, match="no wavelet 'db99'"):
        plot_wavelet("db3", before="db99")


@pytest.mark.parametrize(("ending", "head"), [("png", b"\x89PNG"), ("PDF", b"%PDF"), ("svg", b"<?xml")])
def test_the_ending_names_the_format(tmp_path, ending, head):
    save_figure(plot_wavelet("db2", level=2), tmp_path / f"w.{ending}", dpi=30)
    assert (tmp_path / f"w.{ending}").read_bytes().startswith(head)
    assert files_in(tmp_path) == [f"w.{ending}"]


@pytest.mark.parametrize("name", ["w", "w.docx"])
def test_an_unknown_ending_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name} must end in one of \..*\.png"):
        save_figure(Figure(), tmp_path / name)
    assert files_in(tmp_path) == []


def test_the_old_figure_stays_when_drawing_fails(tmp_path, monkeypatch):
    (tmp_path / "w.png").write_bytes(b"old")
    figure = Figure()

    def broken(*_, **__):
        raise RuntimeError("no font")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(RuntimeError, match="no font"):
        save_figure(figure, tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes() == b"old"
    assert files_in(tmp_path) == ["w.png"]


def test_pyplot_is_not_needed():
    script = (
        "from awd_core import Wavelet; Wavelet.of('db2').plot(); import sys; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
