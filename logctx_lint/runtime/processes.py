"""Counting background processes, whatever runs them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .context import LoggingContext

__all__ = ["BackgroundProcess", "Process", "background_processes", "split_arguments"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackgroundProcess:
    """The counts of the background processes of one description; ``seconds`` is wall-clock time
    of those that have ended."""

    started: int = 0
    in_flight: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: float = 0.0


class _Counts:
    def __init__(self) -> None:
        self.started = self.failed = self.cancelled = self.ended = 0
        self.seconds = 0.0


_counts: dict[str, _Counts] = {}


def background_processes() -> dict[str, BackgroundProcess]:
    """A snapshot of what ``run_as_background_process`` has counted, by description."""
    return {
        desc: BackgroundProcess(c.started, c.started - c.ended, c.failed, c.cancelled, c.seconds)
        for desc, c in _counts.items()
    }


class Process:
    """One background process: its log context, and what it is counted as."""

    def __init__(self, desc: str, server_name: str) -> None:
        self.desc = desc
        self.counts = _counts.setdefault(desc, _Counts())
        self.counts.started += 1
        self._context = LoggingContext(f"{desc}-{self.counts.started}", server_name=server_name)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around the work: opens the log context and counts; an exception is logged and ends."""
        began = time.monotonic()
        try:
            with self._context:
                try:
                    yield
                except Exception:
                    self.counts.failed += 1
                    logger.exception("Background process %s failed", self.desc)
        finally:
            self.counts.ended += 1
            self.counts.seconds += time.monotonic() - began

    def was_cancelled(self) -> None:
        self.counts.cancelled += 1
        logger.debug("Background process %s was cancelled", self.desc)


def split_arguments(
    arguments: tuple[Any, ...], server_name: str, func: Callable[..., Any] | None
) -> tuple[str, Callable[..., Any], tuple[Any, ...]]:
    """The server's name, the function and its arguments, of ``(func, *args)`` and of Synapse's
    newer ``(server_name, func, *args)``. Raises ``TypeError`` where there is no function."""
    if arguments and not callable(arguments[0]):
        server_name, *rest = arguments
        arguments = tuple(rest)
    if func is None:
        if not arguments or not callable(arguments[0]):
            raise TypeError("run_as_background_process needs a function to run")
        func, *rest = arguments
        arguments = tuple(rest)
    return server_name, func, arguments
