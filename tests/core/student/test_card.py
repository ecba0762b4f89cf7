"""The student's file: NumPy alone predicts from it, and the estimator comes back bit for bit."""

import json
import math
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from awd_core import StudentCard, StudentSearch, WaveletStudent, WaveletStudentClassifier
from awd_core.student import NUMBERS
from awd_core.transforms import MODES, UNDECIMATED_MODES

SEARCH = StudentSearch(random_starts=2, descents=1, iterations=5, finalists=1, folds=2)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 24)).cumsum(1)
Y = np.diff(X).max(1)
IMAGES = RNG.standard_normal((30, 6, 9))
GROUPS = np.arange(60) // 4
AGE = pd.DataFrame({"age": RNG.standard_normal(60), "size": RNG.standard_normal(60)})


def spread(bands):
    """Deviation of a coarse and a fine band; of arrays and of tensors."""
    both = [bands[name] for name in ("A2", "D1")]
    return np.stack([np.asarray(band).std(1) for band in both], 1)


def saved(student, folder):
    student.save(folder / "student.json")
    return folder / "student.json"


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize(
    ("undecimated", "mode"), [*((True, mode) for mode in UNDECIMATED_MODES), *((False, mode) for mode in MODES)]
)
@pytest.mark.parametrize("inputs", [X, IMAGES], ids=["series", "images"])
def test_numpy_reads_what_torch_reads(inputs, undecimated, mode, negated, tmp_path):
    """Every number of every band, in every mode, longer filters than the coarse bands included."""
    # Of equal values, as a decimated band of a periodic series has them, rounding decides which is the largest.
    numbers = [name for name in (*NUMBERS, "largest 3") if undecimated or name != "position"]
    student = WaveletStudent("db3", numbers, 3, mode, undecimated=undecimated, learn=False)
    student.fit(inputs, inputs.reshape(len(inputs), -1).max(1))
    student.negated_ = negated
    card = StudentCard.load(saved(student, tmp_path))
    assert card.negated is negated
    np.testing.assert_allclose(card.transform(inputs), student.transform(inputs), rtol=1e-9, atol=1e-9)


CASES = {
    "regressor": (WaveletStudent("db2", levels=2, search=SEARCH, most=2), X, Y, {}),
    "with columns": (WaveletStudent("db2", levels=2, most=3, learn=False), X, Y + AGE["age"], {"extra": AGE}),
    "without limits": (WaveletStudent("db2", levels=2, clip=False, learn=False), X, Y, {}),
    "own function": (WaveletStudent("db2", ["maximum", spread], levels=2, learn=False), X, Y, {}),
    "wavelet for each level": (WaveletStudent("db2", levels=2, per_level=True, search=SEARCH), X, Y, {}),
    "by groups": (WaveletStudent("haar", levels=2, leave_out="group", learn=False), X, Y, {"groups": GROUPS}),
    "images": (WaveletStudent("haar", ["log energy"], 2, learn=False), IMAGES, IMAGES.std((1, 2)), {}),
    "names of columns": (
        WaveletStudent("haar", levels=2, learn=False), pd.DataFrame(X, columns=[f"t{k}" for k in range(24)]), Y, {},
    ),
    "two classes": (WaveletStudentClassifier("haar", levels=2, learn=False), X, Y > 2, {}),
    "three classes": (
        WaveletStudentClassifier("haar", levels=2, learn=False), X, np.array(["a", "b", "c"])[np.digitize(Y, [1.6, 2])],
        {},
    ),
    "least squares": (WaveletStudentClassifier("haar", levels=2, head="ridge", learn=False), X, 1 * (Y > 2), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_card_and_estimator_come_back(name, tmp_path):
    estimator, inputs, y, options = CASES[name]
    student = estimator.fit(inputs, y, **options)
    own = [spread] if name == "own function" else []
    file = saved(student, tmp_path)
    extra = {"extra": options["extra"]} if "extra" in options else {}
    card, again = StudentCard.load(file, functions=own), type(student).load(file, functions=own)
    assert card.coefficients == again.coefficients_ == student.coefficients_
    np.testing.assert_array_equal(again.predict(inputs, **extra), student.predict(inputs, **extra))
    np.testing.assert_array_equal(again.transform(inputs, **extra), student.transform(inputs, **extra))
    told = card.predict(inputs, **extra)
    assert told.dtype == student.predict(inputs, **extra).dtype
    if hasattr(student, "classes_"):
        np.testing.assert_array_equal(told, student.predict(inputs))
    else:
        np.testing.assert_allclose(told, student.predict(inputs, **extra), rtol=1e-9)
    if hasattr(student, "predict_proba"):
        np.testing.assert_allclose(card.predict_proba(inputs), student.predict_proba(inputs), atol=1e-9)
    assert again.distillation_ == student.distillation_
    # What is saved again is the same file, and what is fitted again is the same student.
    before = file.read_bytes()
    assert saved(again, tmp_path).read_bytes() == before
    assert again.fit(inputs, y, **options).coefficients_ == student.coefficients_
    assert set(vars(again)) == set(vars(student))


def test_numpy_alone_predicts(tmp_path):
    student = WaveletStudent("db2", [*NUMBERS], levels=2, learn=False).fit(X, Y)
    student.save(tmp_path / "student.json")
    np.save(tmp_path / "X.npy", X)
    code = """
        import sys
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("torch", "sklearn", "scipy", "pywt", "matplotlib", "pandas"):
                    raise ImportError(name + " is refused")
        sys.meta_path.insert(0, Refuse())
        import numpy as np
        from awd_core.student import StudentCard
        np.save("found.npy", StudentCard.load("student.json").predict(np.load("X.npy")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), student.predict(X), rtol=1e-9)


@pytest.fixture(name="file")
def file_of_a_student(tmp_path):
    return saved(WaveletStudent("haar", ["maximum", spread], levels=2, learn=False).fit(X, Y, extra=AGE), tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "other"}, 'it has no "format": "awd-student-model"; files like this are written by WaveletStudent'),
        ({"version": 2}, "its version is 2 and this awd-core reads version 1: update"),
        ({"targets": ["a", "b"]}, r"its intercept have shape \(1,\), not \(2,\)"),
        ({"head": {}}, "it lacks 'intercept'"),
    ],
)
def test_a_file_that_is_no_student_is_refused(file, change, match):
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    for kind in (StudentCard, WaveletStudent):
        with pytest.raises(ValueError, match=f"student.json cannot be read as a student: {match}"):
            kind.load(file, functions=[spread])


def test_what_a_file_lacks_is_told(file):
    values = json.loads(file.read_text())
    del values["levels"], values["limits"]
    file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"student\.json cannot be read as a student: it lacks levels, limits"):
        StudentCard.load(file)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        StudentCard.load(file.with_name("nowhere.json"))


def test_what_a_card_refuses(file):
    card = StudentCard.load(file, functions=[spread])
    assert card.predict(X, AGE).shape == (60,)
    with pytest.raises(ValueError, match=r"X has shape \(24,\); give inputs \(n, 24\), X\[None\] of one"):
        card.predict(X[0], AGE)
    with pytest.raises(ValueError, match="X contains NaN or infinity, in row 3"):
        card.predict(np.where(np.arange(60)[:, None] == 3, math.nan, X), AGE)
    with pytest.raises(ValueError, match=r"extra has the columns \['extra 0'\]; .* fitted to \['age', 'size'\]"):
        card.predict(X, AGE["age"].to_numpy())
    with pytest.raises(ValueError, match="the head is a ridge, whose values are no log odds"):
        card.predict_proba(X, AGE)
    with pytest.raises(ValueError, match=r"the number spread\[0\] is read by a function .* in functions="):
        StudentCard.load(file).predict(X, AGE)
    with pytest.raises(ValueError, match=r"it reads the number spread by a function .* in functions="):
        WaveletStudent.load(file)
    with pytest.raises(ValueError, match=r"it is a student for regression; load it with WaveletStudent\.load"):
        WaveletStudentClassifier.load(file, functions=[spread])
