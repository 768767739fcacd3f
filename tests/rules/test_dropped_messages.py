"""What LCX101 and LCX201 say: who is called, where that is defined, what is lost, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config import loading
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source

SOURCE = """\
from twisted.internet.defer import Deferred, ensureDeferred, inlineCallbacks, maybeDeferred

async def work(name=""): ...

def fetch() -> "Deferred[str]":
    return Deferred()

def report(result): ...

"""
RUNTIME = "background-starter:logctx_lint.runtime.run_in_background"
RUN = "start it with `run_in_background"


@pytest.mark.parametrize(
    ("code", "storage", "message"),
    [
        (
            "async def run():\n    work()\n",
            "contextvar",
            "LCX101 `work()` returns a coroutine that never runs (async def, app.py:3): "
            f"await it, or {RUN}`",
        ),
        (
            "@inlineCallbacks\ndef run():\n    yield fetch()\n    fetch()\n",
            "contextvar",
            "LCX101 `fetch()` returns a Deferred that runs unawaited, so nobody handles "
            "its failure "
            '(annotated `-> "Deferred[str]"`, app.py:5): yield it',
        ),
        (
            "async def run():\n    fetch()\n",
            "thread-local",
            "LCX101 `fetch()` returns a Deferred that runs unawaited, so nobody handles "
            "its failure "
            'and its log context leaks (annotated `-> "Deferred[str]"`, app.py:5): '
            f"await it, or {RUN}`",
        ),
        (
            "import asyncio\n\ndef watch(loop):\n    while True:\n        loop.poll()\n\n"
            "async def run(loop: asyncio.AbstractEventLoop):\n"
            "    loop.run_in_executor(None, watch, loop)\n",
            "contextvar",
            "LCX101 `loop.run_in_executor()` returns a Future that runs unawaited, so nobody "
            "handles its failure (annotated `-> Future[T]`, "
            "asyncio.events.AbstractEventLoop.run_in_executor): keep it and look at its outcome",
        ),
        (
            "import asyncio\n\ndef watch(loop):\n    while True:\n        return loop.poll()\n\n"
            "async def run(loop: asyncio.AbstractEventLoop):\n"
            "    loop.run_in_executor(None, watch, loop)\n",
            "contextvar",
            "LCX101 `loop.run_in_executor()` returns a Future that runs unawaited, so nobody "
            "handles its failure (annotated `-> Future[T]`, "
            "asyncio.events.AbstractEventLoop.run_in_executor): await it",
        ),
        (
            "def run():\n    work('a')\n",
            "contextvar",
            "LCX201 `work()` returns a coroutine that never runs (async def, app.py:3): "
            f"{RUN}(work, ...)`",
        ),
        (
            "def run():\n    fetch().addErrback(report)\n",
            "thread-local",
            "LCX201 `fetch()` returns a Deferred that goes on unawaited behind its callbacks, so "
            'its log context leaks (annotated `-> "Deferred[str]"`, app.py:5): '
            f"{RUN}(fetch)`",
        ),
        (
            "def run():\n    ensureDeferred(work())\n",
            "contextvar",
            "LCX201 `ensureDeferred()` starts `work()`, which runs unawaited, so nobody handles "
            "its failure (async def, app.py:3): return it, or give it an errback",
        ),
        (
            "def run():\n    maybeDeferred(report, 1)\n",
            "contextvar",
            "LCX201 `maybeDeferred()` starts `report()`, which runs unawaited, so nobody handles "
            "its failure (def, app.py:8): return it, or give it an errback",
        ),
        (
            "def run(given):\n    ensureDeferred(given)\n",
            "contextvar",
            "LCX201 `ensureDeferred()` starts work that runs unawaited, so nobody handles "
            "its failure: return it, or give it an errback",
        ),
    ],
)
def test_a_message_is_one_sentence_that_ends_with_the_cure(
    tmp_path: Path, code: str, storage: str, message: str
) -> None:
    settings = loading.from_text(
        {"framework": "twisted", "storage": storage, "vocabulary": RUNTIME}, tmp_path
    )
    source = Source(tmp_path / "app.py", SOURCE + code)
    found = Engine(settings, use_cache=False).check(source, {"LCX101", "LCX201"})
    assert [f"{each.code} {each.message}" for each in found] == [message]
