"""The event loops that the tests of the asyncio half run on. Needs no Twisted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from logctx_lint.runtime.context import PreserveLoggingContext

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if sys.platform != "win32":
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


def run_on(loop: asyncio.AbstractEventLoop, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return loop.run_until_complete(main())


async def rest(future: Awaitable[Any]) -> Any:
    """Waits by the rules of both storages."""
    with PreserveLoggingContext():
        return await future
