"""Hierarchies: additive functions have no interactions, planted ones are found first; scores of unions; neighbours."""

import numpy as np
import pytest
import torch
from torch import nn

from awd_core.decomposition import (
    agglomerate,
    contextual_decomposition,
    neighbours,
    union_score,
    unit_neighbours,
    wavelet_neighbours,
)
from awd_core.transforms import DWT1d, DWT2d

WEIGHTS = np.array([0.3, -2.0, 0.1, 1.5, -0.4, 0.9])


def additive(groups):
    return groups @ WEIGHTS


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_an_additive_function_has_no_interactions(share):
    found = agglomerate(additive, 6, neighbours(6), share=share)
    for group in found.groups:
        assert group.score == pytest.approx(WEIGHTS[list(group.members)].sum())
        assert group.interaction == pytest.approx(0, abs=1e-12)
    assert len(found.levels[-1]) == 1
    assert found.groups[found.levels[-1][0]].members == tuple(range(6))


def test_a_group_grows_by_the_strongest_neighbour():
    found = agglomerate(lambda groups: groups @ np.abs(WEIGHTS), 6)
    joined = [group.members for group in found.groups[6:]]
    assert joined[0] == (1, 3)
    assert [len(group) for group in joined] == [2, 3, 4, 5, 6]
    assert joined[1] == (1, 3, 5)


def test_a_planted_interaction_is_joined_first_and_named():
    def planted(groups):
        return (
            additive(groups) + 5.0 * (groups[:, 2] & groups[:, 4]) - 8.0 * (groups[:, 0] & groups[:, 1] & groups[:, 5])
        )

    found = agglomerate(planted, list("abcdef"))
    assert found.groups[6].members == (2, 4)
    assert found.groups[6].interaction == pytest.approx(5.0)
    assert [group.members for group in found.strongest(2)][1] == (2, 4)
    triple = next(group for group in found.groups[6:] if {0, 1, 5} <= set(group.members))
    assert triple.interaction == pytest.approx(-8.0)


def test_units_that_are_no_neighbours_stay_apart():
    found = agglomerate(additive, 6, [[0, 1], [3, 4], [4, 5]])
    parts = [found.groups[number].members for number in found.levels[-1]]
    assert sorted(parts) == [(0, 1), (2,), (3, 4, 5)]
    same = agglomerate(additive, 6, np.abs(np.subtract.outer(np.arange(6), np.arange(6))) == 1)
    assert same == agglomerate(additive, 6, neighbours(6))


def test_levels_tell_labels_and_scores_and_are_drawn():
    found = agglomerate(additive, 6, neighbours((2, 3)))
    assert found.labels(0).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.allclose(found.scores(0), WEIGHTS)
    assert np.allclose(found.scores(-1), WEIGHTS.sum())
    assert len(found.plot((2, 3), levels=3).axes) == 4
    assert found.plot().axes[0].get_ylabel() == "level"
    with pytest.raises(ValueError, match="level is 9; this hierarchy has levels 0 to 5"):
        found.labels(9)
    with pytest.raises(ValueError, match="give rows and columns of the 6 units"):
        found.plot((2, 2))


def test_scores_of_unions_are_batched_and_what_they_say():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2)).double()
    x = torch.randn(1, 4, 4).double()
    units = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, -1, -1], [2, 2, 3, 3]])
    groups = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=bool)
    scores = union_score(network, x, units, target=1)(groups)
    kept = [np.isin(units, np.flatnonzero(group)).astype(float) for group in groups]
    for score, mask in zip(scores, kept, strict=True):
        assert score == pytest.approx(contextual_decomposition(network, x, mask).relevant[0, 1].item())
    with torch.no_grad():
        whole = network(x)[0, 1].item()
        without = [network(x * torch.tensor(1 - mask))[0, 1].item() for mask in kept]
        alone = [network(x * torch.tensor(mask))[0, 1].item() for mask in kept]
        nothing = network(0 * x)[0, 1].item()
    occluded = union_score(network, x, units, target=1, by="occlusion")(groups)
    assert np.allclose(occluded, whole - np.array(without))
    assert np.allclose(union_score(network, x, units, target=1, by="build_up")(groups), np.array(alone) - nothing)
    found = agglomerate(union_score(network, x, units, target=1), 4, unit_neighbours(units))
    assert len(found.levels[-1]) == 1


@pytest.mark.parametrize("by", ["decomposition", "occlusion", "build_up"])
def test_wavelet_coefficients_are_units(by):
    weights = torch.zeros(16).double()
    weights[4:8] = torch.tensor([1.0, 1.0, -1.0, -1.0])
    x = torch.randn(1, 16, generator=torch.Generator().manual_seed(0)).double()
    dwt = DWT1d("haar", levels=2).double()
    coefficients = dwt(x)
    score = union_score(lambda x: (x * weights).sum(1), x, transform=dwt, by=by)
    each = score(np.eye(16, dtype=bool))
    # One coefficient of the second scale alone has to do with that shape.
    assert np.flatnonzero(np.abs(each) > 1e-9).tolist() == [5]
    found = agglomerate(score, 16, wavelet_neighbours(coefficients), share=0.5)
    assert found.groups[found.levels[-1][0]].score == pytest.approx(float((x * weights).sum()))


def test_neighbours_of_wavelets_lie_beside_each_other_in_place_and_scale():
    coefficients = DWT2d("haar", levels=2)(torch.zeros(1, 8, 8))
    pairs = {tuple(pair) for pair in wavelet_neighbours(coefficients).tolist()}
    starts = np.cumsum([0, *(band[0].numel() for band in coefficients.tensors())])
    h2, v2, d2, h1 = starts[1:5]
    assert (0, 1) in pairs  # beside each other in the approximation
    assert (0, h2) in pairs
    assert (h2, v2) in pairs
    assert (h2, d2) in pairs
    for k in (0, 1, 4, 5):
        assert (h2, h1 + k) in pairs
    assert (h2, h1 + 2) not in pairs
    assert max(max(pair) for pair in pairs) == 63
    uneven = wavelet_neighbours(DWT1d("haar", levels=2)(torch.zeros(1, 9)))
    assert uneven.max() == 10


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: agglomerate(additive, 0), "units is 0"),
        (lambda: agglomerate(additive, []), "units is empty"),
        (lambda: agglomerate(additive, 6, [[0, 6]]), "adjacency names unit 6; there are 6"),
        (lambda: agglomerate(additive, 6, [0, 1]), r"adjacency has shape \(2,\)"),
        (lambda: agglomerate(additive, 2, np.array([[False, True], [False, False]])), "not symmetric"),
        (lambda: agglomerate(additive, 6, share=1.5), "share is 1.5"),
        (lambda: agglomerate(additive, 6, batch_size=0), "batch_size is 0"),
        (lambda: agglomerate(lambda groups: groups[:1, 0] * 1.0, 6), r"score gave \(1,\) for 6 groups"),
        (lambda: agglomerate(lambda groups: groups[:, 0] * np.nan, 6), "not finite"),
        (lambda: neighbours(0), "shape is 0"),
        (lambda: union_score(lambda x: x, torch.zeros(2, 3)), r"x is \(2, 3\); give a tensor with one input"),
        (lambda: union_score(lambda x: x, torch.zeros(1, 3), [0, 1]), r"units has shape \(2,\)"),
        (lambda: union_score(lambda x: x, torch.zeros(1, 3), [0, 1.5, 2]), "float64; give the whole number"),
        (lambda: union_score(lambda x: x, torch.zeros(1, 3), by="lime"), "by is 'lime'"),
        (lambda: union_score(lambda x: x, torch.zeros(1, 3))(np.eye(3, dtype=bool)), "give target=, an index"),
        (lambda: union_score(lambda x: x, torch.zeros(1, 3), target=3)(np.eye(3, dtype=bool)), "target=3 is no index"),
    ],
)
def test_bad_hierarchies(call, match):
    with pytest.raises(ValueError, match=match):
        call()
