"""An editor's process lives for days: what it keeps does not grow with every edit."""

from __future__ import annotations

import gc
from pathlib import Path

from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source
from tests.support.projects import write

FILES = {
    "pkg/__init__.py": "",
    "pkg/store.py": "class Store:\n    async def save(self, x): ...\n",
    "pkg/a.py": """
        from pkg.store import Store
        class Handler:
            def __init__(self, store: Store):
                self.store = store
            async def go(self):
                self.store.save(0)
    """,
}


def test_a_thousand_edits_leave_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    settings = Settings(root=tmp_path)
    engine = Engine(settings, use_cache=False)
    codes = active_codes(settings.enable)
    sources = [Source.read(tmp_path / name) for name in ("pkg/store.py", "pkg/a.py")]

    def objects_after(edits: range) -> int:
        for number in edits:
            for source in sources:
                # A hub and what uses it, as somebody types.
                text = f"{source.text}\ndef added_{number % 50}(): return {number}\n"
                found = engine.check(Source(source.path, text), codes)
        assert [each.code for each in found] == ["LCX101"]
        gc.unfreeze()
        gc.collect()
        return len(gc.get_objects())

    early = objects_after(range(20))
    assert objects_after(range(20, 520)) < early + 500
