"""What the test maps of a run are a draw of, and which row stands for a model."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from awd_cosmo.inference.results import ModelRow, Protocol, Ratio, Results
from awd_cosmo.run.evaluate import independent_units
from awd_cosmo.run.prepare import Prepared


def test_what_test_maps_are_a_draw_of():
    cosmology, realisation = np.repeat(np.arange(4), 6), np.tile(np.arange(6), 4)
    split = SimpleNamespace(test=np.flatnonzero(realisation >= 3))
    prepared = SimpleNamespace(
        cosmology=cosmology, realisation=realisation, splits={"held_out": split, "published": split}, independent=False
    )
    prepared.phases = lambda rows: Prepared.phases(prepared, rows)
    units, drawn = independent_units(prepared, "published")
    assert (drawn, units["realisation"].tolist()) == ("realisations", [3, 4, 5] * 4)
    units, drawn = independent_units(prepared, "held_out")
    assert (drawn, units["realisation"].tolist()) == ("cosmologies and realisations", [3, 4, 5] * 4)
    assert units["cosmology"].tolist() == np.repeat(np.arange(4), 3).tolist()
    prepared.independent = True
    units, drawn = independent_units(prepared, "published")
    assert (drawn, len(np.unique(units["realisation"]))) == ("maps", 12)
    units, drawn = independent_units(prepared, "held_out")
    assert (drawn, list(units)) == ("cosmologies", ["cosmology"])


def test_a_row_is_that_of_the_regression_where_the_published_estimator_stands_beside_it():
    rows = [
        ModelRow("awd", "AWD", "awd", "peaks", "nearest chi2", 0.02, validation_rmse=0.01),
        ModelRow("awd", "AWD", "awd", "peaks", "ridge", 0.02, validation_rmse=0.02),
        ModelRow("raw", "raw", "classical", "peaks", "nearest chi2", 0.02, validation_rmse=0.03),
    ]
    results = Results("Omega_m", {"published": Protocol(rows)})
    assert results.row("published", "awd") is rows[1]
    assert results.row("published", "raw") is rows[2]
    with pytest.raises(KeyError, match="no row 'db5' in the protocol 'published'; there are awd, raw"):
        results.row("published", "db5")


def test_results_come_back_as_they_were_written(tmp_path):
    rows = [
        ModelRow(
            "awd",
            "AWD",
            "awd",
            "peaks",
            "ridge",
            0.02,
            0.01,
            0.03,
            0.005,
            0.9,
            0.001,
            math.nan,
            math.nan,
            math.nan,
            0.02,
            7,
        ),
        ModelRow("db5", "db5", "wavelet", "peaks", "ridge", 0.04),
    ]
    ratios = [Ratio("held_out", "awd", "db5", 0.5, 0.4, 0.6, 0.05)]
    results = Results("Omega_m", {"held_out": Protocol(rows, test=10, units="maps")}, ratios)
    results.save(tmp_path / "results.json")
    again = Results.read(tmp_path)
    assert again.to_dict() == results.to_dict()
    assert list(again.to_dict()["ratios"][0]) == ["protocol", "of", "to", "value", "low", "high", "error"]
    assert (again.protocols["held_out"].name, again.row("held_out", "db5").rmse) == ("held_out", 0.04)
    assert again.ratio("held_out", "db5") == ratios[0]
    assert again.ratio("held_out", "db5").verdict == "below"
    other = again.ratio("held_out", "awd", of="db5")
    assert (other.value, other.verdict) == (2.0, "unknown")
    assert "awd / db5 = 0.500 (0.400–0.600)" in again.text()
