"""From a fitted model, a table and answers to a product folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from seatrial.cycle.intake import CONTRACT_NAME, write_product
from seatrial.data.ports import Delivery, Position
from seatrial.errors import Conflict, ProductFileInvalid
from seatrial.product.read import FILE_NAME, read_product
from seatrial.product.schema import Source
from seatrial.prototype.intake import Intake
from seatrial.prototype.ports import ModelFacts
from tests.parcels_loop import World

ANSWERS = """
purpose: Warn of parcels that will come late.
owner: {business: shop@parcels.example, engineering: ml@parcels.example}
objective:
  unit: EUR
  value: CASE WHEN decision AND late THEN 4 WHEN decision THEN -3 ELSE 0 END
  value_range: [-5, 20]
  baseline: express
  outcome_depends_on_action: no
examples:
  key: parcel_id
  made_at: sent_at
  outcome: {label: late, also: []}
  known_at: known_at
  matured_at: sent_at + INTERVAL '1 day'
"""


class ParquetReader:
    """Reads tables that lie in the product's folder, and remembers which."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        self.asked.append(name)
        assert folder is not None
        rows = pl.read_parquet(folder / str(source.path))
        yield Delivery(frame=rows, position={}, whole=True, origin=name)


class Inspector:
    """Finds what a fitted pipeline would say of itself."""

    def inspect(self, path: Path) -> ModelFacts:
        assert path.read_bytes() == b"a fitted model"
        return ModelFacts(
            digest=f"sha256:{'a' * 64}",
            class_name="Pipeline",
            features=("city", "size", "distance", "express"),
            task="binary",
        )


class Desk:
    """A model and a table somewhere, and a folder that shall become a product."""

    def __init__(self, place: Path) -> None:
        self.world, self.reader = World(), ParquetReader()
        self.folder, self.model, self.sample = (
            place / "product",
            place / "m.joblib",
            place / "parcels.parquet",
        )
        self.model.write_bytes(b"a fitted model")
        self.world.examples.drop("heavy", "matured_at", "weight").write_parquet(self.sample)

    def write(
        self,
        answers: str | None = ANSWERS,
        *,
        name: str = "late-parcels",
        sample: bool = True,
        replace: bool = False,
    ) -> Intake:
        return write_product(
            self.folder,
            name=name,
            model_file=self.model,
            sample_file=self.sample if sample else None,
            answers_text=answers,
            inspector=Inspector(),
            reader=self.reader,
            workspace=self.world.workspace,
            replace=replace,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_folder_is_a_whole_product_and_the_logbook_says_so(desk: Desk) -> None:
    assert desk.write().missing == ()
    product = read_product(desk.folder)
    assert (product.name, product.key, product.made_at) == ("late-parcels", "parcel_id", "sent_at")
    assert product.file.model.consented == f"sha256:{'a' * 64}"
    assert {path.name for path in desk.folder.iterdir()} == {
        FILE_NAME,
        CONTRACT_NAME,
        "m.joblib",
        "parcels.parquet",
    }
    [entry] = desk.world.logbook()
    assert (entry.kind, entry.subject) == ("product declared", "late-parcels")
    assert entry.body == {"model": "m.joblib", "missing": []}


def test_without_answers_what_is_missing_is_listed(desk: Desk) -> None:
    intake = desk.write(None)
    assert intake.missing
    assert desk.world.logbook()[0].body["missing"] == list(intake.missing)
    assert (desk.folder / FILE_NAME).read_text() == intake.product_text


def test_what_is_there_already_is_replaced_only_when_told(desk: Desk) -> None:
    desk.write()
    (desk.folder / FILE_NAME).write_text("mine")
    with pytest.raises(Conflict, match="--force"):
        desk.write()
    assert (desk.folder / FILE_NAME).read_text() == "mine"
    desk.write(replace=True)
    assert read_product(desk.folder).name == "late-parcels"


def test_a_model_that_lies_in_the_folder_stays_as_it_is(desk: Desk) -> None:
    desk.folder.mkdir()
    inside = desk.folder / "m.joblib"
    shutil.copyfile(desk.model, inside)
    desk.model = inside
    desk.write()
    assert inside.read_bytes() == b"a fitted model"


def test_answers_may_declare_the_sources_themselves(desk: Desk) -> None:
    desk.folder.mkdir()
    shutil.copyfile(desk.sample, desk.folder / "all.parquet")
    sources = "sources: {history: {path: all.parquet}}\n"
    desk.write(ANSWERS.replace("examples:\n", "examples:\n  from: history\n") + sources, sample=False)
    assert desk.reader.asked == ["history"]
    assert read_product(desk.folder).file.examples.source == "history"


def test_a_name_that_cannot_be_one_is_refused_in_words(desk: Desk) -> None:
    with pytest.raises(ProductFileInvalid, match="digits and dashes, beginning with a letter, got '1 Late'"):
        desk.write(name="1 Late")
    assert not desk.folder.exists()


def test_answers_with_a_mistake_give_files_to_mend_and_a_logbook_that_says_so(desk: Desk) -> None:
    intake = desk.write(ANSWERS.replace("baseline: express", "baseline: expres"))
    assert [one.split(": ")[1] for one in intake.missing] == ["objective.baseline"]
    with pytest.raises(ProductFileInvalid, match="unknown column expres"):
        read_product(desk.folder)
    assert desk.world.logbook()[0].body["missing"] == list(intake.missing)


def test_answers_that_are_no_mapping_are_refused(desk: Desk) -> None:
    with pytest.raises(ProductFileInvalid, match="mapping"):
        desk.write("- a\n- b\n")
    assert desk.world.logbook() == []
