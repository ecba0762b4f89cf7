"""A path is saved, loaded, tabulated, drawn and told in a line by its own methods."""

import numpy as np
import pytest

from awd_core import DistillationPath, SearchSettings, distill_path
from awd_core.distill import load_path


@pytest.fixture(scope="module")
def path():
    rng = np.random.default_rng(0)
    X, G = rng.standard_normal((2, 40, 16))
    return distill_path(X, G, wavelet="db2", levels=2, shares=(0, 0.5, 1), search=SearchSettings(random_starts=0))


def test_it_comes_back(path, tmp_path):
    path.save(tmp_path / "path.json")
    for again in (
        DistillationPath.load(tmp_path / "path.json"),
        DistillationPath.load(tmp_path),
        load_path(tmp_path / "path.json"),
    ):
        assert [point.wavelet for point in again] == [point.wavelet for point in path]
        assert again.rows() == path.rows()
    with pytest.raises(FileNotFoundError, match="there is no file"):
        DistillationPath.load(tmp_path / "none.json")


def test_it_is_a_table(path):
    pytest.importorskip("pandas")
    table = path.to_dataframe()
    assert table["share"].tolist() == [0, 0.5, 1]
    assert (table["objective"] <= 1 + 1e-6).all()


def test_it_is_told_in_a_line_and_drawn(path):
    assert repr(path) == "<DistillationPath from db2: 3 shares, 0 to 1>"
    assert repr(path[1]).startswith("<PathPoint at share 0.5: Wavelet(")
    html = path._repr_html_()
    assert html.count("<tr>") == 4
    assert "DistillationPath from db2" in html
    assert len(path.plot().axes) == 2
