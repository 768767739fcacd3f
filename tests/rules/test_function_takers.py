"""What the rules about handed-over functions say: who takes, what is given, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config import loading
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source

SOURCE = """\
import asyncio
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from logctx_lint.runtime import run_in_background

async def work(name=""): ...

def fetch() -> "Deferred[str]":
    return Deferred()

def report(result) -> None: ...

"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "run_in_background(work('a'))",
            "LCX202 `run_in_background()` calls the function that it is given, but gets what "
            "`work()` returns, a coroutine that never runs (async def, app.py:8): pass the "
            "function: `work, ...`",
        ),
        (
            "reactor.callLater(1, fetch())",
            "LCX202 `reactor.callLater()` calls the function that it is given, but gets what "
            '`fetch()` returns, a Deferred (annotated `-> "Deferred[str]"`, app.py:10): pass the '
            "function: `fetch`",
        ),
        (
            "reactor.callLater(1, report(1))",
            "LCX202 `reactor.callLater()` calls the function that it is given, but gets what "
            "`report()` returns, None (annotated `-> None`, app.py:13): pass the function: "
            "`report, ...`",
        ),
        (
            "coroutine = work()\nrun_in_background(coroutine)",
            "LCX202 `run_in_background()` calls the function that it is given, but gets "
            "`coroutine`, a coroutine that never runs: pass the function and its arguments",
        ),
        (
            "reactor.callFromThread(work)",
            "LCX106 `reactor.callFromThread()` ignores what `work()` returns, a coroutine that "
            "never runs (async def, app.py:8): start it with `run_in_background`",
        ),
        (
            "reactor.callFromThread(lambda: fetch())",
            "LCX106 `reactor.callFromThread()` ignores what `fetch()` returns, a Deferred that "
            'runs unawaited, so nobody handles its failure (annotated `-> "Deferred[str]"`, '
            "app.py:10): start it with `run_in_background`",
        ),
        (
            "fetch().addCallback(work)",
            "LCX106 `fetch().addCallback()` does not wait for what `work()` returns, a coroutine "
            "that never runs (async def, app.py:8): start it with `run_in_background`",
        ),
        (
            "deferToThread(work)",
            "LCX106 `deferToThread()` does not wait for what `work()` returns, a coroutine that "
            "never runs (async def, app.py:8): call it in the event loop, not in a thread",
        ),
        (
            "run_in_background(work)",
            "LCX206 `run_in_background()` starts `work()` (async def, app.py:8) in the log context "
            "of its caller, and nobody waits for it: a request may end before; start it with "
            "`run_as_background_process`, or await it",
        ),
        (
            "LoopingCall(lambda: work())",
            "LCX207 `LoopingCall()` has `work()` run in no log context (async def, app.py:8), so "
            "that what it logs and costs is nobody's: start it with `run_as_background_process`",
        ),
        (
            "asyncio.create_task(work())",
            "LCX204 `asyncio.create_task()` starts a task for `work()`, and nobody keeps it: it "
            "can be garbage-collected while it runs; keep it, as in a set, until it is done",
        ),
        (
            "task = asyncio.ensure_future(work())",
            "LCX204 `asyncio.ensure_future()` starts a task for `work()`, and only the local "
            "name `task` keeps it: it can be garbage-collected while it runs; keep it, as in a "
            "set, until it is done",
        ),
    ],
)
def test_messages(tmp_path: Path, code: str, message: str) -> None:
    text = SOURCE + "def run():\n" + "".join(f"    {line}\n" for line in code.splitlines())
    settings = loading.from_text({"framework": "twisted"}, tmp_path)
    engine = Engine(settings, use_cache=False)
    [found] = engine.check(Source(tmp_path / "app.py", text), [message[:6]])
    assert f"{found.code} {found.message}" == message
