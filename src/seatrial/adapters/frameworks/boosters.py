"""Gradient boosting of other libraries: how their models become ONNX, and LightGBM's own text beside it."""

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

_PROBES = 64
_ZIPMAP = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


def register() -> None:
    """Teach skl2onnx the classifiers of LightGBM and XGBoost, where they and onnxmltools are installed."""
    if importlib.util.find_spec("onnxmltools") is None:
        return
    if importlib.util.find_spec("lightgbm") is not None:
        from lightgbm import LGBMClassifier
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

        _teach(LGBMClassifier, "LightGbmLGBMClassifier", convert_lightgbm)
    if importlib.util.find_spec("xgboost") is not None:
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
        from xgboost import XGBClassifier

        _teach(XGBClassifier, "XGBoostXGBClassifier", convert_xgboost)


def _teach(classifier: type, alias: str, converter: Callable[..., None]) -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    update_registered_converter(
        classifier, alias, calculate_linear_classifier_output_shapes, converter, options=_ZIPMAP
    )


def lightgbm_text(model: Any) -> bytes | None:
    """The booster of a LightGBM classifier in LightGBM's own format; None for every other model."""
    steps = getattr(model, "steps", None)
    alone = steps[0][1] if steps is not None and len(steps) == 1 else model
    if type(alone).__module__.partition(".")[0] != "lightgbm" or not hasattr(alone, "booster_"):
        return None
    return str(alone.booster_.model_to_string()).encode()


def probes(text: bytes, features: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Rows of made-up numbers that take many paths through the trees: values between their cuts, and missing ones.

    Shape (64, features). No row of anybody's data is in a package.
    """
    random = np.random.default_rng([seed, features])
    rows = random.normal(size=(_PROBES, features))
    for feature, cuts in _cuts(text.decode(errors="replace")).items():
        between = np.concatenate([[cuts[0] - 1.0], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + 1.0]])
        rows[:, feature] = random.choice(between, _PROBES)
    rows[random.random(rows.shape) < 0.05] = np.nan
    return rows.astype(np.float32)


def _cuts(text: str) -> dict[int, npt.NDArray[np.float64]]:
    """The distinct thresholds of each feature, in order."""
    found: dict[int, set[float]] = {}
    pattern = re.compile(r"^split_feature=(.*)\n(?:.*\n)*?threshold=(.*)$", re.MULTILINE)
    for match in pattern.finditer(text):
        for feature, cut in zip(match[1].split(), match[2].split(), strict=True):
            found.setdefault(int(feature), set()).add(float(cut))
    return {feature: np.array(sorted(cuts)) for feature, cuts in found.items()}
