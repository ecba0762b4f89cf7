"""What the comparison of a run draws for its error bars, and which row stands for a model."""

from types import SimpleNamespace

import numpy as np
import pytest

from awd_cosmo.inference.results import Results
from awd_cosmo.run.evaluate import bootstrap_groups


def test_maps_that_may_share_phases_are_drawn_together():
    cosmology, realisation = np.repeat(np.arange(4), 6), np.tile(np.arange(6), 4)
    split = SimpleNamespace(test=np.flatnonzero(realisation >= 3))
    prepared = SimpleNamespace(
        cosmology=cosmology, realisation=realisation, splits={"held_out": split, "published": split}, independent=False
    )
    groups, drawn = bootstrap_groups(prepared, "published")
    assert (drawn, groups.tolist()) == ("realisations", [3, 4, 5] * 4)
    prepared.independent = True
    groups, drawn = bootstrap_groups(prepared, "published")
    assert (drawn, len(np.unique(groups))) == ("maps", 12)
    groups, drawn = bootstrap_groups(prepared, "held_out")
    assert (drawn, groups.tolist()) == ("cosmologies", np.repeat(np.arange(4), 3).tolist())


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
