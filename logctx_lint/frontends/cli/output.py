"""Where a command writes what it found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TextIO

from logctx_lint.frontends.cli.parser import UsageError


@contextlib.contextmanager
def opened(name: str | None, otherwise: TextIO) -> Iterator[TextIO]:
    """The file that `--output-file` names, or another stream."""
    if name is None:
        yield otherwise
        return
    try:
        with open(name, "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{name}: cannot be written: {error.strerror}") from error
