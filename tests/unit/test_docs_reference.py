"""The generated pages of docs/reference say what the code says."""

from pathlib import Path

from tools import reference


def test_the_generated_pages_are_as_the_code_has_it() -> None:
    assert reference.stale() == []


def test_a_page_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    for name, text in reference.pages().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "errors.md").write_text("nothing can go wrong", encoding="utf-8")
    (tmp_path / "settings.md").unlink()
    (tmp_path / "left-over.md").touch()
    assert reference.stale(tmp_path) == ["errors.md", "left-over.md", "settings.md"]
