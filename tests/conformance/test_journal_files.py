"""The journal's files: damage, rotation, and disks that fail."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.adapters.journal.frames import framed, header, scan
from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.errors import IntegrityBroken, JournalUnavailable
from seatrial.ports.journal import Segment

GROUPS = st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=5)
RECORDS = st.lists(st.binary(max_size=40), min_size=1, max_size=8)


class Seconds:
    """Seconds that a test counts."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _only(folder: Path) -> Segment:
    (segment,) = FileJournalReader(folder).sealed()
    return segment


def _path(folder: Path, state: str) -> Path:
    (path,) = folder.glob(f"*.{state}")
    return path


def _write_dead(folder: Path, data: bytes) -> None:
    (folder / "dead-1.0000000001.predictions.open").write_bytes(data)


def _write_sealed(folder: Path, data: bytes) -> Path:
    path = folder / "dead-1.0000000001.predictions.sealed"
    path.write_bytes(data)
    return path


@given(groups=GROUPS)
def test_any_groups_come_back_as_they_were_appended(groups: list[list[bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = FileJournalWriter(folder)
        for group in groups:
            writer.append("predictions", group)
        writer.close()
        found = [record for segment in FileJournalReader(folder).sealed() for record in segment.records]
    assert found == [record for group in groups for record in group]


@given(records=RECORDS, data=st.data())
def test_any_truncation_of_a_dead_writers_file_leaves_a_prefix(
    records: list[bytes], data: st.DataObject
) -> None:
    whole = header() + framed(records)
    kept = data.draw(st.integers(1, len(whole)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_dead(folder, whole[:kept])
        segment = _only(folder)
        again = _only(folder)
    found = list(segment.records)
    assert found == records[: len(found)]
    written = len(header() + framed(found)) if kept >= len(header()) else 0
    assert segment.cut_bytes == kept - written
    assert again == segment


@given(records=RECORDS, data=st.data())
def test_any_flipped_byte_in_the_last_record_cuts_just_that_one(
    records: list[bytes], data: st.DataObject
) -> None:
    before, whole = header() + framed(records[:-1]), header() + framed(records)
    at = data.draw(st.integers(len(before), len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    for write in (_write_dead, _write_sealed):
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), bytes(damaged))
            segment = _only(Path(name))
        assert list(segment.records) == records[:-1]
        assert segment.cut_bytes == len(whole) - len(before)


@given(records=RECORDS, zeros=st.integers(1, 100))
def test_a_zero_filled_tail_is_no_run_of_empty_records(records: list[bytes], zeros: int) -> None:
    found = scan(header() + framed(records) + bytes(zeros), "segment")
    assert (found.records, found.size - found.good) == (records, zeros)


@given(noise=st.binary(min_size=1, max_size=200))
def test_noise_is_no_record(noise: bytes) -> None:
    assert scan(noise, "segment").records == []
    assert scan(header() + noise, "segment").records == []


def test_what_is_cut_is_kept_aside(tmp_path: Path) -> None:
    whole = header() + framed([b"first", b"second"])
    _write_dead(tmp_path, whole[:-1])
    segment = _only(tmp_path)
    assert list(segment.records) == [b"first"]
    assert _path(tmp_path, "cut").read_bytes() == framed([b"second"])[:-1]
    FileJournalReader(tmp_path).discard(segment)
    assert FileJournalReader(tmp_path).sealed() == []
    assert _path(tmp_path, "cut").exists()


def test_recovery_that_was_itself_interrupted_is_repeated(tmp_path: Path) -> None:
    whole = header() + framed([b"first", b"second"])
    _write_dead(tmp_path, whole[:-1])
    (tmp_path / "dead-1.0000000001.predictions.cut").write_bytes(b"half")
    segment = _only(tmp_path)
    assert (list(segment.records), segment.cut_bytes) == ([b"first"], len(framed([b"second"])) - 1)


def test_damage_in_the_middle_of_a_dead_writers_file_cuts_all_behind_it(tmp_path: Path) -> None:
    whole = bytearray(header() + framed([b"first", b"second", b"third"]))
    whole[len(header() + framed([b"first"])) + 8] ^= 1
    _write_dead(tmp_path, bytes(whole))
    segment = _only(tmp_path)
    assert (list(segment.records), segment.cut_bytes) == ([b"first"], len(framed([b"second", b"third"])))


@pytest.mark.parametrize("at", [0, 15, 16, 20, 24, 28])
def test_damage_in_the_middle_of_a_sealed_file_is_refused_with_its_place(tmp_path: Path, at: int) -> None:
    whole = bytearray(header() + framed([b"first", b"second"]))
    whole[at] ^= 1
    path = _write_sealed(tmp_path, bytes(whole))
    place = 0 if at < len(header()) else len(header())
    with pytest.raises(IntegrityBroken, match=f"at byte {place} does not match") as refused:
        FileJournalReader(tmp_path).sealed()
    assert str(path) in str(refused.value)
    assert path.read_bytes() == whole


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatrial.adapters.journal.frames._VERSION", 2)
    data = header() + framed([b"first"])
    monkeypatch.undo()
    _write_sealed(tmp_path, data)
    with pytest.raises(IntegrityBroken, match="written in version 2"):
        FileJournalReader(tmp_path).sealed()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "a.b.c.sealed", ".hidden", "w.1.Kind.open"):
        (tmp_path / name).write_bytes(b"x")
    assert FileJournalReader(tmp_path).sealed() == []
    assert len(list(tmp_path.iterdir())) == 4


def test_a_segment_is_sealed_when_it_is_large_enough(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path, segment_bytes=100)
    for _ in range(5):
        writer.append("predictions", [b"x" * 40])
    assert FileJournalReader(tmp_path).sealed() == [], "an append does not wait for the disk"
    writer.tick()
    assert [len(segment.records) for segment in FileJournalReader(tmp_path).sealed()] == [2, 2]
    writer.close()


def test_full_segments_do_not_pile_up_where_nobody_ticks(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path, segment_bytes=1)
    for number in range(40):
        writer.append("predictions", [b"%d" % number])
        assert len(list(tmp_path.glob("*.open"))) < 8
    writer.close()
    records = [record for segment in FileJournalReader(tmp_path).sealed() for record in segment.records]
    assert records == [b"%d" % number for number in range(40)]


def test_a_segment_takes_no_more_records_when_it_is_old_enough(tmp_path: Path) -> None:
    seconds = Seconds()
    writer = FileJournalWriter(tmp_path, segment_seconds=60, elapsed=seconds)
    writer.append("predictions", [b"a"])
    seconds.now = 59.9
    writer.append("predictions", [b"b"])
    assert FileJournalReader(tmp_path).sealed() == []
    seconds.now = 60
    writer.append("predictions", [b"c"])
    writer.tick()
    assert list(_only(tmp_path).records) == [b"a", b"b"]
    writer.close()


def test_a_tick_seals_what_is_old_and_quiet(tmp_path: Path) -> None:
    seconds = Seconds()
    writer = FileJournalWriter(tmp_path, segment_seconds=60, elapsed=seconds)
    writer.append("outcomes", [b"a"])
    seconds.now = 30
    writer.append("predictions", [b"b"])
    writer.tick()
    assert FileJournalReader(tmp_path).sealed() == []
    seconds.now = 60
    writer.tick()
    assert _only(tmp_path).kind == "outcomes"
    writer.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files at each sync."""
    sizes: list[int] = []
    real = os.fdatasync

    def record(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", record)
    return sizes


def test_every_batch_is_synced_before_it_is_acknowledged(tmp_path: Path, synced: list[int]) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    for expected in (1, 2, 3):
        writer.append("predictions", [b"x" * 10])
        assert synced[-1] == _path(tmp_path, "open").stat().st_size
        assert len(synced) == expected
    writer.close()


def test_on_an_interval_ticks_sync_everything_and_appends_nothing(tmp_path: Path, synced: list[int]) -> None:
    seconds = Seconds()
    writer = FileJournalWriter(tmp_path, fsync=5, elapsed=seconds)
    writer.append("predictions", [b"a"])
    writer.append("outcomes", [b"a"])
    seconds.now = 5
    writer.append("predictions", [b"b"])
    assert synced == []
    writer.tick()
    assert len(synced) == 2
    writer.append("outcomes", [b"b"])
    seconds.now = 9
    writer.tick()
    assert len(synced) == 2
    seconds.now = 10
    writer.tick()
    assert len(synced) == 3
    seconds.now = 15
    writer.tick()
    assert len(synced) == 3, "what is synced is not synced again"
    writer.close()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose names were synced."""
    folders: list[str] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        folders.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return folders


def test_the_name_of_a_new_segment_is_synced_before_its_first_batch_or_with_the_next_tick(
    tmp_path: Path, named: list[str]
) -> None:
    seconds = Seconds()
    writer = FileJournalWriter(tmp_path, fsync=5, elapsed=seconds)
    writer.append("predictions", [b"a"])
    assert named == []
    seconds.now = 5
    writer.tick()
    assert named == [str(tmp_path)]
    writer.fsync = "batch"
    writer.append("outcomes", [b"a"])
    assert named == [str(tmp_path)] * 2
    writer.close()


def test_names_that_waited_for_an_interval_are_synced_after_a_change_to_batches(
    tmp_path: Path, named: list[str]
) -> None:
    writer = FileJournalWriter(tmp_path, fsync=5, elapsed=Seconds())
    writer.append("predictions", [b"a"])
    writer.fsync = "batch"
    writer.tick()
    assert named == [str(tmp_path)]
    writer.close()


def test_appends_go_on_while_a_tick_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FileJournalWriter(tmp_path, fsync=1, segment_bytes=30, elapsed=(seconds := Seconds()))
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        writer.append("predictions", [b"meanwhile"])
        real(descriptor)

    writer.append("predictions", [b"first, and of some length"])
    writer.append("predictions", [b"second"])
    seconds.now = 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", slow)
        writer.tick()
    writer.close()
    records = [record for segment in FileJournalReader(tmp_path).sealed() for record in segment.records]
    assert records == [b"first, and of some length", b"second", b"meanwhile", b"meanwhile"]


@contextmanager
def _file_size_limit(limit: int) -> Iterator[None]:
    """A full disk, as far as this process can tell: writes behind the limit are cut short, then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_group_that_does_not_fit_on_the_disk_is_wholly_absent(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path)
    writer.append("predictions", [b"before"])
    with _file_size_limit(100), pytest.raises(JournalUnavailable, match="cannot be written"):
        writer.append("predictions", [b"lost"] * 20)
    writer.append("predictions", [b"after"])
    writer.close()
    segment = _only(tmp_path)
    assert (list(segment.records), segment.cut_bytes) == ([b"before", b"after"], 0)


def test_a_first_group_that_does_not_fit_leaves_no_segment(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path)
    with _file_size_limit(10), pytest.raises(JournalUnavailable):
        writer.append("predictions", [b"lost"])
    writer.close()
    assert FileJournalReader(tmp_path).sealed() == []


def _failing(*_: object) -> None:
    raise OSError(5, "Input/output error")


def test_a_group_whose_sync_fails_is_wholly_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    writer.append("predictions", [b"before"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _failing)
        with pytest.raises(JournalUnavailable, match="Input/output error"):
            writer.append("predictions", [b"lost"])
    writer.append("predictions", [b"after"])
    writer.close()
    assert list(_only(tmp_path).records) == [b"before", b"after"]


def test_behind_what_cannot_be_taken_back_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    writer.append("predictions", [b"before"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _failing)
        patch.setattr(os, "ftruncate", _failing)
        with pytest.raises(JournalUnavailable):
            writer.append("predictions", [b"doubtful"])
    writer.append("predictions", [b"after"])
    writer.close()
    found = [list(segment.records) for segment in FileJournalReader(tmp_path).sealed()]
    assert found == [[b"before", b"doubtful"], [b"after"]]


def _spoil(writer: FileJournalWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails and cannot be taken back."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _failing)
        patch.setattr(os, "ftruncate", _failing)
        with pytest.raises(JournalUnavailable):
            writer.append("predictions", [b"doubtful"])


def test_what_cannot_be_taken_back_is_handed_over_while_its_writer_lives_and_before_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    writer.append("predictions", [b"before"])
    writer.append("outcomes", [b"outcome"])
    _spoil(writer, monkeypatch)
    writer.append("predictions", [b"after"])
    writer.seal()
    segments = FileJournalReader(tmp_path).sealed()
    assert [list(segment.records) for segment in segments] == [
        [b"before", b"doubtful"],
        [b"outcome"],
        [b"after"],
    ]
    assert segments[0].writer == segments[1].writer < segments[2].writer == writer.id
    writer.append("predictions", [b"still here"])
    assert len(FileJournalReader(tmp_path).sealed()) == 3, "the lock of the new id is held"
    writer.close()


@pytest.mark.parametrize("move", ["tick", "seal"])
def test_a_quiet_writer_hands_over_what_it_could_not_take_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    writer.append("predictions", [b"before"])
    _spoil(writer, monkeypatch)
    assert FileJournalReader(tmp_path).sealed() == []
    getattr(writer, move)()
    assert list(_only(tmp_path).records) == [b"before", b"doubtful"]
    writer.close()


def test_a_writer_that_cannot_start_anew_refuses_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FileJournalWriter(tmp_path, fsync="batch")
    writer.append("predictions", [b"before"])
    _spoil(writer, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("seatrial.adapters.journal.writer.take_lock", _failing)
        with pytest.raises(JournalUnavailable, match="Input/output error"):
            writer.append("predictions", [b"refused"])
    writer.append("predictions", [b"after"])
    writer.close()
    found = [list(segment.records) for segment in FileJournalReader(tmp_path).sealed()]
    assert found == [[b"before", b"doubtful"], [b"after"]]


def test_a_segment_set_aside_is_kept_with_its_reason_and_can_be_put_back(tmp_path: Path) -> None:
    data = header() + framed([b"first"])
    path = _write_sealed(tmp_path, data)
    segment = _only(tmp_path)
    FileJournalReader(tmp_path).aside(segment, "no such column")
    aside = _path(tmp_path, "aside")
    assert aside.read_bytes() == data
    assert _path(tmp_path, "reason").read_text() == "no such column\n"
    aside.rename(path)
    assert _only(tmp_path) == segment


def test_a_sync_that_fails_on_a_tick_is_told_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    seconds = Seconds()
    writer = FileJournalWriter(tmp_path, fsync=1, elapsed=seconds)
    writer.append("predictions", [b"a"])
    seconds.now = 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _failing)
        with pytest.raises(JournalUnavailable, match="cannot be synced"):
            writer.tick()
    seconds.now = 2
    writer.tick()
    assert len(synced) == 1
    writer.close()


def test_a_journal_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalUnavailable, match="cannot be opened"):
        FileJournalWriter(tmp_path / "file" / "journal")


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "ä"])
def test_names_that_do_not_fit_a_file_name_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="writer name"):
        FileJournalWriter(tmp_path, name)
    writer = FileJournalWriter(tmp_path)
    with pytest.raises(ValueError, match="kind of records"):
        writer.append(name, [b"a"])
    writer.close()


def test_a_large_backlog_is_read_in_parts(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path, segment_bytes=1)
    for index in range(5):
        writer.append("predictions", [b"%d" % index * 100])
    writer.close()
    reader = FileJournalReader(tmp_path, at_once_bytes=200)
    sizes = []
    while segments := reader.sealed():
        sizes.append(len(segments))
        for segment in segments:
            reader.discard(segment)
    assert sizes == [2, 2, 1]


def test_no_file_keeps_what_is_forgotten_and_the_rest_can_be_put_back(tmp_path: Path) -> None:
    writer = FileJournalWriter(tmp_path)
    writer.append("predictions", [b"ann-4711", b"ben-0815"])
    writer.append("outcomes", [b"ann-4711"])
    writer.close()
    reader = FileJournalReader(tmp_path)
    for segment in reader.sealed():
        reader.aside(segment, "no such column")
    assert reader.forget(lambda record: None if b"ann" in record else record) == 2
    assert not [path for path in tmp_path.iterdir() if b"ann-4711" in path.read_bytes()]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".aside", ".lock", ".reason"]
    aside = _path(tmp_path, "aside")
    aside.rename(aside.with_suffix(".sealed"))
    assert list(_only(tmp_path).records) == [b"ben-0815"]


def test_a_damaged_tail_is_forgotten_whole(tmp_path: Path) -> None:
    for number, torn in ((1, b"ann-4711"), (2, b"ben-0815")):
        writer = FileJournalWriter(tmp_path, f"writer-{number}")
        writer.append("predictions", [b"whole"])
        writer.close()
        path = next(tmp_path.glob(f"writer-{number}*.sealed"))
        path.write_bytes(path.read_bytes() + b"\xff" * 9 + torn)
    reader = FileJournalReader(tmp_path)
    reader.sealed()
    assert reader.forget(lambda record: None if b"ann" in record else record) == 1
    (left,) = tmp_path.glob("*.cut")
    assert left.read_bytes().endswith(b"ben-0815")
    assert [list(segment.records) for segment in reader.sealed()] == [[b"whole"]] * 2
