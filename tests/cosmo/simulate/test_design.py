"""Designs fill their ranges, are seeded, and hold numbers that names of folders can tell."""

import numpy as np
import pytest
from astropy import units as u

from awd_cosmo.formats.parameters import massivenus_name, parse_name
from awd_cosmo.simulate.design import MASSIVENUS_RANGES, design_table, latin_hypercube, sobol

DESIGNS = [latin_hypercube, sobol]


def strata(table, name, n):
    low, high = MASSIVENUS_RANGES[name]
    values = np.asarray(table[name], dtype=float)
    return sorted(((values - low) / (high - low) * n).astype(int).tolist())


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", list(MASSIVENUS_RANGES))
def test_every_stratum_holds_one_point(design, name):
    # 64 is a power of two, where a Sobol sequence is as well balanced as a Latin hypercube.
    table = design(MASSIVENUS_RANGES, 64, seed=3, rounded=False)
    assert strata(table, name, 64) == list(range(64))


@pytest.mark.parametrize("design", DESIGNS)
def test_the_seed_decides(design):
    one, same, other = (design(MASSIVENUS_RANGES, 20, seed=seed) for seed in (0, 0, 1))
    assert one["Omega_m"].tolist() == same["Omega_m"].tolist() != other["Omega_m"].tolist()


def test_a_sobol_design_grows_by_adding_points():
    short, long = (sobol(MASSIVENUS_RANGES, n, seed=5) for n in (np.int64(12), 50))
    assert len(short) == 12
    assert long["A_s"].tolist()[:12] == short["A_s"].tolist()


@pytest.mark.parametrize("design", DESIGNS)
def test_names_of_folders_tell_the_parameters_exactly(design):
    table = design(MASSIVENUS_RANGES, 33, seed=0)
    assert table["cosmology"].tolist() == list(range(33))
    assert table["M_nu"].unit == u.eV
    for row in table:
        values = {"M_nu": row["M_nu"].value, "Omega_m": float(row["Omega_m"]), "A_s": float(row["A_s"])}
        assert parse_name(massivenus_name(**values)) == values


def test_points_stay_in_their_ranges_when_rounded():
    ranges = {"Omega_m": (0.2000012, 0.2000093)}
    values = latin_hypercube(ranges, 2, seed=0)["Omega_m"]
    assert values.min() >= 0.2000012
    assert values.max() <= 0.2000093


def test_one_cosmology_is_a_design_too():
    for design in DESIGNS:
        assert len(design({"sigma8": (0.6, 0.9)}, 1, seed=0)) == 1


def test_a_table_of_ones_own():
    table = design_table({"M_nu": [0.0, 0.1], "Omega_m": [0.3, 0.3], "sigma8": [0.8, 0.8]})
    assert table.colnames == ["cosmology", "M_nu", "Omega_m", "sigma8"]
    assert table["M_nu"].to_value("meV").tolist() == [0.0, 100.0]


@pytest.mark.parametrize(
    ("ranges", "n", "message"),
    [
        ({"Omega_m": (0.2, 0.4)}, 0, "n is 0; give a positive whole number"),
        ({}, 4, "at least one parameter"),
        ({"Omega_m": (0.4, 0.2)}, 4, "must rise"),
        ({"Omega_m": (0.2, 4.0)}, 4, "outside its plausible range"),
        ({"Omega_b": (0.04, 0.05)}, 4, "unknown parameter"),
        ({"Omega_m": (0.2, 0.20001)}, 9, "leave it in once"),
    ],
)
@pytest.mark.parametrize("design", DESIGNS)
def test_ranges_that_make_no_design_are_refused(design, ranges, n, message):
    with pytest.raises(ValueError, match=message):
        design(ranges, n, seed=0)


def test_tables_that_make_no_design_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        design_table({"Omega_m": [0.3, 0.2], "A_s": [2.1]})
    with pytest.raises(ValueError, match=r"Omega_m = 0.3 is 2 times"):
        design_table({"Omega_m": [0.3, 0.2, 0.3]})
