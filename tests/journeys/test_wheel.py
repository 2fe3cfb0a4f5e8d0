"""The wheel as a user has it: installed, every command run in turn, served, stopped and started again."""

import json
import subprocess
import sys
import sysconfig
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import shop
from tests.shop import LAUNCH, NAME, Commands, Running, comes_back, order, running, until

ROOT = Path(__file__).resolve().parents[2]

# What takes long is made once: the wheel, and a launched product.
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a fresh environment with the wheel in it; the libraries it needs are borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    fresh = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(fresh / "bin" / "python")]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(fresh)}))
    borrowed = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (own / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed))
    return fresh / "bin"


@pytest.fixture(scope="module")
def launched(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A product whose first release is live."""
    folder = tmp_path_factory.mktemp("shop")
    shop.bring(folder)
    commands = Commands([str(installed / "seatrial")], folder)
    assert commands.init("--answers", "answers.yaml")["missing"] == []
    snapshot, model = commands.json("data"), commands.json("train")
    assert (snapshot["rows"], model["snapshot"]) == (3000, snapshot["id"])
    release = commands.json("release")
    assert (release["phase"], release["bundle"]["model"]) == ("live", model["id"])
    assert all(gate["passed"] for gate in release["gates"])
    return commands


def test_the_wheel_brings_the_package_its_command_and_the_examples(installed: Path, tmp_path: Path) -> None:
    script = "import seatrial; print(seatrial.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    package = Path(done.stdout.strip()).parent
    assert package.is_relative_to(installed.parent)
    assert (package / "examples" / "flights" / "answers.yaml").is_file()
    assert (package / "py.typed").is_file()
    version = subprocess.run(
        [installed / "seatrial", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("seatrial, version ")


def test_intake_without_answers_says_what_is_missing_and_the_file_is_not_accepted_until_it_is_there(
    installed: Path, tmp_path: Path
) -> None:
    shop.bring(tmp_path)
    commands = Commands([str(installed / "seatrial")], tmp_path)
    missing = [line.split(":")[0] for line in commands.init()["missing"]]
    assert {"purpose", "owner", "objective", "examples.known_at", "examples.matured_at"} <= set(missing)
    refused = commands.run("check")
    assert refused.returncode == 1
    for field in ("purpose", "examples.known_at", "examples.matured_at"):
        assert f"{field}: missing" in refused.stderr
    again = commands.run("init", "--name", NAME, "--model", "prototype.joblib", "--consent")
    assert (again.returncode, again.stdout) == (1, "")
    assert "product.yaml is there already; --force replaces it" in again.stderr
    assert commands.init("--answers", "answers.yaml", "--force")["missing"] == []
    checked = commands.json("check", "--data")
    assert checked["missing"] == []
    assert [(source["rows"], source["kept"]) for source in checked["sources"]] == [(3000, 3000)]


def test_every_command_that_looks_prints_json_alone(launched: Commands) -> None:
    assert launched.json("prototype")["features"] == {"price": "float", "items": "int", "past_returns": "int"}
    assert launched.json("data", "show")["snapshot"]["rows"] == 3000
    assert launched.json("data", "quarantine")["rows"] == []
    assert launched.json("train", "show")["validation_rows"] == 600
    assert "# " in launched.json("train", "show", "--card")["card"]
    assert [release["phase"] for release in launched.json("release", "show")] == ["live"]
    assert launched.json("serve", "show")["workers"]["value"] == "1"
    assert launched.json("observe", "show") == {"incidents": [], "findings": [], "retention": {}}
    assert launched.json("decide", "show")["steps"] == []
    assert launched.json("status")["overview"]["live"]["id"] == "r0001"
    assert launched.json("logbook")[0]["kind"] == "product declared"


def test_a_rehearsal_and_readiness_report_what_they_found(launched: Commands) -> None:
    report = launched.json("rehearse", "--start", "2024-02-19", "--end", "2024-02-22")
    assert report["rows"] == 3 * shop.ORDERS_A_DAY
    value = {line["policy"]: line["value"]["value"] for line in report["policies"]}
    assert value["no_model"] == 0 < value["loop"] <= value["oracle"]
    readiness = launched.json("readiness")
    assert len(readiness["results"]) == 28
    assert readiness["score"] == min(readiness["sections"].values())
    assert launched.json("readiness", "show") == readiness
    verified = launched.json("logbook", "verify")
    kinds = [entry["kind"] for entry in launched.json("logbook", "show")]
    assert verified["verified"]
    assert verified["entries"] == len(kinds)
    assert {"rehearsal finished", "readiness run"} <= set(kinds)


def test_a_first_release_cannot_be_rolled_back_and_stays_live(launched: Commands) -> None:
    refused = launched.run("release", "rollback", "--why", "calls cost too much")
    assert refused.returncode == 1
    assert f"release r0001 of {NAME} has no predecessor to roll back to" in refused.stderr
    assert [release["phase"] for release in launched.json("release", "show")] == ["live"]


def test_a_request_that_breaks_the_contract_is_told_every_fault(launched: Commands) -> None:
    row = order(1, LAUNCH)
    wrong = [
        {**row, "price": "much", "items": 0},
        {**row, "ordered_at": "yesterday", "colour": "red"},
        {name: row[name] for name in row if name != "order_id"},
    ]
    with running(launched) as up:
        answer = up.predict(wrong)
        assert up.stop() == 0
    assert answer.status_code == 400
    body = answer.json()
    faults = {(fault["row"], fault["field"]): fault for fault in body["details"]}
    assert body["code"] == "request_invalid"
    assert {(0, "price"), (0, "items"), (1, "ordered_at"), (2, "order_id")} <= set(faults)
    assert all(fault["expected"] and fault["received"] for fault in body["details"])
    assert "much" in faults[0, "price"]["received"]


def test_a_product_file_with_mistakes_is_refused_with_all_of_them_and_their_lines(
    launched: Commands, tmp_path: Path
) -> None:
    text = (launched.folder / "product.yaml").read_text()
    for right, mistake in (
        ("past_returns >= 4", "past_return >= 4"),
        ("key: order_id", "key: order_number"),
        ("matured_at: ordered_at", "matured_at: price"),
    ):
        assert right in text
        text = text.replace(right, mistake)
    (tmp_path / "product.yaml").write_text(text)
    (tmp_path / "contract.yaml").write_text((launched.folder / "contract.yaml").read_text())
    lines = text.splitlines()
    told = Commands(launched.seatrial, tmp_path).run("check", "--json")
    shown = Commands(launched.seatrial, tmp_path).run("check")
    assert (told.returncode, shown.returncode, shown.stdout) == (1, 1, "")
    error = json.loads(told.stdout)["error"]
    assert error["code"] == "product_file_invalid"
    for field, mistake in (("key", "order_number"), ("baseline", "past_return"), ("matured_at", "price")):
        number = next(i for i, line in enumerate(lines, 1) if line.strip().startswith(f"{field}:"))
        [problem] = [one for one in error["problems"] if f".{field}: " in one]
        assert problem.startswith(f"line {number}: ")
        assert mistake in problem
        assert problem in shown.stderr


def booked(commands: Commands) -> dict[str, Any]:
    """The statement as it stands."""
    statement: dict[str, Any] = commands.json("value", "show")
    return statement


def worth(answers: list[dict[str, Any]], rows: list[dict[str, Any]]) -> float:
    """What the decisions earned, by the objective of the answers file, counted here once more."""
    gains = (20 if comes_back(row) else -8 for row in rows)
    return float(sum(gain for answer, gain in zip(answers, gains, strict=True) if answer["decision"]))


def reports_on(answers: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"prediction_id": answer["prediction_id"], "returned": comes_back(row)}
        for answer, row in zip(answers, rows, strict=True)
    ]


def answered(up: Running, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = up.predict(rows).raise_for_status().json()["predictions"]
    return answers


def orders_of(day: datetime, first: int, count: int) -> list[dict[str, Any]]:
    return [order(number, day + timedelta(seconds=number)) for number in range(first, first + count)]


def test_outcomes_become_value_however_they_come_and_a_restart_loses_none_of_it(launched: Commands) -> None:
    launched.json("value")  # as a person would look; it must not keep the loop from going on
    old, young = orders_of(LAUNCH - timedelta(days=8), 5000, 40), orders_of(LAUNCH, 6000, 10)
    with running(launched) as up:
        by_key = [{"key": row["order_id"], "returned": comes_back(row)} for row in old[30:]]
        assert up.report(by_key).json()["accepted"] == 10  # before their predictions
        answers, waiting = answered(up, old), answered(up, young)
        reports = reports_on(answers, old)[:25]
        unknown = [{"prediction_id": "nobody", "returned": True}, {"key": "o9", "returned": True}]
        assert up.report(reports[::-1]).json()["accepted"] == 25
        assert up.report([*reports[:10], *unknown]).json()["accepted"] == 12  # once more
        until(lambda: booked(launched)["without_outcome"] == 5, "all but the five late outcomes are booked")
        assert up.report(reports_on(answers, old)[25:30]).json()["accepted"] == 5
        until(lambda: booked(launched)["without_outcome"] == 0, "the late outcomes are booked")
        page = httpx.get(f"{up.console}/products/{NAME}", timeout=20)
        assert (page.status_code, NAME in page.text) == (200, True)
        assert up.stop() == 0
    before = booked(launched)
    assert (before["matured"], before["waiting"]) == (40, 10)
    assert before["value"]["value"] == worth(answers, old) != 0
    with running(launched) as up:
        [fresh] = answered(up, orders_of(LAUNCH, 7000, 1))
        assert up.report(reports_on(waiting, young)).json()["accepted"] == 10
        until(lambda: booked(launched)["waiting"] == 11, "the new prediction is drained")
        assert booked(launched)["value"] == before["value"]
        assert up.stop() == 0
    after = launched.json("value", later=timedelta(days=10))
    assert (after["matured"], after["waiting"], after["without_outcome"]) == (51, 0, 1)
    assert after["value"]["value"] == worth(answers, old) + worth(waiting, young)
    assert fresh["release"] == "r0001"
    assert launched.json("logbook", "verify")["verified"]
