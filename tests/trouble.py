"""A model that does what its first number says, packaged as what runs isolated."""

from functools import cache

import numpy as np

from seatrial.adapters.frameworks.native import package_natively
from seatrial.adapters.runtimes.carried import carry, forget
from seatrial.adapters.runtimes.package import Tensor
from seatrial.product.features import ColumnInputs

SOURCE = """
import ctypes, os, sys, time
import numpy as np

class Trouble:
    def predict_proba(self, rows):
        what = int(rows[0, 0])
        if what:
            done = getattr(self, f"_{what}")(rows)
            if done is not None:
                return done
        share = np.clip(rows[:, 0] / 1000.0, 0.0, 1.0)
        return np.column_stack([1.0 - share, share]).astype(np.float64)

    def _1(self, rows):
        time.sleep(3600)

    def _2(self, rows):
        os._exit(3)

    def _3(self, rows):
        ctypes.string_at(0)

    def _4(self, rows):
        kept = []
        while True:
            kept.append(np.empty(2**24))

    def _5(self, rows):
        print("noise " * 100_000)
        os.write(1, b"more noise " * 10_000)
        sys.stdout.flush()

    def _6(self, rows):
        return np.full((len(rows), 2), np.nan)

    def _7(self, rows):
        return np.zeros((len(rows), 3))

    def _8(self, rows):
        return np.array([["no", "number"]] * len(rows))

    def _9(self, rows):
        raise ValueError("this model is broken")

    def _10(self, rows):
        # Held: no other thread of its process runs meanwhile.
        ctypes.PyDLL(None).sleep(3600)

    def _11(self, rows):
        for number in range(3, 1024):
            try:
                os.write(number, b"nonsense on every channel" * 10)
            except OSError:
                pass

    def _12(self, rows):
        return np.full((len(rows), 2), float(os.environ.get("SECRET", "0.25")))
"""

SLEEPS, EXITS, CRASHES, ALLOCATES, PRINTS, NAN = range(1, 7)
SHAPE, DTYPE, RAISES, HOLDS, NONSENSE, READS = range(7, 13)
HEALTHY = 0


@cache
def trouble_package(more: str = "") -> bytes:
    """The package; `more` is added to the module that came with it."""
    sources = {"trouble.py": SOURCE}
    finder = carry(sources)
    try:
        import trouble  # type: ignore[import-not-found]  # from the text above

        model = trouble.Trouble()
    finally:
        forget(finder)
    inputs = (Tensor("numbers", ("what",)),)
    return package_natively(model, "trouble", inputs, sources={"trouble.py": SOURCE + more})


def asking(what: float, rows: int = 1) -> ColumnInputs:
    """Inputs whose first row asks for trouble, or for none."""
    column = np.full((rows, 1), 250.0, dtype=np.float32)
    column[0, 0] = what
    return ColumnInputs(what=column)
