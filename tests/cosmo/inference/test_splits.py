"""Splits share nothing they must not share, whatever the table looks like."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awd_cosmo.inference.folds import cross_validation_folds
from awd_cosmo.inference.splits import PUBLISHED_FRACTIONS, Split, split_maps

PARTS = ("train", "validation", "test")


def table(cosmologies, realisations, tiles=1, *, shared):
    """Columns of a full suite: every cosmology with every realisation, several tiles of each."""
    cosmology, realisation, _ = (
        column.ravel() for column in np.meshgrid(*map(np.arange, (cosmologies, realisations, tiles)), indexing="ij")
    )
    return cosmology, realisation if shared else realisation + realisations * cosmology


def sets(column, split):
    return [set(column[getattr(split, part)].tolist()) for part in PARTS]


def overlap(parts):
    train, validation, test = parts
    return (train & validation) | (train & test) | (validation & test)


tables = st.builds(
    lambda rows, seed: (
        np.array([c for c, _ in rows])[np.random.default_rng(seed).permutation(len(rows))],
        np.array([r for _, r in rows])[np.random.default_rng(seed).permutation(len(rows))],
    ),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), min_size=60, max_size=160),
    st.integers(0, 100),
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=150, deadline=None)
@given(
    columns=tables,
    by=st.sampled_from(["cosmology", "realisation", "both", "published"]),
    phases=st.sampled_from(["avoid", "allow", "independent"]),
    seed=st.integers(0, 1000),
)
def test_nothing_leaks_from_any_table(columns, by, phases, seed):
    cosmology, realisation = columns
    try:
        split = split_maps(cosmology, realisation, by=by, fractions=(0.5, 0.2, 0.3), shared_phases=phases, seed=seed)
    except ValueError as error:
        if any(said in str(error) for said in ("cannot be split", "no map is left")):
            return
        raise
    rows = np.concatenate([getattr(split, part) for part in PARTS])
    assert len(np.unique(rows)) == len(rows)
    assert len(rows) + split.counts["left_out"] == len(cosmology)
    pairs = np.array([f"{c} {r}" for c, r in zip(cosmology, realisation, strict=True)])
    assert not overlap(sets(pairs, split)), "tiles of one map lie in two parts"
    if split.protocol in ("cosmology", "both"):
        assert not overlap(sets(cosmology, split))
    if split.protocol == "both" or (phases == "avoid" and split.protocol in ("cosmology", "realisation")):
        assert not overlap(sets(realisation, split))
    seen = np.isin(realisation[split.test], realisation[split.train]).sum()
    assert split.counts["test_number_seen"] == seen
    assert bool(seen) <= (phases == "independent" or any("also trained on" in line for line in split.warnings))


@settings(max_examples=60, deadline=None)
@given(columns=tables, folds=st.integers(2, 4), seed=st.integers(0, 1000))
def test_folds_never_test_a_cosmology_that_they_train_on(columns, folds, seed):
    cosmology, realisation = columns
    if min(len(np.unique(cosmology)), len(np.unique(realisation))) < folds:
        return
    tested = []
    for train, test in cross_validation_folds(cosmology, n_folds=folds, seed=seed).split():
        assert not set(cosmology[train]) & set(cosmology[test])
        assert len(train) + len(test) == len(cosmology)
        tested += test.tolist()
    assert sorted(tested) == list(range(len(cosmology)))
    for train, test in cross_validation_folds(cosmology, realisation, n_folds=folds, seed=seed).split():
        assert not set(cosmology[train]) & set(cosmology[test])
        assert not set(realisation[train]) & set(realisation[test])


def test_the_published_split_is_that_of_the_paper():
    # 10 cosmologies × 2,500 realisations, cosmologies interleaved: rows 0…19,999, …22,999, …24,999.
    realisation, cosmology = np.divmod(np.arange(25_000), 10)
    split = split_maps(cosmology, realisation, by="published", seed=0)
    assert [len(getattr(split, part)) for part in PARTS] == [20_000, 3_000, 2_000]
    assert split.train.tolist() == list(range(20_000))
    assert split.test.tolist() == list(range(23_000, 25_000))
    assert split.warnings == ()
    assert split.counts["test_cosmology_seen"] == 2_000
    assert split.counts["test_number_seen"] == 0
    assert PUBLISHED_FRACTIONS == (0.8, 0.12, 0.08)


def test_shared_phases_turn_a_split_by_cosmology_into_both():
    cosmology, realisation = table(10, 20, shared=True)
    with pytest.warns(UserWarning, match="20 realisation numbers occur in several cosmologies"):
        split = split_maps(cosmology, realisation, by="cosmology", fractions=(0.6, 0.2, 0.2), seed=0)
    assert split.protocol == "both"
    # aa' + bb' + cc' of the maps stay, of 10 cosmologies × 20 numbers.
    assert [len(getattr(split, part)) for part in PARTS] == [6 * 12, 2 * 4, 2 * 4]
    assert split.counts["left_out"] == 200 - 88


def test_phase_fractions_make_a_larger_test_set():
    cosmology, realisation = table(10, 20, shared=True)
    split = split_maps(
        cosmology,
        realisation,
        by="both",
        fractions=(0.6, 0.2, 0.2),
        phase_fractions=(0.4, 0.2, 0.4),
        seed=0,
    )
    assert [len(getattr(split, part)) for part in PARTS] == [6 * 8, 2 * 4, 2 * 8]
    assert split.warnings == ()


def test_allowed_leaks_are_warned_about_and_counted():
    cosmology, realisation = table(10, 20, shared=True)
    with pytest.warns(UserWarning, match="20 of 20 test maps have a realisation number that is also trained on"):
        split = split_maps(cosmology, realisation, by="cosmology", shared_phases="allow", seed=0)
    assert split.protocol == "cosmology"
    assert split.counts["left_out"] == 0
    assert split.counts["test_number_seen"] == 20


def test_phases_of_their_own_need_no_warning_and_leave_nothing_out():
    for by in ("cosmology", "both", "realisation"):
        split = split_maps(*table(10, 20, 4, shared=False), by=by, seed=0)
        assert split.protocol == by
        assert split.warnings == ()
        assert split.counts["left_out"] == 0
        assert split.counts["test"]["maps"] == 80


def test_a_split_by_realisation_sends_shared_numbers_to_one_part():
    cosmology, realisation = table(5, 20, 2, shared=True)
    with pytest.warns(UserWarning, match="the same number goes to the same part"):
        split = split_maps(cosmology, realisation, by="realisation", seed=3)
    assert [split.counts[part]["cosmologies"] for part in PARTS] == [5, 5, 5]
    assert [len(numbers) for numbers in sets(realisation, split)] == [16, 2, 2]
    assert not overlap(sets(realisation, split))


def test_held_out_cosmologies_can_be_kept_inside_the_hull():
    rng = np.random.default_rng(0)
    parameters = rng.random((60, 2))
    cosmology, realisation = table(60, 4, shared=False)
    from scipy.spatial import Delaunay

    for seed in range(5):
        split = split_maps(
            cosmology,
            realisation,
            by="cosmology",
            fractions=(0.7, 0.1, 0.2),
            seed=seed,
            inside_hull_of=parameters[cosmology],
        )
        train, validation, test = (sorted(part) for part in sets(cosmology, split))
        assert (len(train), len(validation), len(test)) == (42, 6, 12)
        # Delaunay's find_simplex is −1 outside of the hull of the training cosmologies.
        assert (Delaunay(parameters[train]).find_simplex(parameters[test + validation]) >= 0).all()
    line = split_maps(cosmology, realisation, by="cosmology", seed=0, inside_hull_of=parameters[cosmology, 0])
    trained = parameters[cosmology[line.train], 0]
    assert trained.min() == parameters[:, 0].min()
    assert trained.max() == parameters[:, 0].max()


def test_a_hull_in_fewer_dimensions_than_parameters():
    # σ8 a function of Ω_m: the hull of the plane's points is a segment, with two corners.
    omega = np.linspace(0.1, 0.5, 20)
    cosmology, realisation = table(20, 2, shared=False)
    parameters = np.column_stack([omega, 2 * omega, np.full(20, 0.7)])[cosmology]
    split = split_maps(cosmology, realisation, by="cosmology", seed=0, inside_hull_of=parameters)
    assert {0, 19} <= set(cosmology[split.train].tolist())


def test_the_seed_alone_decides_and_the_order_of_rows_does_not():
    cosmology, realisation = table(12, 6, shared=False)
    first = split_maps(cosmology, realisation, by="cosmology", seed=4)
    again = split_maps(cosmology, realisation, by="cosmology", seed=4)
    other = split_maps(cosmology, realisation, by="cosmology", seed=5)
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    order = np.random.default_rng(0).permutation(len(cosmology))
    mixed = split_maps(cosmology[order], realisation[order], by="cosmology", seed=4)
    assert set(cosmology[order][mixed.test]) == set(cosmology[first.test])


def test_json_and_back():
    split = split_maps(*table(10, 5, shared=False), by="cosmology", seed=0)
    back = Split.from_dict(json.loads(json.dumps(split.to_dict())))
    for part in PARTS:
        np.testing.assert_array_equal(getattr(back, part), getattr(split, part))
    assert (back.protocol, back.counts, back.warnings) == (split.protocol, split.counts, split.warnings)
    with pytest.raises(ValueError, match="it lacks test, protocol"):
        Split.from_dict({"train": [], "validation": [], "counts": {}})
    with pytest.raises(ValueError, match="a row is named twice"):
        Split.from_dict(split.to_dict() | {"test": split.train.tolist()})


def test_unknown_realisations_can_only_be_split_by_cosmology():
    cosmology, realisation = table(10, 5, shared=False)
    realisation[7] = -1
    for by in ("realisation", "both", "published"):
        with pytest.raises(ValueError, match=r"the realisation of 1 of 50 maps is unknown.*use by='cosmology'"):
            split_maps(cosmology, realisation, by=by, seed=0)
    with pytest.warns(UserWarning, match="phases that cosmologies share cannot be avoided"):
        split = split_maps(cosmology, realisation, by="cosmology", seed=0)
    assert split.counts["left_out"] == 0
    silent = split_maps(cosmology, realisation, by="cosmology", shared_phases="independent", seed=0)
    assert silent.warnings == ()


def test_bad_input():
    cosmology, realisation = table(10, 5, shared=False)
    with pytest.raises(ValueError, match=r"by is 'random'.*; choose one of cosmology, realisation, both, published"):
        split_maps(cosmology, realisation, by="random", seed=0)
    with pytest.raises(ValueError, match=r"shared_phases is True.*; choose one of avoid, allow, independent"):
        split_maps(cosmology, realisation, by="both", shared_phases=True, seed=0)
    for fractions in ((0.8, 0.1, 0.2), (0.9, 0.1), (1.2, -0.1, -0.1)):
        with pytest.raises(ValueError, match=r"three shares .* that add up to 1"):
            split_maps(cosmology, realisation, by="both", fractions=fractions, seed=0)
    with pytest.raises(ValueError, match="leave something to train and to test"):
        split_maps(cosmology, realisation, by="both", fractions=(0.9, 0.1, 0), seed=0)
    with pytest.raises(ValueError, match="2 cosmologies cannot be split into 3 parts"):
        split_maps(*table(2, 5, shared=False), by="cosmology", seed=0)
    with pytest.raises(TypeError, match=r"realisation must be one column of whole numbers.*float64"):
        split_maps(cosmology, realisation + 0.5, by="both", seed=0)
    with pytest.raises(ValueError, match="50 cosmologies and 49 realisations"):
        split_maps(cosmology, realisation[1:], by="both", seed=0)
    with pytest.raises(ValueError, match="maps without known parameters cannot be split"):
        split_maps(cosmology - 1, realisation, by="both", seed=0)
    with pytest.raises(ValueError, match="phase_fractions are for by='both' only"):
        split_maps(cosmology, realisation, by="published", phase_fractions=(0.8, 0.1, 0.1), seed=0)
    with pytest.raises(ValueError, match="inside_hull_of is for held-out cosmologies"):
        split_maps(cosmology, realisation, by="published", inside_hull_of=cosmology, seed=0)
    corners = np.random.default_rng(0).normal(size=(10, 9))[cosmology]
    with pytest.raises(ValueError, match="only 0 of 10 cosmologies lie inside the hull"):
        split_maps(cosmology, realisation, by="cosmology", inside_hull_of=corners, seed=0)
    with pytest.raises(ValueError, match="the same in all cosmologies"):
        split_maps(cosmology, realisation, by="cosmology", inside_hull_of=np.full(50, 0.3), seed=0)
    with pytest.raises(ValueError, match="one row for each of 50 maps"):
        split_maps(cosmology, realisation, by="cosmology", inside_hull_of=[[1.0]], seed=0)
    with pytest.raises(ValueError, match="10 cosmologies cannot be dealt to 11 folds"):
        cross_validation_folds(cosmology, n_folds=11, seed=0)
    with pytest.raises(ValueError, match="n_folds must be 2 or more"):
        cross_validation_folds(cosmology, n_folds=1, seed=0)
    with pytest.raises(ValueError, match="the folds were made for 50 maps, X has 3"):
        list(cross_validation_folds(cosmology, seed=0).split(np.zeros((3, 2))))


def test_parts_that_do_not_meet_are_an_error():
    # One map a cosmology and three numbers: often the number drawn for a part is in none of its cosmologies.
    said = []
    for seed in range(20):
        try:
            split = split_maps(np.arange(9), np.arange(9) % 3, by="both", fractions=(0.4, 0.3, 0.3), seed=seed)
        except ValueError as error:
            said.append(str(error))
        else:
            assert all(split.counts[part]["maps"] for part in PARTS)
    assert 0 < len(said) < 20
    assert all("no map is left to" in message for message in said)


def test_folds_are_a_splitter_of_scikit_learn():
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import cross_val_predict

    rng = np.random.default_rng(0)
    cosmology, _ = table(10, 8, shared=False)
    omega = np.linspace(0.1, 0.5, 10)[cosmology]
    X = omega[:, None] + rng.normal(0, 0.01, (80, 3))
    folds = cross_validation_folds(cosmology, n_folds=5, seed=0)
    estimate = cross_val_predict(Ridge(alpha=1e-3), X, omega, cv=folds)
    assert np.sqrt(np.mean((estimate - omega) ** 2)) < 0.02  # noise 0.01/√3; a split that mixes rows up would be 0.1


def test_crossed_folds_test_every_map_once_and_hold_out_its_phases():
    cosmology, realisation = table(6, 5, shared=True)
    folds = cross_validation_folds(cosmology, realisation, n_folds=3, seed=0, crossed=True)
    assert folds.get_n_splits() == 9
    for train, test in folds.split():
        assert not set(cosmology[train]) & set(cosmology[test])
        assert not set(realisation[train]) & set(realisation[test])
    assert sorted(np.concatenate([test for _, test in folds.split()])) == list(range(30))
    # Two numbers are two folds of numbers; of one number nothing would be left to train on.
    assert cross_validation_folds(cosmology, realisation % 2, n_folds=3, seed=0, crossed=True).get_n_splits() == 6
    one = cross_validation_folds(cosmology, np.zeros_like(cosmology), n_folds=3, seed=0, crossed=True)
    assert one.get_n_splits() == 3
    with pytest.warns(UserWarning, match="cannot be held out in these folds: too few maps have them in common"):
        apart = cross_validation_folds(cosmology, np.arange(30), n_folds=6, seed=0, crossed=True)
    assert apart.get_n_splits() == 6


def test_the_folds_of_a_seed_stay_as_they_are():
    # Published scores rest on them.
    cosmology = np.repeat([4, 9, 2, 7, 1, 3], [5, 1, 3, 2, 4, 3])
    for seed, expected in ((0, "000000222111111222"), (7, "000000222111111222")):
        found = np.full(18, -1)
        for k, (_, test) in enumerate(cross_validation_folds(cosmology, n_folds=3, seed=seed).split()):
            found[test] = k
        assert "".join(map(str, found)) == expected
    both = list(cross_validation_folds(cosmology, np.arange(18) % 5, n_folds=3, seed=7).split())
    assert [test.tolist() for _, test in both] == [[2, 4], [10, 13], [6, 16]]
    assert [train.tolist() for train, _ in both] == [
        [6, 8, 10, 11, 13, 15, 16],
        [1, 2, 4, 6, 7, 16, 17],
        [0, 2, 3, 4, 5, 9, 10, 12, 13, 14],
    ]
