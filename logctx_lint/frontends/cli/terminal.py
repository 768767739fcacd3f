"""What is only for a terminal: colour and a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

_T = TypeVar("_T")
COLOUR = ("auto", "always", "never")
"""What `--color` takes."""
_WIDTH = 30
_CLEAR = "\r\x1b[K"


def is_terminal(stream: TextIO) -> bool:
    """Does a person look at this stream, on something that moves its cursor?"""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colourful(stream: TextIO, wanted: str = "auto") -> bool:
    """May what is written there be coloured? Unless it is said: https://no-color.org."""
    if wanted != "auto":
        return wanted == "always"
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def progress(items: Iterable[_T], total: int, *, shown: bool) -> Iterator[_T]:
    """Pass `items` on, with a bar on standard error that is gone in the end."""
    if not shown:
        yield from items
        return
    try:
        for number, item in enumerate(items, 1):
            filled = _WIDTH * number // total
            bar = "#" * filled + "." * (_WIDTH - filled)
            sys.stderr.write(f"\r[{bar}] {number}/{total} files")
            sys.stderr.flush()
            yield item
    finally:
        clear(sys.stderr)


def clear(stream: TextIO) -> None:
    """Remove the bar, which comes back with the next item."""
    stream.write(_CLEAR)
    stream.flush()
