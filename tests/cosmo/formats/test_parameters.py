"""Names, ranges, and the parameters that names and tables tell."""

import numpy as np
import pytest

from awd_cosmo.formats.parameters import (
    RANGES,
    as_parameter,
    check_parameters,
    is_massivenus_name,
    massivenus_name,
    parameter_name,
    parse_name,
)
from awd_cosmo.formats.tables import COPY_COLUMNS, read_parameter_file

ROWS = "0 0.0 0.30 2.10 0.85\n1 0.1 0.28 2.30 0.83\n2 0.2 0.35 1.90 0.88\n"


@pytest.fixture
def text(tmp_path):
    def write(content, name="cosmological_parameters.txt"):
        place = tmp_path / name
        place.write_text(content, encoding="utf-8")
        return place

    return write


def test_names_of_massivenus_go_there_and_back():
    name = massivenus_name(0.06271, 0.4159, 1.6231)
    assert name == "convergence_gal_mnv0.06271_om0.41590_As1.6231"
    for told in (name, name + ".tar"):
        assert is_massivenus_name(told)
        assert parse_name(told) == {"M_nu": 0.06271, "Omega_m": 0.4159, "A_s": 1.6231}


def test_a_name_of_values_outside_their_range_is_refused():
    with pytest.raises(ValueError, match=r"A_s = 2\.1e-09 is outside its plausible range, 1 to 4.*10⁹ A_s"):
        massivenus_name(0.0, 0.3, 2.1e-9)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Om0.260_si0.800", {"Omega_m": 0.26, "sigma8": 0.8}),
        ("Om0.260_Ol0.740_w-1.200_ns0.960_si0.798", {"Omega_m": 0.26, "w": -1.2, "n_s": 0.96, "sigma8": 0.798}),
        ("WLconv_z1.00_0001r.fits", {}),
        ("raw1.0", {}),
        ("si0.8", {}),  # without Ω_m it is not a cosmology
        ("model012", {}),
    ],
)
def test_names_of_folders(name, told):
    assert parse_name(name) == told
    assert not is_massivenus_name(name)


@pytest.mark.parametrize(
    ("label", "name"),
    [("OMEGA_M", "Omega_m"), ("Om0", "Omega_m"), ("M_nu [eV]", "M_nu"), ("mnv", "M_nu"), ("As", "A_s"),
     ("sigma_8", "sigma8"), ("σ8", "sigma8"), ("S_8", "S8"), ("S8", "S8"), ("z", None), ("Omega_L", None)],
)  # fmt: skip
def test_labels(label, name):
    assert parameter_name(label) == name


def test_values_are_brought_to_our_units():
    assert as_parameter("A_s", [2.1e-9, 1.8e-9])[1].tolist() == [2.1, 1.8]
    assert as_parameter("A_s", 2.1)[1] == 2.1
    name, value = as_parameter("H0", 72.0)
    assert (name, float(value)) == ("h", 0.72)
    assert as_parameter("S8", 0.8)[0] == "S8"  # and not σ8


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_what_is_no_plausible_value_is_refused(bad):
    with pytest.raises(ValueError, match=r"the table: Omega_m = .* is outside its plausible range, 0.05 to 0.6"):
        check_parameters({"Omega_m": bad}, "the table")


def test_ends_of_a_range_belong_to_it():
    for name, ends in RANGES.items():
        check_parameters({name: np.array(ends)}, "ends")


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match=r"unknown parameter 'omega'.*known are M_nu, Omega_m"):
        check_parameters({"omega": 0.3}, "the table")


@pytest.mark.parametrize(
    "header", ["# index M_nu Omega_m A_s sigma8\n", "index,Mnu,Om,As,s i8\n".replace("s i8", "si8"),
               "# made by hand\n# model M_nu[eV] Omega_m A_s sigma_8\n\n"],
)  # fmt: skip
def test_a_header_names_the_columns(text, header):
    found = read_parameter_file(text(header + ROWS))
    assert found["index"].tolist() == [0, 1, 2]
    assert found.colnames == ["index", "M_nu", "Omega_m", "A_s", "sigma8"]
    np.testing.assert_array_equal(found["Omega_m"], [0.3, 0.28, 0.35])
    assert len(found) == 3


def test_another_order_under_a_header(text):
    notes = []
    found = read_parameter_file(text("# Omega_m M_nu index chi2\n0.3 0.1 7 12.5\n"), notes=notes)
    assert (found["index"].tolist(), found["M_nu"].tolist()) == ([7], [0.1])
    assert any("left out: chi2" in note for note in notes)


def test_without_a_header_the_columns_must_be_told(text):
    place = text(ROWS)
    with pytest.raises(ValueError, match=r"5 columns and no header.*--columns index,M_nu,.*0 0 0.3 2.1 0.85"):
        read_parameter_file(place)
    found = read_parameter_file(place, columns=COPY_COLUMNS)
    np.testing.assert_array_equal(found["sigma8"], [0.85, 0.83, 0.88])
    np.testing.assert_array_equal(np.loadtxt(place)[:, 2], found["Omega_m"])


def test_swapped_columns_are_recognised(text):
    with pytest.raises(ValueError, match="with A_s and Omega_m exchanged every value fits: are these two swapped"):
        read_parameter_file(text(ROWS), columns=("index", "M_nu", "A_s", "Omega_m", "sigma8"))


def test_columns_that_are_turned_round_are_recognised(text):
    rows = "0.0 0.85 2.1 0.30\n0.3 0.95 2.3 0.55\n"
    with pytest.raises(ValueError, match="every value fits if the columns are in fact M_nu, sigma8, A_s, Omega_m"):
        read_parameter_file(text(rows), columns=("M_nu", "A_s", "Omega_m", "sigma8"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# index Omega_m\n1 0.3\n1 0.4\n", "the index 1 comes 2 times"),
        ("# index Omega_m\n1 0.3\n2 0.4 0.5\n", "line 3: 3 numbers where the lines above have 2"),
        ("# index Omega_m\n1 nan\n", "line 2: '1 nan' holds a value that is not finite"),
        ("# index Omega_m\n1 many\n", "neither a row of numbers nor a header"),
        ("# index Omega_m\n1.5 0.3\n", "the column taken as index holds 1.5"),
        ("# Omega_m om\n0.2 0.3\n", "the column 'Omega_m' comes twice"),
        ("# nothing\n", "holds no row of numbers"),
        ("a b\n1 2\n", "neither a row of numbers nor a header"),
    ],
)
def test_bad_tables_are_named(text, content, message):
    with pytest.raises(ValueError, match=message):
        read_parameter_file(text(content))


def test_options_that_do_not_fit_are_refused(text):
    with pytest.raises(ValueError, match="'omega', which is no parameter; use index, -, M_nu"):
        read_parameter_file(text(ROWS), columns=("index", "omega", "-", "-", "-"))
    with pytest.raises(ValueError, match="has 5 columns, but 2 names were given"):
        read_parameter_file(text(ROWS), columns=("index", "M_nu"))
