"""Findings that are new since a revision, wherever they stand.

What changed in one file can make a mistake of a call in another that nobody touched: a `def` that
becomes `async def`. So the files of the revision are checked, too, and the two sides compared by
fingerprint. What was found in a commit is kept, for it never changes.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from logctx_lint.config.environment import import_folders, state
from logctx_lint.config.settings import Settings
from logctx_lint.engine.tool_version import program
from logctx_lint.errors import UserError
from logctx_lint.incremental.store import Entries
from logctx_lint.project.paths import relative
from logctx_lint.reporting.fingerprints import fingerprints
from logctx_lint.reporting.report import Report

_READ = (".py", ".pyi", ".toml", ".cfg", ".ini", "py.typed")
"""The ends of the names of files that findings may depend on."""


class GitError(UserError):
    """git cannot tell; the message is one line."""


class Base:
    """The commit that the branch of `folder` left a revision at. Raises GitError."""

    def __init__(self, revision: str, folder: Path) -> None:
        self._top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n")).resolve()
        try:
            named = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        except GitError as error:
            if revision == "HEAD":
                self._commit = ""
                return
            raise GitError(
                f'--changed-since: git knows no revision "{revision}"{_hint(self._top)}'
            ) from error
        self._commit = _fork_point(folder, named.strip())
        """Empty before the first commit of a branch, when everything is new."""

    def new(
        self,
        report: Report,
        settings: Settings,
        names: Collection[str],
        check: Callable[[Settings, Collection[str]], Report],
        *,
        cache: Path | None,
    ) -> Report:
        """The part of a report that is new since the commit.

        `check` is asked for the report of the same `names` (paths, from the working directory on)
        under other settings, whose root is a copy of the project as it was.
        """
        if not self._commit:
            return report
        before = self._fingerprints(settings, names, check, cache)
        named = fingerprints(report.findings, report.sources, report.root)
        pairs = zip(report.findings, named, strict=True)
        return replace(report, findings=[each for each, name in pairs if name not in before])

    def _fingerprints(
        self,
        settings: Settings,
        names: Collection[str],
        check: Callable[[Settings, Collection[str]], Report],
        cache: Path | None,
    ) -> frozenset[str]:
        entries = Entries(cache, "revisions")
        chosen = repr(replace(settings, root=Path()))
        where = [relative(each, self._top) for each in (settings.root, Path.cwd())]
        installed = state(import_folders(settings.environment, settings.root))
        key = json.dumps(
            [program(cache), self._commit, chosen, where, sorted(names), installed]
        ).encode()
        try:
            return frozenset(json.loads(entries.load(key) or b""))
        except (ValueError, TypeError):
            found = self._checked(settings, names, check)
            entries.store(key, json.dumps(sorted(found)).encode())
            return found

    def _checked(
        self,
        settings: Settings,
        names: Collection[str],
        check: Callable[[Settings, Collection[str]], Report],
    ) -> frozenset[str]:
        with TemporaryDirectory(prefix="logctx-lint-") as folder:
            copy = Path(folder).resolve()
            self._unpack(copy)
            there = [str(self._in_copy(copy, Path(os.path.abspath(name)))) for name in names]
            root = self._in_copy(copy, settings.root)
            present = [name for name in there if os.path.exists(name)]
            if not present:
                return frozenset()
            # The environment is that of the project as it is; a copy has none.
            report = check(replace(settings, root=root), present)
            return frozenset(fingerprints(report.findings, report.sources, root))

    def _in_copy(self, copy: Path, path: Path) -> Path:
        return copy / path.relative_to(self._top) if path.is_relative_to(self._top) else path

    def _unpack(self, folder: Path) -> None:
        """Write the files of the commit that findings may depend on, and no links."""
        packed = _run(self._top, "archive", "--format=tar", self._commit)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                target = folder / member.name
                inside = target.resolve().is_relative_to(folder)
                content = archive.extractfile(member) if member.isreg() else None
                if content and inside and member.name.endswith(_READ):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content.read())


def _fork_point(folder: Path, commit: str) -> str:
    try:
        return _git(folder, "merge-base", commit, "HEAD").strip()
    except GitError:
        return commit  # no common history, as in a shallow clone


def _hint(folder: Path) -> str:
    """What to do, where the history has been cut off."""
    is_cut = _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true"
    return " here: this clone is shallow, have it fetch the history" if is_cut else ""


def _git(folder: Path, *arguments: str) -> str:
    return _run(folder, *arguments).decode(errors="surrogateescape")


def _run(folder: Path, *arguments: str) -> bytes:
    # Nothing is run that a repository's own settings name.
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(f"--changed-since: {lines[0] if lines else 'git failed'}")
    return done.stdout
