"""Bands of transforms by contextual decomposition: names, masks, and what they say of linear networks."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import NMF
from torch import nn

from awd_core.decomposition import band_decomposition, band_masks, band_names, contextual_decomposition
from awd_core.transforms import DWT1d, DWT2d, FourierTransform, LinearDictionary

X = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)).double()


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, x):
        x = self.norm(self.first(x)).relu()
        return self.head((self.second(x) + x).relu().mean((2, 3)))


def residual():
    torch.manual_seed(0)
    return Residual().double().eval().requires_grad_(False)


def test_names_are_those_of_pywavelets():
    images, maps, series = DWT2d("haar", levels=2), DWT2d("haar", levels=4), DWT1d("haar", levels=3)
    assert band_names(images, images(X)) == ("cA2", "cH2", "cV2", "cD2", "cH1", "cV1", "cD1")
    assert len(band_names(maps, maps(X))) == 13
    assert band_names(series, series(X)) == ("cA3", "cD3", "cD2", "cD1")


@pytest.mark.parametrize(
    ("transform", "bands"),
    [
        (DWT2d("haar", levels=2), None),
        (DWT2d("db2", levels=1, mode="symmetric"), ["cA1", "cH1", "cV1", "cD1"]),
        (FourierTransform((16, 16)), 4),
        (FourierTransform((16, 16)), [0, 0.1, 0.3, np.inf]),
        (LinearDictionary(np.eye(256).reshape(-1, 16, 16)[:5]), None),
    ],
)
def test_bands_of_a_linear_network_are_what_it_makes_of_them(transform, bands):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2, bias=False)).double()
    found = band_decomposition(network, X, transform, bands)
    coefficients = transform(X)
    left = X - transform.inverse(coefficients)
    assert found.relevant.shape == (len(found.names), 3, 2)
    assert torch.allclose(found.relevant.sum(0) + network(left), network(X))
    assert torch.allclose(found.relevant + found.irrelevant, network(X).expand_as(found.relevant))
    one = band_masks(transform, coefficients, bands)[found.names[1]]
    assert torch.allclose(contextual_decomposition(network, X, one, transform=transform).relevant, found.relevant[1])


def test_all_bands_of_maps_through_a_residual_network():
    network, dwt = residual(), DWT2d("haar", levels=2)
    found = band_decomposition(network, X, dwt)
    few = band_decomposition(network, X, dwt, batch_size=4)
    assert torch.allclose(found.relevant, few.relevant, atol=1e-9)
    assert (found.relevant + found.irrelevant - network(X)).abs().max() < 1e-12
    groups = band_decomposition(network, X, dwt, {"all": band_names(dwt, dwt(X)), "fine": ["cH1", "cV1", "cD1"]})
    assert groups.names == ("all", "fine")
    assert (groups.irrelevant[0]).abs().max() < 1e-10


def test_parts_that_nmf_found():
    pixels = X.abs().flatten(1).numpy()
    nmf = NMF(2, init="nndsvda", random_state=0, tol=1e-6, max_iter=2000).fit(pixels)
    dictionary = LinearDictionary.from_sklearn(nmf, shape=(1, 16, 16))
    found = band_decomposition(residual(), X.abs(), dictionary)
    assert found.names == ("atom 0", "atom 1")
    assert found.relevant.isfinite().all()


@pytest.mark.parametrize(
    ("transform", "bands", "match"),
    [
        (FourierTransform((16, 16)), None, "give a number of bands of frequency"),
        (FourierTransform((16, 16)), ["low"], "give a number of bands of frequency"),
        (DWT2d("haar", levels=1), 4, "bands is 4; give a list of names"),
        (DWT2d("haar", levels=1), "cA1", "give a list of names"),
        (DWT2d("haar", levels=1), [], "give a list of names"),
        (DWT2d("haar", levels=1), ["cA2"], "a band is 'cA2' .*choose one of cA1"),
        (DWT2d("haar", levels=1), {"fine": ["cX1"]}, "a band is 'cX1'"),
    ],
)
def test_bad_bands(transform, bands, match):
    with pytest.raises(ValueError, match=match):
        band_decomposition(lambda x: x.sum((1, 2, 3)), X, transform, bands)
