"""What LCX301 and LCX310 advise depends on what the handler does, and on how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config import loading
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source

SWALLOWING = """\
import asyncio

class Server:
    async def run(self):
        while True:
            try:
                await asyncio.sleep(1)
            except BaseException as error:
                {handler}
"""
RELEASING = """\
import {library}

class Connection:
    async def open(self): await {library}.sleep(1)
    async def close(self): await {library}.sleep(1)

class Pool:
    async def connect(self):
        self.count += 1
        connection = Connection()
        try:
            await connection.open()
        except Exception as error:
            {handler}
            {last}
"""


@pytest.mark.parametrize(
    ("handler", "advice"),
    [
        ("print(error)", "put `except asyncio.CancelledError: raise` before it"),
        ("code, text = parsed(error)", "put `except asyncio.CancelledError: raise` before it"),
        ("failure = error", "put `except asyncio.CancelledError: raise` before it"),
        ("self.process.kill()", "re-raise it behind what the handler does"),
        ("self.state = 'failed'", "re-raise it behind what the handler does"),
        ("await self.answer(500)", "re-raise it behind what the handler does"),
    ],
)
def test_a_handler_that_does_its_work_goes_on_doing_it(
    tmp_path: Path, handler: str, advice: str
) -> None:
    (message,) = messages(tmp_path, SWALLOWING.format(handler=handler), "LCX301")
    assert message == (
        "`except BaseException` swallows the CancelledError of `await asyncio.sleep(1)` (line 7) "
        f"and goes on with the loop: {advice}"
    )


@pytest.mark.parametrize(
    ("library", "last", "advice"),
    [
        ("asyncio", "raise", "use `except BaseException`"),
        ("asyncio", "raise error", "use `except BaseException`"),
        (
            "asyncio",
            "raise ValueError(1) from error",
            "do that in an `except BaseException` that ends with a bare `raise`, too",
        ),
        (
            "asyncio",
            "return None",
            "do that in an `except BaseException` that ends with a bare `raise`, too",
        ),
        ("trio", "raise", "use `except BaseException`, and shield what it awaits"),
    ],
)
def test_what_a_handler_does_for_errors_it_can_do_for_a_cancellation(
    tmp_path: Path, library: str, last: str, advice: str
) -> None:
    source = RELEASING.format(library=library, handler="await connection.close()", last=last)
    (message,) = messages(tmp_path, source, "LCX310")
    error = "Cancelled" if library == "trio" else "CancelledError"
    assert message == (
        f"`except Exception` releases `connection`, but does not catch {error}: if this is "
        f"cancelled, `connection` is never released; {advice}"
    )


def test_what_is_never_undone_is_quoted(tmp_path: Path) -> None:
    source = RELEASING.format(library="asyncio", handler="self.count -= 1", last="raise")
    (message,) = messages(tmp_path, source, "LCX310")
    assert message == (
        "`except Exception` undoes what line 9 does (`self.count += 1`), but does not catch "
        "CancelledError: if this is cancelled, that is never undone; use `except BaseException`"
    )


def messages(folder: Path, source: str, code: str) -> list[str]:
    path = folder / "app.py"
    path.write_text(source, encoding="utf-8")
    engine = Engine(loading.load(folder), use_cache=False)
    return [each.message for each in engine.check(Source.read(path), [code])]
