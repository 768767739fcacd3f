"""When Python's garbage collector runs: it would traverse all long-lived data again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_off() -> Iterator[None]:
    """Trees are many objects that all live; looking for cycles among them costs twice the parse."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def set_aside() -> None:
    """Remove what is garbage now, and keep what is not out of all later collections."""
    gc.collect()
    gc.freeze()
