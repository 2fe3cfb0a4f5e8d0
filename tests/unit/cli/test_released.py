"""A product file that cannot be used leaves its live release at work, and the operator with eyes."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import cast

import msgspec
import pytest
from click.testing import CliRunner, Result

from seatrial.cli.app import App
from seatrial.cli.main import main
from seatrial.cli.serve import _Loop
from seatrial.cycle.reconcile import Reconciler, Tick
from seatrial.errors import ProductFileInvalid
from seatrial.facts.release import Phase, Release
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests.hotel import hotel_product, stored_release

HARM: dict[str, Callable[[Path], object]] = {
    "not YAML": lambda file: file.write_text(file.read_text() + "\nnonsense: ["),
    "a field misspelt": lambda file: file.write_text(file.read_text() + "\nrelaese: {}\n"),
    "not text": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "gone": lambda file: file.unlink(),
}


class Folder:
    """A product's folder with its workspace, in which releases were made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in zip(("product.yaml", "contract.yaml"), hotel_product().texts, strict=True):
            (folder / name).write_text(text)

    def release(self, id: str, phase: Phase, product: str = "hotel") -> None:
        workspace = open_workspace(read_settings({}, {}, self.folder))
        made = stored_release(workspace.artifacts, id)
        made = msgspec.structs.replace(made, id=id, product=product, phase=phase, previous="r0001")
        with workspace.metadata.begin() as transaction:
            transaction.put(made)
        workspace.metadata.close()

    def phases(self) -> dict[str, Phase]:
        workspace = open_workspace(read_settings({}, {}, self.folder))
        with workspace.metadata.begin() as transaction:
            found = {one.id: one.phase for one in transaction.all(Release, "hotel")}
        workspace.metadata.close()
        return found

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "-C", str(self.folder)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    for name in ("WORKSPACE", "METADATA_URL"):
        monkeypatch.delenv(f"SEATRIAL_{name}", raising=False)
    return Folder(tmp_path)


def app(folder: Folder) -> App:
    return App(folder.folder, None, as_json=False, debug=False)


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_with_a_broken_file_the_status_of_the_live_release_is_shown_and_what_is_wrong(
    folder: Folder, harm: Callable[[Path], object]
) -> None:
    folder.release("r0001", Phase.LIVE)
    whole = folder.run("status")
    harm(folder.folder / "product.yaml")
    told = folder.run("status")
    assert (whole.exit_code, told.exit_code) == (0, 0), told.output
    assert told.stdout == whole.stdout
    assert (whole.stderr, told.stderr.splitlines()[-1]) == (
        "",
        "warning: going on with hotel as it was released",
    )
    assert told.stderr.startswith("product_file_invalid: ")
    assert json.loads(folder.run("status", "--json").stdout)["overview"]["live"]["id"] == "r0001"


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_with_a_broken_file_a_release_can_be_rolled_back(
    folder: Folder, harm: Callable[[Path], object]
) -> None:
    folder.release("r0001", Phase.RETIRED)
    folder.release("r0002", Phase.LIVE)
    harm(folder.folder / "product.yaml")
    assert "r0002" in folder.run("release", "show").stdout
    done = folder.run("release", "rollback", "--why", "harm")
    assert done.exit_code == 0, done.output
    assert folder.phases()["r0001"] is Phase.LIVE


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_servers_need_the_name_alone(folder: Folder, harm: Callable[[Path], object]) -> None:
    folder.release("r0001", Phase.LIVE)
    harm(folder.folder / "product.yaml")
    assert app(folder).product_name() == "hotel"
    assert app(folder).standing_product().name == "hotel"


@pytest.mark.parametrize("command", ["status", "serve", "up"])
def test_with_a_broken_file_and_nothing_or_several_live_commands_say_what_is_wrong(
    folder: Folder, command: str
) -> None:
    HARM["not YAML"](folder.folder / "product.yaml")
    before = folder.run(command)
    assert not (folder.folder / ".seatrial").exists()
    folder.release("r0001", Phase.CANDIDATE)
    none = folder.run(command)
    folder.release("r0002", Phase.LIVE)
    folder.release("r0003", Phase.LIVE, product="motel")
    several = folder.run(command)
    for told in (before, none, several):
        assert told.exit_code == 1
        assert "not YAML" in told.stderr
        assert "warning" not in told.stderr


class Quiet:
    """A loop of one round."""

    def __init__(self, stop: Event) -> None:
        self.stop, self.rounds = stop, 0

    def tick(self) -> Tick:
        self.rounds += 1
        self.stop.set()
        return Tick(busy=False)

    def release_lease(self) -> None:
        """Nothing is held."""


def test_the_loop_waits_until_the_file_is_mended_and_says_so_once(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Event()
    quiet, asked = Quiet(stop), iter([1, 2, 3])

    def made() -> Reconciler:
        if next(asked) < 3:
            raise ProductFileInvalid(["line 46: not YAML"], name="product.yaml")
        return cast("Reconciler", quiet)

    loop = _Loop(app(folder), made, stop, 0.01)
    loop.run()
    assert (loop.error, quiet.rounds) == (None, 1)
    said = capsys.readouterr().err
    assert said.count("line 46: not YAML") == 1
    assert said.endswith("mended: the loop goes on\n")


def test_the_loop_that_waits_for_a_file_ends_when_it_is_told_to(folder: Folder) -> None:
    stop = Event()

    def made() -> Reconciler:
        stop.set()
        raise ProductFileInvalid(["line 46: not YAML"], name="product.yaml")

    loop = _Loop(app(folder), made, stop, 60)
    loop.run()
    assert loop.error is None
