"""What several test modules of the runtime need."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

logger = logging.getLogger("app")

Main = Callable[[], Awaitable[Any]]

# Longer than anything takes on a loaded machine: reached only when something hangs.
PATIENCE = 60.0


class LogLines(logging.Handler):
    """Keeps ``request: message`` of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.formatter = logging.Formatter("%(request)s: %(message)s")
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __eq__(self, other: object) -> bool:
        return self.lines == other

    __hash__ = logging.Handler.__hash__

    def __repr__(self) -> str:
        return repr(self.lines)


class RealReactor:
    """The reactor can be started only once in a process, so all tests share it."""

    def __init__(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        started = threading.Event()
        self.reactor.callWhenRunning(started.set)
        self._thread = threading.Thread(
            target=lambda: self.reactor.run(installSignalHandlers=False), daemon=True
        )
        self._thread.start()
        assert started.wait(PATIENCE)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function called in the reactor's thread; Deferreds are waited for."""
        from twisted.internet.threads import blockingCallFromThread

        return blockingCallFromThread(self.reactor, function, *args)

    def run(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a coroutine function run in the reactor's thread."""
        from twisted.internet.defer import ensureDeferred

        return self.call(lambda: ensureDeferred(function()))

    def stop(self) -> None:
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(PATIENCE)


def run_python(program: str) -> str:
    """The output of a program run by a fresh interpreter; fails if it does."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE * 5
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def in_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(PATIENCE)
    return results[0]
