"""What is in a folder, read once for each run."""

from __future__ import annotations

import os
from functools import cached_property

from logctx_lint.incremental.dependencies import Place
from logctx_lint.syntax.source import digest_of

ANY_PYTHON = "*.py"
"""The part of a folder that says whether there is any Python file in it."""


class Folder(Place):
    """What is called how in a folder; a part is one name."""

    def __init__(self, name: str, path: str, is_constant: bool) -> None:
        super().__init__(name, is_constant)
        self.path = path
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._links: set[str] = set()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.endswith((".py", ".pyi")) and entry.is_file():
                        self._files.add(entry.name)
                    elif "." not in entry.name and entry.is_dir():
                        self._folders.add(entry.name)
                        if entry.is_symlink():
                            self._links.add(entry.name)
        except OSError:
            pass

    @cached_property
    def digest(self) -> str:
        names = "\0".join([*sorted(self._files), *sorted(self._folders)])
        return digest_of(names.encode("utf-8", "surrogatepass"))

    def has_file(self, name: str) -> bool:
        return name in self._files

    def has_folder(self, name: str) -> bool:
        return name in self._folders

    def has_python(self) -> bool:
        return any(name.endswith(".py") for name in self._files)

    def python_files(self) -> list[str]:
        """The paths of its Python files."""
        return [os.path.join(self.path, name) for name in self._files if name.endswith(".py")]

    def own_folders(self) -> list[str]:
        """The paths of the folders in it. Links to folders may go in a circle."""
        return [os.path.join(self.path, name) for name in self._folders - self._links]

    def says(self, part: str) -> str:
        if part == ANY_PYTHON:
            return str(self.has_python())
        return f"{part in self._files} {part in self._folders}"
