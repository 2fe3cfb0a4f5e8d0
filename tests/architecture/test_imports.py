"""Who may import whom, and what a light import may cost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("altair", "deltalake", "numpy", "onnxruntime", "pandas", "polars", "scipy", "sklearn", "sqlalchemy")
# One trespass for each contract, written into a copy of the source.
TRESPASSES = {
    "Layers": ("facts/trespass.py", "import seatrial.measures"),
    "Only wiring chooses adapters": ("cli/trespass.py", "import seatrial.adapters"),
    "The inside knows no database, web or CLI library": ("decide/trespass.py", "import sqlalchemy"),
    "Facts and errors know no tables and no arrays": ("facts/table_trespass.py", "import polars"),
    "The two doors do not know each other": ("web/scoring/trespass.py", "import seatrial.web.console"),
    "No cycles between siblings": ("value/trespass.py", "from seatrial.value import other"),
}


def run_python(
    *arguments: str, cwd: Path = ROOT, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return run_python("-c", command, "--no-cache", cwd=root, path=root / "src")


def house_with(tmp_path: Path, files: dict[str, str]) -> Path:
    """A copy of the source and its contracts, with more files in the package."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "seatrial"
    shutil.copytree(ROOT / "src" / "seatrial", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(text + "\n")
    return tmp_path


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after the statement, in a fresh interpreter."""
    report = "import sys; print('\\n'.join(sorted({m.split('.')[0] for m in sys.modules})))"
    result = run_python("-c", f"{statement}\n{report}")
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines())


def test_the_import_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


def test_every_contract_notices_a_trespass(tmp_path: Path) -> None:
    other = {"value/other.py": "from seatrial.value import trespass"}
    result = lint_imports(house_with(tmp_path, other | dict(TRESPASSES.values())))
    assert result.returncode == 1, result.stdout + result.stderr
    broken = {line for line in result.stdout.splitlines() if " BROKEN" in line}
    unnoticed = [name for name in TRESPASSES if not any(line.startswith(name) for line in broken)]
    assert not unnoticed, result.stdout


def test_a_new_folder_must_be_given_its_place_in_the_layers(tmp_path: Path) -> None:
    result = lint_imports(house_with(tmp_path, {"annexe/__init__.py": '"""Not in the layers."""'}))
    assert result.returncode == 1, result.stdout + result.stderr
    assert "seatrial.annexe" in result.stdout


def test_import_seatrial_loads_no_heavy_library() -> None:
    assert loaded_by("import seatrial").isdisjoint(HEAVY)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_asking_the_command_line_what_it_can_do_loads_no_heavy_library(argument: str) -> None:
    statement = f"""
import contextlib, io
from seatrial.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["{argument}"], standalone_mode=False)
"""
    assert loaded_by(statement).isdisjoint(HEAVY)


def test_a_heavy_library_would_be_seen() -> None:
    assert "numpy" in loaded_by("import numpy")
