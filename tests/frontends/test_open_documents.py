"""Texts that are open in an editor: what a session keeps between keystrokes is never wrong."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from logctx_lint.frontends.lsp import open_documents
from logctx_lint.frontends.lsp.open_documents import Session
from logctx_lint.syntax.source import Source
from tests.support.edited_project import CHOICES, PROJECT, UNTYPED, Project


def found(session: Session, texts: Mapping[Path, str], folder: Path) -> dict[Path, list[str]]:
    """What is reported in each text, with where."""
    sources = [Source(path, text) for path, text in texts.items()]
    checked = session.check(sources, folder)
    return {path: list(map(str, each.findings)) for path, each in checked.items()}


@pytest.mark.parametrize("choices", [CHOICES, UNTYPED])
@pytest.mark.parametrize("seed", range(6))
def test_no_typing_gives_a_stale_finding(
    tmp_path: Path,
    seed: int,
    choices: Mapping[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_documents, "_MOST_CHECKS", 1000)
    choose = random.Random(seed)
    files = {**PROJECT, **{name: texts[0] for name, texts in choices.items()}}
    project = Project(tmp_path, files)
    project.write("pyproject.toml", "[tool.logctx-lint]\nframework = 'asyncio'\n")
    texts = {tmp_path / name: (tmp_path / name).read_text() for name in files}
    session = Session()
    for _ in range(25):
        name = choose.choice(list(choices))
        texts[tmp_path / name] = choose.choice(choices[name])
        assert found(session, texts, tmp_path) == found(Session(), texts, tmp_path)


def test_a_linter_is_kept_while_only_texts_change(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    session = Session()
    linters = set()
    for number in range(5):
        session.check([Source(path, f"x = {number}\n")], tmp_path)
        assert session._linter
        linters.add(id(session._linter[2]))
    assert len(linters) == 1


def test_what_changed_on_disk_counts_once_the_session_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path, {"store.py": "def save(): ...\n"})
    text = {tmp_path / "x.py": "import store\nasync def f():\n    store.save()\n"}
    session = Session()
    assert found(session, text, tmp_path) == {tmp_path / "x.py": []}
    project.write("store.py", "async def save(): ...\n")
    session.forget()
    assert len(found(session, text, tmp_path)[tmp_path / "x.py"]) == 1


def test_settings_are_read_anew(tmp_path: Path) -> None:
    text = {tmp_path / "x.py": "async def s(): ...\nasync def f():\n    s()\n"}
    session = Session()
    assert len(found(session, text, tmp_path)[tmp_path / "x.py"]) == 1
    Project(tmp_path, {"pyproject.toml": "[tool.logctx-lint]\nignore = ['LCX101']\n"})
    assert found(session, text, tmp_path) == {tmp_path / "x.py": []}


def test_a_linter_does_not_live_for_ever(tmp_path: Path) -> None:
    session = Session()
    seen = []
    for number in range(2 * open_documents._MOST_CHECKS):
        session.check([Source(tmp_path / "x.py", f"x = {number}\n")], tmp_path)
        assert session._linter
        if session._linter[2] not in seen:
            seen.append(session._linter[2])
    assert len(seen) == 2


def test_what_older_texts_left_goes_away(tmp_path: Path) -> None:
    """Even though runs set aside what they have made, for good."""
    session = Session()

    def objects_after(checks: int) -> int:
        for number in range(checks * open_documents._MOST_CHECKS):
            text = f"async def f(): ...\nasync def g():\n    f()\n    x = {checks, number}\n" * 20
            session.check([Source(tmp_path / "x.py", text)], tmp_path)
        gc.unfreeze()
        gc.collect()
        return len(gc.get_objects())

    before = objects_after(1)
    assert objects_after(3) < before * 1.1


def test_a_text_that_is_as_on_disk_again_counts_for_names(tmp_path: Path) -> None:
    project = Project(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "async def save(): ...\n"})
    project.write("pkg/b.py", "from pkg.a import save\nasync def f():\n    save()\n")
    first = {path: path.read_text() for path in tmp_path.glob("pkg/[ab].py")}
    session = Session()
    for text in ("", first[tmp_path / "pkg/a.py"]):
        found(session, {**first, tmp_path / "pkg/a.py": text}, tmp_path)
    assert len(found(session, first, tmp_path)[tmp_path / "pkg/b.py"]) == 1
