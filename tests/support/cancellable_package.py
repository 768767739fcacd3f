"""A small package with an endpoint that is marked as cancellable."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

SERVLETS = """
    from logctx_lint.runtime import cancellable

    from .handlers import Handler

    class Servlet:
        def __init__(self, handler: Handler) -> None:
            self.handler = handler

        @cancellable
        async def on_GET(self):
            return await self.handler.far()
"""
HANDLERS = """
    from .store import Store

    class Handler:
        def __init__(self, store: Store) -> None:
            self.store = store

        async def far(self):
            return await self.near()

        async def near(self):
            await self.store.other()
            return await self.store.get()
"""
STORE = """
    from twisted.internet.defer import Deferred

    class Store:
        async def get(self):
            try:
                return await Deferred()
            except Exception:
                return None

        async def other(self):
            try:
                return await Deferred()
            except BaseException:
                return None
"""


def write_package(folder: Path, **files: str) -> Path:
    """A package of a servlet, a handler and a store, some of its files others."""
    texts = {"__init__": "", "servlets": SERVLETS, "handlers": HANDLERS, "store": STORE, **files}
    (folder / "package").mkdir()
    for name, text in texts.items():
        (folder / "package" / f"{name}.py").write_text(dedent(text))
    return folder / "package"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path)
