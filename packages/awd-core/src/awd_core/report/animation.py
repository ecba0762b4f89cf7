"""The wavelet adapting: its way from the start to the minimum, as a GIF and as a filmstrip for paper."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from awd_core.distill.descent import Descent, all_angles
from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.plotting.palette import BEFORE, HIGH, LOW
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet

LARGEST = 1_500_000
"""Bytes of a GIF, at most."""

LEVEL = 6
"""Refinements of the functions that are drawn."""

Limits = tuple[float, float]


@dataclass(frozen=True)
class PathState:
    """The wavelet at one moment on its way.

    Attributes
    ----------
    wavelet : Wavelet
        What it was.
    share : float
        The share of the interpretation term at that moment.
    step : int
        Iterations so far, over all searches on the way.
    """

    wavelet: Wavelet
    share: float
    step: int


@dataclass(frozen=True)
class Trajectory:
    """The way from a start to a minimum.

    Attributes
    ----------
    begin : str
        Name of the start, such as "db5" or "random 3".
    states : tuple of PathState
        Every iteration of every search on the way, the start first.
    """

    begin: str
    states: tuple[PathState, ...]


def trajectory(path: DistillationPath, point: PathPoint) -> Trajectory:
    """The way on which the wavelet of a point was found, from the filter where it all began.

    The last search of a point starts where an earlier one ended, often at another share; followed back, this leads to
    one of the first starts. If the user's wavelet leads to the same place as that start, the way begins there.
    """
    searches = [(p.share, d) for p in path for d in p.descents]
    way = [(point.share, point.best)]
    seen = {id(point.best)}
    while (before := _predecessor(way[0][1], searches, seen)) is not None:
        way.insert(0, before)
        seen.add(id(before[1]))
    way[0] = _from_the_users_start(way[0], searches, path.start.name)
    states: list[PathState] = []
    for share, descent in way:
        for step in descent.steps:
            wavelet = Wavelet.from_angles(all_angles(np.array(step.free_angles)), name=point.wavelet.name)
            # A search begins where the one before ended.
            if not states or wavelet != states[-1].wavelet:
                states.append(PathState(wavelet, share, len(states)))
    return Trajectory(way[0][1].start, tuple(states))


def animate(way: Trajectory, *, frames: int = 48, dpi: int = 100) -> bytes:
    """GIF of a wavelet that adapts: scaling function, wavelet function and taps, the start behind in grey.

    Parameters
    ----------
    way : Trajectory
        From `trajectory`.
    frames : int
        How many frames, at most. Between iterations that are far apart the angles are interpolated.
    dpi : int
        Dots per inch of a picture of 6.4 × 2.6 inches.

    Returns
    -------
    bytes
        A GIF of less than `LARGEST` bytes, that begins anew after some seconds on the last frame.
    """
    moments = _resampled(way.states, frames)
    while True:
        images = list(_frames(way.begin, moments, dpi))
        waits = [900, *[90] * (len(images) - 2), 2500][-len(images) :]
        file = io.BytesIO()
        images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=waits, loop=0, optimize=True)
        if file.tell() < LARGEST or len(moments) <= 2:
            return file.getvalue()
        moments = [*moments[:-1:2], moments[-1]]


def filmstrip(way: Trajectory, *, columns: int = 5) -> Figure:
    """The same for paper: moments side by side, φ, ψ and the taps below each other."""
    moments = _resampled(way.states, columns)
    figure = Figure(figsize=(1.7 * len(moments) + 0.5, 4.4), layout="constrained")
    rows = figure.subplots(3, len(moments), squeeze=False, sharey="row")
    limits = _limits([state.wavelet for state in moments])
    for column, state in enumerate(moments):
        stage = _Stage(list(rows[:, column]), moments[0].wavelet, limits)
        stage.show(state.wavelet)
        rows[0, column].set_title(_legend(way.begin, state, moments), fontsize=9)
        if column > 0:
            for axes in rows[:, column]:
                axes.set_ylabel("")
    return figure


class _Stage:
    """Three panels, φ, ψ and taps, with the start behind; what is in front is moved, not drawn anew."""

    def __init__(self, panels: Sequence[Axes], start: Wavelet, limits: Sequence[Limits]) -> None:
        x, *functions = start.functions(LEVEL)
        self._curves = []
        for axes, values, colour in zip(panels[:2], functions, (LOW, HIGH), strict=True):
            axes.plot(x, values, color=BEFORE, linewidth=1.0)
            self._curves += axes.plot(x, values, color=colour, linewidth=1.7)
        n = np.arange(start.length)
        panels[2].vlines(n, 0.0, start.taps, color=BEFORE, linewidth=1.0)
        panels[2].plot(n, start.taps, "o", markersize=6.5, markerfacecolor="none", markeredgecolor=BEFORE)
        self._stems = panels[2].vlines(n, 0.0, start.taps, color=LOW, linewidth=1.4)
        self._curves += panels[2].plot(n, start.taps, "o", markersize=4, color=LOW)
        for axes, limit, name in zip(panels, limits, ("φ(t)", "ψ(t)", "h(n)"), strict=True):
            axes.set_ylim(limit)
            axes.set_ylabel(name, fontsize=9)
            axes.tick_params(labelsize=8)
            axes.axhline(0.0, color="black", linewidth=0.6, zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    def show(self, wavelet: Wavelet) -> None:
        """Move what is in front."""
        _, phi, psi = wavelet.functions(LEVEL)
        for curve, values in zip(self._curves, (phi, psi, wavelet.taps), strict=True):
            curve.set_ydata(values)
        self._stems.set_segments([[(n, 0.0), (n, tap)] for n, tap in enumerate(wavelet.taps.tolist())])


def _predecessor(
    descent: Descent, searches: Sequence[tuple[float, Descent]], seen: set[int]
) -> tuple[float, Descent] | None:
    """The search that ended, to the bit, where this one starts; the one with most steps, since it came furthest."""
    begin = descent.steps[0].free_angles
    found = [(s, d) for s, d in searches if id(d) not in seen and d.steps[-1].free_angles == begin]
    return max(found, key=lambda item: len(item[1].steps), default=None)


def _from_the_users_start(
    first: tuple[float, Descent], searches: Sequence[tuple[float, Descent]], name: str
) -> tuple[float, Descent]:
    """A search at the same share that led to the same place from the user's wavelet, if there is one."""
    share, descent = first
    end = Wavelet.from_angles(descent.angles).taps
    for wanted in (name, f"{name} reversed"):
        for other in (d for s, d in searches if s == share and d.start == wanted):
            # The place is the same if nobody would see the jump.
            if np.linalg.norm(Wavelet.from_angles(other.angles).taps - end) < 0.02:
                return share, other
    return first


def _resampled(states: Sequence[PathState], frames: int) -> list[PathState]:
    """Poses at even distances of the way, measured in taps: a search takes large steps first and tiny ones last."""
    taps = np.array([state.wavelet.taps for state in states])
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(taps, axis=0), axis=1))])
    if way[-1] == 0.0:
        return [states[0]]
    resampled = []
    for place in np.linspace(0.0, way[-1], frames):
        right = min(int(np.searchsorted(way, place)), len(states) - 1)
        left = max(right - 1, 0)
        part = 1.0 if right == left else (place - way[left]) / (way[right] - way[left])
        free = [_unwrapped(states[i].wavelet, states[left].wavelet) for i in (left, right)]
        angles = all_angles((1 - part) * free[0] + part * free[1])
        wavelet = Wavelet.from_angles(angles, name=states[-1].wavelet.name)
        near = states[right if part > 0.5 else left]
        resampled.append(PathState(wavelet, near.share, near.step))
    # The ends are exact.
    return [states[0], *resampled[1:-1], states[-1]]


def _unwrapped(wavelet: Wavelet, reference: Wavelet) -> Array:
    """Free angles in the representative that is nearest to the reference's: ±π in one is no way to go."""
    free = np.asarray(wavelet.angles[1:])
    return free + math.pi * np.round((reference.angles[1:] - free) / math.pi)


def _limits(wavelets: Sequence[Wavelet]) -> list[Limits]:
    """Ranges of φ, ψ and the taps that hold all of them, so that nothing jumps."""
    functions = [wavelet.functions(LEVEL) for wavelet in wavelets]
    return [_range([f.phi for f in functions]), _range([f.psi for f in functions]), _range([w.taps for w in wavelets])]


def _range(values: Sequence[Array]) -> Limits:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    margin = 0.08 * (high - low)
    return low - margin, high + margin


def _frames(begin: str, moments: Sequence[PathState], dpi: int) -> Iterator[Image.Image]:
    figure = Figure(figsize=(6.4, 2.6), dpi=dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    stage = _Stage(list(figure.subplots(1, 3)), moments[0].wavelet, _limits([state.wavelet for state in moments]))
    title = figure.suptitle("start", fontsize=11)
    palette = _palette()
    for state in moments:
        stage.show(state.wavelet)
        title.set_text(_legend(begin, state, moments))
        canvas.draw()  # type: ignore[no-untyped-call]
        # Laid out once: nothing moves but the wavelet.
        figure.set_layout_engine("none")
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        yield Image.fromarray(pixels).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)


def _palette() -> Image.Image:
    """The colours drawn with and their mixtures with white, for all frames: only what moved is stored."""
    inks = [np.array([int(ink[i : i + 2], 16) for i in (1, 3, 5)]) for ink in (LOW, HIGH, BEFORE, "#000000")]
    mixtures = [255 + (ink - 255) * step / 16 for ink in inks for step in range(17)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.round(mixtures).astype(np.uint8).tobytes())
    return image


def _legend(begin: str, state: PathState, states: Sequence[PathState]) -> str:
    if state.step == 0:
        return f"start: {begin}"
    found = ", found" if state is states[-1] else ""
    return f"step {state.step}, α = {state.share:g}{found}"
