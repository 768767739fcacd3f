"""What the modules of an installed package say of names, and that it is read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.incremental.store import Entries
from logctx_lint.project import installed_names
from logctx_lint.project.installed_names import InstalledNames, NamesOfModule
from logctx_lint.syntax.source import digest_of, read_bytes

TEXT = '''\
from .base import Base, helper

class Client(Base):
    """Waits for answers.

    state: Whether some task still runs
    return the answer
    """

    transport: Transport
    on_close: Callable[[int], None] if True else None

    async def fetch(self): ...

    def cached(self):
        """return the Future of old"""

    def started(self):
        return self._task
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "client.py").write_text(TEXT)
    return folder


def names_of(package: Path, cache: Path | None = None) -> NamesOfModule:
    names = InstalledNames(str(package), "library", Entries(cache, "index"), "library")
    path = package / "client.py"
    found = names.of(str(path), digest_of(path.read_bytes()))
    names.keep()
    return found


def test_edges_come_from_code_and_not_from_docstrings(package: Path) -> None:
    found = names_of(package)
    assert {"fetch *", "started *", "transport Transport", "on_close Callable"} <= {*found.edges}
    assert not [edge for edge in found.edges if edge.startswith(("state ", "cached "))]
    assert found.imported == ("library.base",)


def test_a_text_is_read_once(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def reads(path: str) -> bytes:
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(installed_names, "read_bytes", reads)
    cache = tmp_path / "cache"
    assert names_of(package, cache) == names_of(package, cache)
    assert len(read) == 1
    (package / "client.py").write_text("async def other(): ...\n")
    assert names_of(package, cache).edges == ("other *",)
    assert len(read) == 2


@pytest.mark.parametrize(
    "entry", [b"", b"[]", b"{", b'{"client.py":[1]}', b'{"client.py":[1,2,3]}']
)
def test_an_entry_may_say_anything(package: Path, tmp_path: Path, entry: bytes) -> None:
    expected = names_of(package)
    cache = Entries(tmp_path / "cache", "index")
    key = f"installed {installed_names.FORMAT} library".encode()
    cache.store(key, entry)
    assert names_of(package, tmp_path / "cache") == expected
