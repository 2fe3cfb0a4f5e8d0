"""Looking into a fitted model, in a process of its own."""

import hashlib
import pickle
from pathlib import Path

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from seatrial.adapters.frameworks.inspect import SubprocessInspector
from seatrial.errors import NotFound, TrainingFailed

INPUTS = pl.DataFrame({"wind": [0.0, 1.0, 2.0, 3.0], "rain": [1.0, 0.0, 1.0, 0.0]})


def test_a_classifier_tells_its_inputs_and_task(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit(INPUTS, np.array([0, 0, 1, 1])), path)
    facts = SubprocessInspector().inspect(path)
    assert facts.digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert (facts.features, facts.task) == (("wind", "rain"), "binary")
    assert facts.class_name.endswith(".LogisticRegression")


def test_other_models_tell_what_they_are(tmp_path: Path) -> None:
    joblib.dump(LinearRegression().fit(INPUTS.to_numpy(), INPUTS["wind"].to_numpy()), tmp_path / "m.joblib")
    facts = SubprocessInspector().inspect(tmp_path / "m.joblib")
    assert (facts.features, facts.task) == ((), "regression")


class Loud:
    """Prints while it is opened, and then ends the process."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("import os; print('hello'); os._exit(7)",))


def test_a_file_that_ends_its_process_ends_only_that(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(pickle.dumps(Loud()))
    with pytest.raises(TrainingFailed, match="cannot be opened as a fitted model"):
        SubprocessInspector().inspect(tmp_path / "m.joblib")


def test_a_file_that_is_no_model_says_why(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"no pickle")
    with pytest.raises(TrainingFailed, match=r"m.joblib: cannot be opened as a fitted model: \w+"):
        SubprocessInspector().inspect(tmp_path / "m.joblib")


def test_no_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model file"):
        SubprocessInspector().inspect(tmp_path / "m.joblib")
