"""What a project may choose, in one frozen object that every front end shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import cast

from logctx_lint.config import value_kinds
from logctx_lint.config.value_kinds import Kind
from logctx_lint.config.vocabulary import Role
from logctx_lint.errors import UserError
from logctx_lint.findings import Profile


class SettingsError(UserError):
    """A setting cannot be used; the message is one line and says which and why."""


def one_line(message: object) -> str:
    """A message as it may be printed, whatever it quotes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(message))


class Storage(str, Enum):
    """How the project keeps its log context (the seeds' two rule books)."""

    THREAD_LOCAL = "thread-local"
    CONTEXTVAR = "contextvar"


class Framework(str, Enum):
    """Whose cancellation the code lives with."""

    TWISTED = "twisted"
    ASYNCIO = "asyncio"
    BOTH = "both"


class CancellationScope(str, Enum):
    """Whose swallowed cancellations are reported."""

    ALL = "all"
    CANCELLABLE = "cancellable"


@dataclass(frozen=True, slots=True)
class Description:
    """The documentation of a setting, and how its value is written."""

    text: str
    kind: Kind
    example: str
    """The value as it stands in pyproject.toml."""
    in_flake8: bool = True
    """False where flake8 has an option of its own for it."""


def _about(
    text: str, kind: Kind, example: str, *, in_flake8: bool = True
) -> dict[str, Description]:
    return {"described": Description(text, kind, example, in_flake8)}


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings after flags, ini file and pyproject.toml were merged.

    A new setting is a field here and nothing else: files, flags, flake8's options and
    docs/settings.md all follow from its description.
    """

    root: Path = field(default_factory=Path.cwd)
    """The folder that holds the settings file, or the current one."""
    storage: Storage | None = field(
        default=None,
        metadata=_about(
            "How the project keeps its log context; detected from its own imports when unset.",
            value_kinds.choice(Storage),
            '"thread-local"',
        ),
    )
    framework: Framework | None = field(
        default=None,
        metadata=_about(
            "Whose cancellation the code lives with; detected from its own imports when unset.",
            value_kinds.choice(Framework),
            '"asyncio"',
        ),
    )
    source_roots: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Folders, relative to the settings file, that absolute imports start from, besides"
            " those detected.",
            value_kinds.STRINGS,
            '["services/api/src"]',
        ),
    )
    environment: str = field(
        default="auto",
        metadata=_about(
            "Where the project's dependencies are installed: a folder (a virtual environment, or"
            " `site-packages` itself), relative to the settings file, or `none`. They are read, and"
            " never imported, to know what calls into them give. `auto` takes `.venv` or `venv`"
            " beside the settings file, else `$VIRTUAL_ENV`, else `$CONDA_PREFIX`, else the Python"
            " that runs the linter, but no environment that pre-commit, pipx or uv made for a hook"
            " or a tool alone.",
            value_kinds.FOLDER,
            '"auto"',
        ),
    )
    no_stubs_of: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Libraries of which the bundled stubs do not hold, by the name that is imported: they"
            " are forks, or older releases. When unset, requirements files beside the settings"
            " file say so of `discord` (py-cord, or discord.py before 2) and `telegram`"
            " (python-telegram-bot before 20). An installed library is always taken as it is.",
            value_kinds.STRINGS,
            '["discord"]',
        ),
    )
    vocabulary: Mapping[Role, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=_about(
            "The project's own names for roles, as qualified names, globs allowed; added to the"
            " built-in ones.",
            value_kinds.table("ROLE:NAMES", value_kinds.STRINGS, keys=Role),
            '{ background-starter = ["myproject.background.start"] }',
        ),
    )
    runtime: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "The project's own copies of the reference runtime, as qualified names of packages;"
            " what `logctx-lint runtime copy` wrote is found by its mark when unset.",
            value_kinds.STRINGS,
            '["myproject.logctx"]',
        ),
    )
    cancellation_scope: CancellationScope = field(
        default=CancellationScope.ALL,
        metadata=_about(
            'Where LCX301 speaks: everywhere, or with "cancellable" only in what is marked as'
            " cancellable and all that it waits for.",
            value_kinds.choice(CancellationScope),
            '"cancellable"',
        ),
    )
    read_methods: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Methods that only read, whatever they are called, so that they may be marked as"
            " cancellable; names or qualified names, globs allowed.",
            value_kinds.STRINGS,
            '["on_HEAD", "myproject.search.SearchServlet.on_POST"]',
        ),
    )
    hints: Mapping[str, str] = field(
        default_factory=dict,
        metadata=_about(
            "The classes of objects of which nothing else is known, by the name of the parameter,"
            " variable or attribute that holds them. In code without annotations, one line for what"
            " is handed around everywhere can tell much.",
            value_kinds.CLASSES,
            '{ server = "myproject.server.Server" }',
        ),
    )
    enable: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Opt-in rules to switch on, as codes or beginnings of codes. Selecting an opt-in rule"
            " does not switch it on: flake8 selects all that it is not told to ignore.",
            value_kinds.CODES,
            '["LCX206"]',
        ),
    )
    profile: Profile = field(
        default=Profile.RECOMMENDED,
        metadata=_about(
            "How much is reported: what a careful reviewer would ask to change, or with `strict`"
            " also what is true but often meant, or does little harm.",
            value_kinds.choice(Profile),
            '"strict"',
        ),
    )
    select: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Codes, or beginnings of codes, to report; all when unset. LCX000, for a file that"
            " cannot be analysed, is left out by `ignore` only.",
            value_kinds.CODES,
            '["LCX1", "LCX301"]',
            in_flake8=False,
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Codes, or beginnings of codes, not to report; against `select` the longer one wins.",
            value_kinds.CODES,
            '["LCX303"]',
            in_flake8=False,
        ),
    )
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=_about(
            "Path globs and the codes that are not reported there; the longest glob that matches"
            " decides.",
            value_kinds.table("GLOB:CODES", value_kinds.CODES),
            '{ "tests/*" = ["LCX201"] }',
            in_flake8=False,
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Path globs that are left out when a folder is searched.",
            value_kinds.STRINGS,
            '["migrations", "vendor/*"]',
            in_flake8=False,
        ),
    )
    baseline: str | None = field(
        default=None,
        metadata=_about(
            "The file, relative to the settings file, of the findings that are known and not"
            " reported; `logctx-lint baseline write` makes it.",
            value_kinds.FILE,
            '"logctx-baseline.json"',
            in_flake8=False,
        ),
    )
    time_limit: int = field(
        default=60,
        metadata=_about(
            "Seconds of CPU time after which a file is given up (LCX000); 0 for no limit.",
            value_kinds.COUNT,
            "60",
        ),
    )


def described() -> dict[str, Description]:
    """The settings a user can choose: field name to description, in order."""
    return {
        each.name: cast(Description, each.metadata["described"])
        for each in fields(Settings)
        if "described" in each.metadata
    }
