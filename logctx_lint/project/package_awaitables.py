"""The name graph (`awaitable_names`) of a package together with all that it imports.

What each file says of its names is in the index of its package (`awaitable_names`); here imports
are followed from package to package, and what all of them say is put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.incremental.dependencies import Place
from logctx_lint.project.awaitable_names import AwaitableNames, leading_to_awaitables
from logctx_lint.project.files import AWAITABLE_NAMES, LIBRARY_STUBS, STUBS
from logctx_lint.project.installed_names import InstalledEdges, NameEdges
from logctx_lint.project.symbol_index import Index

if TYPE_CHECKING:
    from logctx_lint.project.modules import Modules


class PackageAwaitables:
    """The names that lead to awaitables, by package."""

    def __init__(self, modules: Modules, hinted: Iterable[str]) -> None:
        """`hinted` are modules that may be in use without being imported."""
        self._modules = modules
        self._places = modules.places
        self._trace = modules.trace
        self._hinted = tuple(hinted)
        self._known: dict[str, tuple[dict[str, NameEdges], int, AwaitableNames]] = {}
        self._installed: dict[str, InstalledEdges] = {}
        self._imports: dict[str, tuple[int, list[str], set[Place]]] = {}

    def of(self, package: str) -> AwaitableNames:
        """Those of a package, and of all that it imports."""
        known = self._known.get(package)
        if known is None or sum(index.changes for index in known[0].values()) != known[1]:
            indexes, ground = self._imported_by(package)
            changes = sum(index.changes for index in indexes.values())
            name = self._places.name_of(package) + AWAITABLE_NAMES
            find = partial(self._leading_to_awaitables, package, indexes)
            known = self._known[package] = (
                indexes,
                changes,
                AwaitableNames(name, ground, find),
            )
        return known[2]

    def _leading_to_awaitables(self, package: str, indexes: Mapping[str, NameEdges]) -> set[str]:
        known: set[str] = set()
        # There can be many lone files beside a package; what that says is found out once.
        others = () if _is_folder(package) else list(filter(_is_folder, indexes))
        for path in others:
            known |= self.of(path).names
        pairs = (
            pair
            for path, index in indexes.items()
            if path not in others
            for pair in index.words("edges")
        )
        return leading_to_awaitables(pairs, known)

    def _imported_by(self, package: str) -> tuple[dict[str, NameEdges], set[Place]]:
        """What is said in a package, and in every other that it imports, directly or not.

        With the places that say which these are, and what is in them. Of installed packages only
        the modules count that an import leads to.
        """
        found: dict[str, NameEdges] = {}
        ground: set[Place] = set()
        waiting = [package]
        while waiting:
            path = waiting.pop()
            if path in found:
                continue
            if not _is_folder(path) and self._modules.installed_root(path):
                installed = self._installed_edges(path)
                found[path] = installed
                waiting += installed.imported
                ground |= installed.ground
                continue
            index = self._places.index(path)
            found[path] = index
            imports = self._imports.get(path)
            if imports is None or imports[0] != index.changes:
                imports = (index.changes, *self._find_imports(path, index))
                self._imports[path] = imports
            waiting += imports[1]
            ground |= imports[2]
        self._places.keep_installed_names()
        return found, ground

    def _find_imports(self, path: str, index: Index) -> tuple[list[str], set[Place]]:
        """The packages that one imports, and the places that say so."""
        bundled = (each for each in (STUBS, LIBRARY_STUBS) if Path(path).is_relative_to(each))
        root = next(bundled, Path(path).parent)
        names = ("builtins", "typing", *self._hinted, *index.words("imported"))
        packages, places = self._packages_of(names, root)
        if not index.is_constant:
            places.add(index if _is_folder(path) else self._places.file(path))
        return packages, places

    def _installed_edges(self, path: str) -> InstalledEdges:
        """What is said in one module of an installed package."""
        found = self._installed.get(path)
        if found is None:
            root, module = self._modules.installed_root(path), self._modules.known(Path(path))
            assert root is not None
            assert module is not None
            with self._trace.nothing():
                package = self._modules.package(module)
            said = self._places.installed_names(package).of(path, module.file.digest)
            imported, places = self._packages_of(said.imported, root)
            ground = frozenset((*places, module.file))
            found = InstalledEdges(said.edges, tuple(imported), ground)
            self._installed[path] = found
        return found

    def _packages_of(self, names: Iterable[str], root: Path) -> tuple[list[str], set[Place]]:
        packages: list[str] = []
        with self._trace.nothing():
            for name in names:
                # Below a folder that is no package, each module stands for itself.
                for each in dict.fromkeys((name.partition(".")[0], name)):
                    found = self._package_of(each, root)
                    packages += filter(None, [found])
                    if _is_folder(found):
                        break
            return packages, {part.place for part in self._trace.parts()}

    def _package_of(self, name: str, root: Path) -> str:
        """The package of a module, or the file of an installed one; empty where there is none."""
        module = self._modules.find(name, root)
        if module is None:
            return ""
        if module.is_installed:
            return str(module.path)
        return self._modules.package(module) if module.file.digest else ""


def _is_folder(package: str) -> bool:
    """Whether a package is really one, and not a lone file (or nothing)."""
    return bool(package) and not package.endswith((".py", ".pyi"))
