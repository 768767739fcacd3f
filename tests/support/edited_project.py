"""A project on disk that is checked again and again, and edits that its files may see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from logctx_lint.analysis import units
from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Framework, Settings
from logctx_lint.engine import rule_runner
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source

PROJECT = {
    "pkg/__init__.py": "",
    "pkg/main.py": """
        from pkg.api import make_store

        async def handle():
            make_store().save()
    """,
    "pkg/api.py": """
        from pkg.store import Store

        def make_store():
            return Store()
    """,
    "pkg/store.py": """
        from pkg.base import Base

        class Store(Base):
            def load(self) -> int: ...

        def unrelated(): ...
    """,
    "pkg/base.py": """
        class Base:
            async def save(self) -> None: ...
    """,
    "pkg/alone.py": "x = 1\n",
}


class Project:
    """Files on disk, and runs over them, each as a new process would do it."""

    def __init__(self, folder: Path, files: Mapping[str, str] = PROJECT) -> None:
        self.folder = folder
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def run(
        self, settings: Settings | None = None, *, use_cache: bool = True
    ) -> dict[str, list[Finding]]:
        checker = Engine(settings or self.settings(), use_cache=use_cache)
        codes = active_codes(()) | {"LCX000"}
        return {
            path.relative_to(self.folder).as_posix(): checker.check(Source.read(path), codes)
            for path in sorted(self.folder.rglob("*.py"))
        }

    def settings(self, **chosen: object) -> Settings:
        given = {"framework": Framework.ASYNCIO, **chosen}
        return Settings(root=self.folder, **given)  # type: ignore[arg-type]

    def checked(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None
    ) -> set[str]:
        """The files that a run looks into. Its findings must be those of a run without cache."""
        expected = self.run(settings, use_cache=False)
        seen = set()
        real = units.units

        def watched(file: object, tree: object) -> object:
            seen.add(file.source.path.name)  # type: ignore[attr-defined]
            return real(file, tree)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(rule_runner, "units", watched)
            assert self.run(settings) == expected
        return seen


CHOICES = {
    "pkg/base.py": [
        "class Base:\n    async def save(self): ...\n",
        "class Base:\n    def save(self): ...\n",
        "# A comment.\nclass Base:\n    async def save(self): ...\n",
        "class Base: ...\n",
        "def (\n",
    ],
    "pkg/store.py": [
        "from pkg.base import Base\nclass Store(Base): ...\n",
        "from pkg.base import *\nclass Store(Base): ...\n",
        "from pkg import base\nclass Store(base.Base):\n    x = 1\n",
        "class Store:\n    async def save(self): ...\n",
        "class Store:\n    def __init__(self):\n        self.save = work\nasync def work(): ...\n",
    ],
    "pkg/api.py": [
        "from pkg.store import Store\ndef make_store():\n    return Store()\n",
        "from pkg.store import Store\ndef make_store() -> Store: ...\n",
        "from pkg.store import Store as S\nstore = S()\ndef make_store():\n    return store\n",
        "from pkg.more import make_store\n",
        "import pkg.store\ndef make_store():\n    x = 1\n    return pkg.store.Store()\n",
    ],
    "pkg/more.py": [
        "from pkg.store import Store\ndef make_store(): return Store()\n",
        "from pkg.api import make_store\n",
        "def make_store(): ...\n",
    ],
}


# What others say of code without annotations, which does not import them.
UNTYPED = {
    "pkg/handler.py": [
        "class Handler:\n    def __init__(self, store):\n        self.store = store\n"
        "    async def run(self):\n        self.store.save()\n        self.store.save_all()\n",
        "class Handler:\n    store = None\n"
        "    async def run(self):\n        self.store.save()\n        self.store.save_all()\n",
    ],
    "pkg/app.py": [
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def make():\n    return Handler(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def other(): ...\ndef make():\n    return Handler(1)\n"
        "def again():\n    return Handler(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def make():\n    handler = Handler(None)\n    handler.store = Store()\n",
        "from pkg.store import Store\ndef make():\n    Handler(Store())\n",
    ],
    "pkg/child.py": [
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "class Child(Handler): ...\ndef make():\n    Child(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "class Child(Handler):\n    def __init__(self):\n        super().__init__(Store())\n",
    ],
    "pkg/store.py": [
        "class Store:\n    async def save(self): ...\n    async def save_all(self): ...\n",
        "class Store:\n    def save(self): ...\n    def save_all(self): return 1\n",
        "class Store:\n    async def save(self): ...\n",
    ],
    "pkg/more.py": [
        "class More:\n    async def save_all(self): ...\n",
        "class More:\n    def save_all(self): return 1\n",
        "class More:\n    save_all = None\n",
        "class _More:\n    async def save_all(self): ...\nMore = blocking(_More)\n",
        "class _More:\n    async def save_all(self): ...\nMore = _More\n",
        "",
    ],
}

_SERVLET = """
from logctx_lint.runtime import cancellable
from pkg.store import Store

class Servlet:
    def __init__(self, store: Store):
        self.store = store

    @cancellable
    async def on_GET(self):
        await self.store.load()
"""
_SWALLOWS = """
    async def load(self):
        try:
            await asyncio.sleep(1)
        except BaseException:
            pass
"""
_LOADS = "    async def load(self):\n        await asyncio.sleep(1)\n"

# What is cancelled with a function of another file.
CANCELLED = {
    "pkg/servlet.py": [
        _SERVLET,
        _SERVLET.replace("import Store", "import Store as Store"),
        _SERVLET.replace("await self.store.load()", "await self.work()\n")
        + "    async def work(self):\n        await self.store.load()\n",
    ],
    "pkg/store.py": [
        "import asyncio\nclass Store:\n" + _LOADS,
        "# A comment.\nimport asyncio\nclass Store:\n" + _LOADS,
        "from twisted.internet import defer\nimport asyncio\nclass Store:\n" + _LOADS,
        "import asyncio\nclass Store:\n" + _SWALLOWS,
        "import asyncio\nasync def more(): ...\nclass Store:\n" + _SWALLOWS,
        "# flake8: noqa\nimport asyncio\nclass Store:\n" + _SWALLOWS,
        "import asyncio\nclass Store:\n"
        + _SWALLOWS.replace("except BaseException:", "except BaseException:  # noqa: LCX301"),
        "import asyncio\nfrom asyncio import shield as own\nclass Store:\n"
        "    async def load(self):\n        await own(self._load())\n"
        + _SWALLOWS.replace("load", "_load"),
        "import asyncio\nclass Store:\n    async def load(self):\n"
        "        raise NotImplementedError\n",
        "import asyncio\nfrom pkg.base import Base\nclass Store(Base): ...\n",
    ],
    "pkg/base.py": [
        "import asyncio\nclass Base:\n" + _LOADS,
        "import asyncio\nclass Base:\n" + _SWALLOWS,
    ],
    "pkg/child.py": [
        "import asyncio\nfrom pkg.store import Store\nclass Child(Store):\n" + _LOADS,
        "import asyncio\nfrom pkg.store import Store\nclass Child(Store):\n" + _SWALLOWS,
        "import asyncio\n\nfrom pkg.store import Store\nx = 1\nclass Child(Store):\n" + _SWALLOWS,
        "import asyncio\nclass Child:\n" + _SWALLOWS,
    ],
}
