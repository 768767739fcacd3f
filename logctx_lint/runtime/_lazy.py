"""Names that a module offers, and fetches from another module when they are first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def is_installed(package: str) -> bool:
    """Whether a package could be imported; it is not."""
    return find_spec(package) is not None


def offer(module: ModuleType, names: Mapping[str, str]) -> None:
    """Let ``module`` have these names, each from the module of this package that it maps to.

    A name that maps to itself is that module. ``dir()`` lists the names.
    """
    package = __name__.rpartition(".")[0]

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        try:
            found = import_module(f"{package}.{names[name]}")
        except ImportError as error:
            raise ImportError(f"{module.__name__}.{name}: {error}") from error
        return found if name == names[name] else getattr(found, name)

    def listed() -> list[str]:
        return sorted(vars(module).keys() | names.keys())

    vars(module).update(__getattr__=get, __dir__=listed)
