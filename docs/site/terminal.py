"""Pictures of terminal sessions: commands that are run, with what they print, as SVG.

They are made whenever the site is built, so that they show what the linter says today.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

_SAMPLE = Path(__file__).resolve().parent / "tour"
_COLUMNS = 92

# Picture: the commands that are run in the sample, one after the other.
SESSIONS = {
    "images/tour-check.svg": ["logctx-lint check shop"],
    "images/tour-fix.svg": ["logctx-lint check --diff --unsafe-fixes --select LCX103,LCX301 shop"],
}
# What has to be seen in each, lest a picture of something else is published.
_EXPECTED = {
    "images/tour-check.svg": ("LCX101", "LCX204", "LCX301"),
    "images/tour-fix.svg": ("+++ ", "await "),
}
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


class SessionError(Exception):
    """A command does not print what the pages say about it."""


def pictures() -> dict[str, str]:
    """Name to SVG."""
    return {name: picture(name, commands) for name, commands in SESSIONS.items()}


def picture(name: str, commands: Sequence[str]) -> str:
    """Run the commands and draw what is seen."""
    console = Console(record=True, width=_COLUMNS, file=open(os.devnull, "w"), color_system=None)  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        shutil.copytree(_SAMPLE, work, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for command in commands:
            printed = _run(command, work)
            missing = [text for text in _EXPECTED[name] if text not in printed]
            if missing:
                raise SessionError(f"{command}: {missing} is not in\n{printed}")
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            console.print(_coloured(printed.rstrip("\n")))
    console.print()  # fonts that are taller than rich's own would be cut off
    svg = console.export_svg(title="logctx-lint", unique_id=Path(name).stem)
    # Fonts of another site: the reader's own do.
    return _FONT_FACE.sub("", svg)


def _run(command: str, folder: Path) -> str:
    program, *arguments = command.split()
    # The command of this installation; its folder need not be on the PATH.
    beside = Path(sys.executable).with_name(program)
    start = [str(beside)] if beside.exists() else [sys.executable, "-m", "logctx_lint"]
    done = subprocess.run(
        [*start, *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SessionError(f"{command}: exit code {done.returncode}: {done.stderr}")
    return done.stdout + done.stderr


def _coloured(printed: str) -> Text:
    """The colours that a terminal shows."""
    text = Text(printed)
    text.highlight_regex(r"(?m)^[\w./]+:\d+:\d+:", "bold cyan")
    text.highlight_regex(r"\bLCX\d+\b", "bold red")
    text.highlight_regex(r"`[^`\n]+`", "yellow")
    text.highlight_regex(r"(?m)^ *\|? *\^+$", "red")
    text.highlight_regex(r"\^{2,}", "bold red")
    text.highlight_regex(r"(?m)^ *= fix:", "green")
    text.highlight_regex(r"(?m)^\+.*$", "green")
    text.highlight_regex(r"(?m)^-.*$", "red")
    text.highlight_regex(r"(?m)^@@.*$", "cyan")
    return text


def main(arguments: list[str]) -> int:
    """Write the pictures into a folder."""
    [folder] = arguments
    for name, svg in pictures().items():
        target = Path(folder) / Path(name).name
        target.write_text(svg, encoding="utf-8")
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
