"""What the linter of a revision or working tree finds in a release, kept in ``.cache/findings``.

A finding depends on the linter's source, the release and the options alone: so that findings are
kept by the hash that git gives the folder of the source, and the same source never runs twice. It
runs from a copy, which nobody edits while it is measured.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.verdicts import Release
from bench.wheels import extract, unpacked

PROJECT = Path(__file__).parent.parent
STORE = PROJECT / ".cache" / "findings"
RECOMMENDED, STRICT = PROFILES = ("recommended", "strict")
_PACKAGE = "logctx_lint"
_ABOUT_THE_RUN = ("LCX000", "LCX001")
"""Codes that say nothing about awaiting."""
_PROCESSES = 2
# Nothing is imported from the folder it runs in: a release may have an `ast.py` of its own.
_START = f"""
import sys
sys.path[:] = filter(None, sys.path)
import runpy
runpy.run_module("{_PACKAGE}", run_name="__main__", alter_sys=True)
"""


class Failed(Exception):
    """The linter, or git, did not do what was asked of it; says why."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One finding, without what is of no use to a benchmark."""

    path: str
    line: int
    code: str
    message: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Linter:
    """The linter whose source lies in a folder; `key` names the very text of it."""

    folder: Path
    key: str
    profile: str = ""
    """The profile to run with; the linter's own default if empty."""

    def found(self, release: Release, *, again: bool = False) -> list[Found]:
        """What it finds in a release, sorted; from the store unless it has to run again.

        A finding is in one profile, and `strict` reports both: one run answers for the two.
        """
        if self.profile == RECOMMENDED:
            everything = replace(self, profile=STRICT).found(release, again=again)
            return [each for each in everything if each.profile != STRICT]
        path = self._stored(release)
        if again or not path.is_file():
            findings = self._run(release)
            _write(path, json.dumps([_fields(each) for each in findings], indent=1))
            return findings
        return [Found(*fields) for fields in json.loads(path.read_text(encoding="utf-8"))]

    def found_in_all(
        self, releases: Iterable[Release], *, again: bool = False
    ) -> Iterator[list[Found]]:
        """What it finds in each release, two at a time."""
        with ThreadPoolExecutor(_PROCESSES) as pool:
            yield from pool.map(partial(self.found, again=again), releases)

    def _run(self, release: Release) -> list[Found]:
        run = self._check(release, *(("--profile", self.profile) if self.profile else ()))
        if "unrecognized arguments: --profile" in run.stderr:
            run = self._check(release)  # from before there were profiles
        try:
            return parse(run.stdout)
        except (json.JSONDecodeError, KeyError, TypeError):
            told = run.stderr.strip().splitlines()[-1:] or ["it says nothing"]
            raise Failed(f"{release}: the linter fails: {told[0]}") from None

    def _check(self, release: Release, *more: str) -> subprocess.CompletedProcess[str]:
        options = ["--no-cache", "--exit-zero", "--jobs", "1", "--output-format", "json", *more]
        return subprocess.run(
            [sys.executable, "-c", _START, "check", *options, "."],
            cwd=unpacked(release.package, release.version),
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
        )

    def _stored(self, release: Release) -> Path:
        python = platform.python_version()
        name = f"{release.package}-{release.version}{'-' * bool(self.profile)}{self.profile}.json"
        return STORE / f"{self.key}-{python}" / name


def parse(report: str) -> list[Found]:
    """The findings of a report in JSON."""
    return sorted(
        Found(
            Path(each["filename"]).as_posix(),
            each["line"],
            each["code"],
            each["message"],
            each.get("profile") or "",
        )
        for each in json.loads(report)
        if each["code"] not in _ABOUT_THE_RUN
    )


def of_tree(tree: Path, profile: str = "") -> AbstractContextManager[Linter]:
    """The linter as it lies in a working tree, committed or not."""
    if not (tree / _PACKAGE / "__main__.py").is_file():
        raise Failed(f"{tree} has no {_PACKAGE} to run")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git("add", "--", _PACKAGE, tree=tree, **index)
        key = _git("write-tree", f"--prefix={_PACKAGE}/", tree=tree, **index)
    return _copied(tree, key, profile)


def of_revision(revision: str, profile: str = "") -> AbstractContextManager[Linter]:
    key = _git("rev-parse", "--verify", f"{revision}:{_PACKAGE}")
    return _copied(PROJECT, key, profile)


@contextmanager
def _copied(tree: Path, key: str, profile: str) -> Iterator[Linter]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _git("archive", f"--prefix={_PACKAGE}/", "-o", str(folder / "source.tar"), key, tree=tree)
        extract(folder / "source.tar", folder)
        yield Linter(folder, key, profile)


def _git(*arguments: str, tree: Path = PROJECT, **environment: str) -> str:
    run = subprocess.run(
        ["git", "-C", str(tree), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise Failed(f"git {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout.strip()


def _fields(found: Found) -> list[object]:
    return [found.path, found.line, found.code, found.message, found.profile]


def _write(path: Path, text: str) -> None:
    """Writes a file in one step, for runs side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f"{path.name}.{os.getpid()}")
    partly.write_text(text, encoding="utf-8")
    partly.replace(path)
