"""What other tools say of the bugs that Synapse really shipped, beside what this one says.

Each tool is run on the files of the table of ``bench/real_bugs.py``, in the release that has the
bug, with its rules about awaiting and tasks switched on; what it says inside the function of a bug
counts. The tools come from a virtual environment of one's own, given by its folder:
``python -m venv peers && peers/bin/pip install flake8-async ruff mypy pyright twisted``, then
``python -m bench.peers TABLE.tsv peers [--tools ruff,mypy]``.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.real_bugs import Bug, judge, read
from bench.wheels import unpacked

_PLACE = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):(?:\d+:)? (?P<text>.*)$")
_OF_AWAITING = re.compile(r"await|coroutine", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """One message of a tool."""

    file: str
    line: int
    text: str


Tool = Callable[[Path, Path, list[str]], Iterator[Said]]
"""Takes the tools' environment, a release's folder and files in it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("environment", type=Path)
    parser.add_argument("--package", default="matrix-synapse")
    parser.add_argument("--tools", default=",".join(TOOLS))
    options = parser.parse_args()
    bugs = read(options.table)
    ours = {each.bug for each in judge(options.table, options.package) if each.flagged}
    print(f"{'logctx-lint':14} {len(ours)} of {len(bugs)}")
    for name in options.tools.split(","):
        flagged = dict(_flagged(TOOLS[name], bugs, options.environment.resolve(), options.package))
        print(f"{name:14} {len(flagged)} of {len(bugs)}", flush=True)
        for bug, said in flagged.items():
            print(f"    {bug.before} {bug.function}:{said.line}: {said.text}", flush=True)


def _flagged(
    tool: Tool, bugs: list[Bug], environment: Path, package: str
) -> Iterator[tuple[Bug, Said]]:
    for version in dict.fromkeys(bug.before for bug in bugs):
        folder = unpacked(package, version)
        here = [bug for bug in bugs if bug.before == version]
        said = list(tool(environment, folder, sorted({bug.file for bug in here})))
        for bug in here:
            first, last = lines_of(folder / bug.file, bug.function)
            for each in said:
                if each.file == bug.file and first <= each.line <= last:
                    yield bug, each
                    break


def lines_of(path: Path, function: str) -> tuple[int, int]:
    """The first and last line of a function that is known by its qualified name."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for name in function.split("."):
        node = next(each for each in _definitions(body) if each.name == name)
        body = node.body
    return node.lineno, node.end_lineno or node.lineno


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    """What is defined in a block, also under conditions; not what is inside of that."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, _Definition):
            yield node
        else:
            stack += reversed(list(ast.iter_child_nodes(node)))


def _flake8_async(environment: Path, folder: Path, files: list[str]) -> Iterator[Said]:
    options = ["--isolated", "--select=ASYNC", "--enable-visitor-codes-regex=ASYNC.*"]
    yield from _placed(_run(folder, environment, "flake8", *options, *files))


def _ruff(environment: Path, folder: Path, files: list[str]) -> Iterator[Said]:
    options = ["check", "--isolated", "--preview", "--output-format=concise", "--no-cache"]
    rules = "--select=ASYNC,RUF006"
    yield from _placed(_run(folder, environment, "ruff", *options, rules, *files))


def _mypy(environment: Path, folder: Path, files: list[str]) -> Iterator[Said]:
    codes = ("unused-awaitable", "unused-coroutine", "truthy-bool")
    options = [f"--enable-error-code={code}" for code in codes]
    out = _run(
        folder, environment, "mypy", "--ignore-missing-imports", "--no-incremental",
        "--check-untyped-defs", "--follow-imports=silent", *options, *files,
    )  # fmt: skip
    for said in _placed(out):
        if _OF_AWAITING.search(said.text):
            yield said


def _pyright(environment: Path, folder: Path, files: list[str]) -> Iterator[Said]:
    python = str(environment / "bin" / "python")
    out = _run(folder, environment, "pyright", "--outputjson", "--pythonpath", python, *files)
    for each in json.loads(out)["generalDiagnostics"]:
        text = f"{each['message']} [{each.get('rule', '')}]"
        if _OF_AWAITING.search(text):
            file = Path(each["file"]).resolve().relative_to(folder.resolve()).as_posix()
            yield Said(file, each["range"]["start"]["line"] + 1, " ".join(text.split()))


TOOLS: dict[str, Tool] = {
    "flake8-async": _flake8_async,
    "ruff": _ruff,
    "mypy": _mypy,
    "pyright": _pyright,
}


def _run(folder: Path, environment: Path, command: str, *arguments: str) -> str:
    program = str(environment / "bin" / command)
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, check=False, text=True
    ).stdout


def _placed(out: str) -> Iterator[Said]:
    for line in out.splitlines():
        if found := _PLACE.match(line):
            yield Said(found["file"], int(found["line"]), found["text"])


if __name__ == "__main__":
    main()
