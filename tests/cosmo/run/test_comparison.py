"""What the test maps of a run are a draw of, and which row stands for a model."""

from types import SimpleNamespace

import numpy as np
import pytest

from awd_cosmo.inference.results import Results
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
        {"key": "awd", "estimator": "nearest chi2", "validation_rmse": 0.01},
        {"key": "awd", "estimator": "ridge", "validation_rmse": 0.02},
        {"key": "raw", "estimator": "nearest chi2", "validation_rmse": 0.03},
    ]
    results = Results("Omega_m", {"published": {"rows": rows}}, [])
    assert results.row("published", "awd") is rows[1]
    assert results.row("published", "raw") is rows[2]
    with pytest.raises(KeyError, match="no row 'db5' in the protocol 'published'; there are awd, raw"):
        results.row("published", "db5")
