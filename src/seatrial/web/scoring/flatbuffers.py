"""Tables of flatbuffers, read with suspicion: every place and length is held against the bytes that are there."""

import struct

# Parts may stand in several places: a few bytes could say a million columns.
MOST = 1024
_LONGEST_TEXT = 1024


class NoTable(ValueError):
    """Bytes that are no table; the message says what was expected and what came."""


class FlatTable:
    """A table of a flatbuffer. Every read is checked against the buffer: struct raises beyond its end."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data, self._at = data, at
        self._slots = at - self.number("<i", at)
        self._size = self.number("<H", self._slots)

    def number(self, form: str, at: int) -> int:
        """A number of a struct format at a place."""
        if at < 0:
            raise NoTable("metadata that point before their beginning")
        return int(struct.unpack_from(form, self._data, at)[0])

    def _place(self, slot: int) -> int:
        """Where a field is; 0 when it is left out."""
        if 4 + 2 * slot + 2 > self._size:
            return 0
        offset = self.number("<H", self._slots + 4 + 2 * slot)
        return self._at + offset if offset else 0

    def scalar(self, slot: int, form: str, default: int = 0) -> int:
        """The number in a field; the default when it is left out."""
        at = self._place(slot)
        return self.number(form, at) if at else default

    def table(self, slot: int) -> "FlatTable | None":
        """The table in a field; None when it is left out."""
        at = self._place(slot)
        return FlatTable(self._data, at + self.number("<I", at)) if at else None

    def text(self, slot: int) -> str:
        """The text in a field, empty when it is left out. Raises NoTable for a long one."""
        start, count = self._vector(slot, 1)
        if count > _LONGEST_TEXT:
            raise NoTable(f"names of at most {_LONGEST_TEXT} bytes, got {count}")
        return bytes(self._data[start : start + count]).decode()

    def tables(self, slot: int) -> list["FlatTable"]:
        """The tables of a vector. Raises NoTable for many."""
        start, count = self._vector(slot, 4)
        if count > MOST:
            raise NoTable(f"at most {MOST} columns, got {count}")
        places = range(start, start + 4 * count, 4)
        return [FlatTable(self._data, at + self.number("<I", at)) for at in places]

    def numbers(self, slot: int, per_element: int) -> list[tuple[int, ...]]:
        """A vector of structs of as many 64-bit numbers."""
        start, count = self._vector(slot, 8 * per_element)
        form = struct.Struct(f"<{per_element}q")
        return list(form.iter_unpack(self._data[start : start + form.size * count]))

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        at = self._place(slot)
        if not at:
            return 0, 0
        start = at + self.number("<I", at)
        count = self.number("<I", start)
        if start + 4 + count * size > len(self._data):
            raise NoTable("metadata that are longer than they are")
        return start + 4, count
