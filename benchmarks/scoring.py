"""Scoring tracks: the model card against the network that it was distilled from, on one core.

The network is the published LSTM (one layer, 20 units), as a bare module in evaluation mode under `inference_mode`;
beside it stands the teacher's default, which reads in both directions. The card takes the series in counts and gives
the target in counts, z-scores included; the networks take standardised tensors. What the card would cost is independent
of what it was fitted to, so the weights are random; results are compared with the features that it stands for.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_cme.model import MaxCoefficients, ModelCard, SeriesRidge
from awd_cme.series import fit_z_scores
from awd_cme.series.series_set import example_set
from awd_cme.teacher import SeriesLSTM
from awd_cme.teacher.networks import TunedSeriesLSTM
from benchmarks.contenders import OURS, SEED
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Settings, take_turns, use_all_cores

PUBLISHED, TUNED = "LSTM, 20 units", "LSTM, both directions"
CARDS: dict[str, dict[str, Any]] = {
    "6 largest": {"which": "positive", "most": 6},
    "2 largest, 2 lowest": {"which": "both", "most": 2},
    "the same with times and energies": {"which": "both", "most": 2, "positions": True, "energies": True},
}
BATCHES = (1, 10_000)
GOAL = 200.0


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of scoring: a row for each card and batch, in time for the whole batch."""
    contenders = (OURS, PUBLISHED, TUNED)
    title = "Scoring tracks of 40 samples with the model card (db5, 4 levels, zero, float32, one core)"
    section = Section("scoring", title, ("card", "batch"), contenders, (PUBLISHED, TUNED))
    torch.manual_seed(SEED)
    networks = {PUBLISHED: SeriesLSTM().eval(), TUNED: TunedSeriesLSTM().eval()}
    worst = 0.0
    torch.set_num_threads(1)
    try:
        for name, options in CARDS.items():
            card, gap = random_card(options)
            worst = max(worst, gap)
            for batch in BATCHES:
                log(f"{name}, batch of {batch}")
                calls = {OURS: scored(card, batch), **{key: asked(net, batch) for key, net in networks.items()}}
                with torch.inference_mode():
                    found = measures(take_turns(calls, settings.seconds, settings.rounds), OURS, frozenset())
                goal = Goal("≥", GOAL, PUBLISHED, found[PUBLISHED].ratio)
                section.rows.append(Row((name, str(batch)), found, goal=goal))
    finally:
        use_all_cores()
    section.notes = [
        "A batch of one is some fifty calls of NumPy for the card, whose price does not depend on the series.",
        f"The card's predictions agree with those of its features and regression within {worst:.0e} (relative).",
    ]
    section.sound = worst < 1e-9
    return section


def random_card(options: dict[str, Any]) -> tuple[ModelCard, float]:
    """A card with random weights, and how far it lies from the features that it stands for (relative)."""
    raw = example_set(n=400, cells=1, seed=SEED)
    z_scores = fit_z_scores(raw)
    series = z_scores.apply(raw)
    features = MaxCoefficients("db5", seconds_per_sample=1.0, **options).fit(series.X)
    F = features.transform(series.X)
    predictor = SeriesRidge(alphas=(1.0,)).fit(F, series.y)
    card = ModelCard.of(features, predictor, raw, z_scores)
    expected = z_scores.restore_targets(predictor.predict(F), series.cell)
    gap = float(np.abs(card.predict(raw.X, cell=raw.cell) - expected).max() / expected.std())
    return card, gap


def scored(card: ModelCard, batch: int) -> Callable[[], object]:
    """A card that is asked for so many tracks at once."""
    X = example_set(n=max(batch, 2), cells=1, seed=SEED).X.astype(np.float32)
    if batch == 1:
        x = X[0]
        return lambda: card.predict(x)
    return lambda: card.predict(X)


def asked(network: nn.Module, batch: int) -> Callable[[], object]:
    """A network that is asked for so many tracks at once."""
    x = torch.randn(batch, 40)
    return lambda: network(x)
