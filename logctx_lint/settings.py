"""What a project may choose, in one frozen object that every front end shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from logctx_lint.vocabulary import Role


class SettingsError(Exception):
    """A setting cannot be used; the message is one line and says which and why."""


class Storage(str, Enum):
    """How the project keeps its log context (the seeds' two rule books)."""

    THREAD_LOCAL = "thread-local"
    CONTEXTVAR = "contextvar"


class Framework(str, Enum):
    """Whose cancellation the code lives with."""

    TWISTED = "twisted"
    ASYNCIO = "asyncio"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings after flags, ini file and pyproject.toml were merged.

    A new setting is a field here; `metadata` holds what docs/settings.md says of it.
    """

    root: Path = field(default_factory=Path.cwd)
    """The folder that holds the settings file, or the current one."""
    storage: Storage | None = None
    """None: detected from the project's own imports."""
    framework: Framework | None = None
    """None: detected from the project's own imports."""
    source_roots: tuple[str, ...] = ()
    """Folders, relative to `root`, that absolute imports start from besides those detected."""
    vocabulary: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    """The project's own names for roles, globs allowed; added to the built-in ones."""
    enable: tuple[str, ...] = ()
    """Opt-in rules that are switched on."""
    select: tuple[str, ...] = ()
    """Code prefixes to report; empty: all. (flake8's own --select decides there.)"""
    ignore: tuple[str, ...] = ()
    """Code prefixes not to report."""
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path glob to code prefixes."""
    exclude: tuple[str, ...] = ()
    """Path globs that `check` leaves out when it walks a folder."""
