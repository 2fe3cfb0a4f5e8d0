import numpy as np
import numpy.typing as npt

from seatrial.ports.runtime import Inputs
from seatrial.product.features import ColumnInputs
from seatrial.train.scoring import score_in_parts

ROWS = ColumnInputs(size=np.arange(1300, dtype=np.float32).reshape(-1, 1))


class Counting:
    """Remembers how many rows each call had."""

    def __init__(self, *, isolated: bool) -> None:
        self.isolated = isolated
        self.rows: list[int] = []

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        self.rows.append(inputs["size"].shape[0])
        return inputs["size"][:, 0].astype(np.float64)

    def close(self) -> None:
        """It has no process."""


def test_a_model_of_its_own_process_scores_some_rows_at_a_time() -> None:
    scorer = Counting(isolated=True)
    assert score_in_parts(scorer, ROWS).tolist() == list(range(1300))
    assert scorer.rows == [512, 512, 276]


def test_any_other_model_scores_all_at_once() -> None:
    scorer = Counting(isolated=False)
    assert score_in_parts(scorer, ROWS).tolist() == list(range(1300))
    assert scorer.rows == [1300]


def test_no_rows_have_no_scores() -> None:
    none = ColumnInputs(size=np.empty((0, 1), dtype=np.float32))
    assert score_in_parts(Counting(isolated=True), none).shape == (0,)
