"""Tables in CSV and Parquet files as arrays: names or none, columns by name, texts for labels alone."""

import numpy as np
import pytest

from awd_core.files.arrays import read_array

X = np.array([[1.5, 2.0, 3.0], [4.0, 5.5, 6.0]])


def written(folder, text, name="t.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("head", ["", "a b c\n"])
def test_a_row_for_each_sample(tmp_path, separator, head):
    rows = "\n".join(separator.join(map(str, row)) for row in X.tolist())
    assert np.array_equal(read_array(written(tmp_path, head.replace(" ", separator) + rows + "\n")), X)


def test_columns_are_named(tmp_path):
    file = written(tmp_path, "850,852,fat,who\n1,2,0.5,ann\n3,4,1.5,bob\n")
    assert read_array(f"{file}:fat").tolist() == [0.5, 1.5]
    assert read_array(f"{file}:850..852").tolist() == [[1, 2], [3, 4]]
    assert read_array(f"{file}:who", texts=True).tolist() == ["ann", "bob"]
    with pytest.raises(ValueError, match="it must hold real numbers"):
        read_array(f"{file}:who")
    with pytest.raises(ValueError, match="holds texts in the column who; name the columns that are meant"):
        read_array(file)
    with pytest.raises(ValueError, match=r"there is no column 'age' in .*: it holds 850, 852, fat, who"):
        read_array(f"{file}:age")


def test_one_column_of_labels_with_a_name_or_without(tmp_path):
    assert read_array(written(tmp_path, "kind\nleft\nright\nleft\n"), texts=True).tolist() == ["left", "right", "left"]
    assert read_array(written(tmp_path, "left\nright\nleft\n"), texts=True).tolist() == ["left", "right", "left"]
    assert read_array(written(tmp_path, "3\n1\n2\n")).tolist() == [3, 1, 2]


def test_what_is_missing_is_nan(tmp_path):
    found = read_array(written(tmp_path, "a,b\n1,\n2,3\n"))
    assert np.array_equal(found, [[1, np.nan], [2, 3]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "has 1 values in line 2 and 2 in the first; give as many"),
        ("\n", "is empty; give a row for each sample"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_array(written(tmp_path, text))


def test_parquet(tmp_path):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    table = pandas.DataFrame({"850": [1.0, 3.0], "852": [2.0, 4.0], "kind": ["a", "b"]})
    table.to_parquet(tmp_path / "t.parquet")
    assert read_array(f"{tmp_path}/t.parquet:850..852").tolist() == [[1, 2], [3, 4]]
    assert read_array(f"{tmp_path}/t.parquet:kind", texts=True).tolist() == ["a", "b"]
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as a Parquet file"):
        read_array(tmp_path / "bad.parquet")
