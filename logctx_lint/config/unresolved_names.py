"""Names in settings that lead nowhere: a misspelt folder, module, class or function."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from logctx_lint.config.environment import AUTO, NONE, import_folders
from logctx_lint.config.settings import Settings


def unresolved_names(settings: Settings) -> Iterator[str]:
    """A note for each name in the settings that is of no effect.

    Only names below a package or module of the project are judged: what else a name means is not
    known without what is installed.
    """
    for root in settings.source_roots:
        if not os.path.isdir(settings.root / root):
            yield f'source-roots: there is no folder "{root}" below {settings.root}'
    environment = settings.environment
    if environment not in (AUTO, NONE) and not import_folders(environment, settings.root):
        yield f"environment: there is no site-packages below {environment}"
    roots = [settings.root, settings.root / "src"]
    roots += [settings.root / root for root in settings.source_roots]
    for name in settings.hints.values():
        if not _may_be_there(name, roots):
            yield f'hints: no module of the project holds "{name}"'
    for role, names in settings.vocabulary.items():
        for name in names:
            if not _may_be_there(name, roots):
                yield f'vocabulary: {role.value}: no module of the project holds "{name}"'


def _may_be_there(name: str, roots: list[Path]) -> bool:
    """Whether the modules in a dotted name are there, as far as it names the project's own."""
    first, *rest = name.split(".")
    if not rest or any(char in first for char in "*?["):
        return True
    own = [root for root in roots if _is_module(root / first)]
    return not own or any(_holds(root / first, rest) for root in own)


def _holds(place: Path, rest: list[str]) -> bool:
    """Whether a module or package may hold what `rest` names."""
    for name in rest:
        if any(char in name for char in "*?["):
            return True
        if _is_module(place / name):
            place = place / name
            continue
        # A class or a function, or something that the package takes from elsewhere.
        return _defines(place, name)
    return True


def _is_module(place: Path) -> bool:
    # os.path: unlike pathlib's, they take a name that no file system does.
    return os.path.isdir(place) or any(os.path.isfile(f"{place}{end}") for end in (".py", ".pyi"))


def _defines(place: Path, name: str) -> bool:
    """Whether the text of a module mentions a name at all."""
    for path in (place / "__init__.py", f"{place}.py", f"{place}.pyi"):
        try:
            text = Path(path).read_text("utf-8", errors="replace")
        except OSError:
            continue
        if name in text or "import *" in text:
            return True
    return False
