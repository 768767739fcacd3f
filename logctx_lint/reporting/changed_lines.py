"""Which lines changed since a revision, from git."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logctx_lint.errors import UserError
from logctx_lint.findings import Finding

_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class GitError(UserError):
    """git cannot tell; the message is one line."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, up to and with what is not committed yet."""

    lines: Mapping[Path, frozenset[int]] = field(default_factory=dict)
    """By absolute path; lines from 1."""
    new: frozenset[Path] = frozenset()
    """Files that git does not know: all of their lines are new."""

    def touch(self, path: Path) -> bool:
        """Did anything in a file change?"""
        return path.resolve() in self.lines or path.resolve() in self.new

    def hold(self, finding: Finding) -> bool:
        """Does a finding stand on a line that changed?"""
        path = finding.path.resolve()
        span = range(finding.span.line, finding.span.end_line + 1)
        return path in self.new or not self.lines.get(path, frozenset()).isdisjoint(span)


def since(revision: str, folder: Path) -> Changes:
    """What changed since the branch of `folder` left `revision`; raises GitError."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", revision)
    start = _fork_point(folder, commit.strip())
    diff = _git(
        top, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=0", "--no-renames",
        "--no-prefix", "--diff-filter=d", start, "--", "*.py",
    )  # fmt: skip
    listed = _git(top, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py")
    new = frozenset((top / name).resolve() for name in listed.split("\0") if name)
    return Changes(_changed_lines(diff, top), new)


def _fork_point(folder: Path, commit: str) -> str:
    try:
        return _git(folder, "merge-base", commit, "HEAD").strip()
    except GitError:
        return commit  # no common history, as in a shallow clone


def _changed_lines(diff: str, top: Path) -> dict[Path, frozenset[int]]:
    lines: dict[Path, frozenset[int]] = {}
    path = top
    left = 0  # of a hunk, whose lines may look like anything
    for line in diff.split("\n"):
        if left and line.startswith(("+", "-")):
            left -= line.startswith("+")
        elif line.startswith("+++ "):
            # git puts a tab behind names with spaces.
            path = (top / line.removeprefix("+++ ").rstrip("\t")).resolve()
        elif hunk := _HUNK.match(line):
            first, left = int(hunk[1]), int(hunk[2] or 1)
            lines[path] = lines.get(path, frozenset()) | frozenset(range(first, first + left))
    return lines


def _git(folder: Path, *arguments: str) -> str:
    # Names as they are, not in quotes; and nothing run that a repository's own settings name.
    command = ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(lines[0] if lines else f"git does not know {arguments[-1]}")
    return done.stdout.decode(errors="surrogateescape")
