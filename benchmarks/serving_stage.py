"""The folder of a serving benchmark: the launched product, its model, and the bodies of every form."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.serving_work import BODIES, BODY, asked_rows, write_product


class Stage:
    """Makes the folder; `model` holds what was fitted, as the module `serving_pipeline` writes it."""

    def __init__(self, folder: Path) -> None:
        self.product, self.model, self._bodies = folder / "product", folder / "model", folder / "bodies"
        self.rows = asked_rows()
        self.model.mkdir()
        self._bodies.mkdir()
        (self.model / "rows.json").write_text(json.dumps(self.rows))
        write_product(self.product)
        self._launch()

    def _launch(self) -> None:
        command = [str(Path(sys.executable).with_name("seatrial")), "launch"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SERVING_MODEL": str(self.model)}
        done = subprocess.run(
            command, cwd=self.product, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"seatrial launch failed:\n{done.stdout}\n{done.stderr}")

    def bodies(self, form: str, rows: int) -> Path:
        """A file of bodies, one per line, with so many rows each."""
        path = self._bodies / f"{form}.{rows}"
        if not path.exists():
            made = (BODY[form](self.rows[first : first + rows], first) for first in range(0, BODIES, rows))
            path.write_text("\n".join(made) + "\n")
        return path

    def forget_journal(self) -> None:
        """Remove what Seatrial recorded under load: gigabytes, in the end."""
        shutil.rmtree(self.product / ".seatrial" / "journal", ignore_errors=True)
