"""Where a command writes what it found."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from logctx_lint.frontends.cli.command import UsageError


def refuse_unwritable(name: str | None) -> None:
    """Raise UsageError for a file that could not be written, before anything else is done."""
    if name is None:
        return
    path = Path(name)
    reason = ""
    if os.path.isdir(path):
        reason = "it is a folder"
    elif not os.path.isdir(path.parent):
        reason = f"there is no folder {path.parent}"
    elif not os.access(path if os.path.exists(path) else path.parent, os.W_OK):
        reason = "permission denied"
    if reason:
        raise UsageError(f"{name}: cannot be written: {reason}")


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
