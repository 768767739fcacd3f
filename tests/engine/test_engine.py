"""The engine: units, what cannot be parsed, and answers that depend on nothing but the text."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Mapping
from pathlib import Path

import pytest

from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Framework, Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.incremental.store import CACHE_FOLDER
from logctx_lint.syntax.source import Source

FORGOTTEN = "async def work() -> None: ...\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def engine(folder: Path, *, use_cache: bool = False) -> Engine:
    return Engine(Settings(root=folder, framework=Framework.TWISTED), use_cache=use_cache)


def check(folder: Path, text: str) -> list[Finding]:
    path = folder / "module.py"
    source = Source(path, text)
    return engine(folder).check(source, active_codes(()) | {"LCX000"})


def places(findings: list[Finding]) -> list[tuple[str, int, int]]:
    return [(found.code, found.span.line, found.span.column) for found in findings]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("work()\n", 2, 0),
        ("x = 1; work()\n", 2, 7),
        ("if True:\n    work()\n", 3, 4),
        ("class A:\n    work()\n", 3, 4),
        ("class A: work()\n", 2, 9),
        ("class A:\n    class B:\n        def f(self):\n            work()\n", 5, 12),
        ("def f():\n\twork()\n", 3, 1),
        ("if True:\n\tdef f():\n\t\twork()\n", 4, 2),
        ("\fdef f():\n    work()\n", 3, 4),
        ("def f():\n    work()", 3, 4),
        ("def f(): 'é'; work()\n", 2, 14),
        ("@print\n@print\ndef f():\n    work()\n", 5, 4),
        ("try:\n    import x\nexcept ImportError:\n    def f():\n        work()\n", 6, 8),
        ("def f():\n    x = '''\n# not\ndef g(): work()\n'''\n    work()\n", 7, 4),
    ],
)
def test_a_finding_is_placed_wherever_the_code_stands(
    tmp_path: Path, text: str, line: int, column: int
) -> None:
    assert places(check(tmp_path, FORGOTTEN + text)) == [("LCX201", line, column)]


def test_what_libcst_rejects_is_checked_and_has_no_fix_that_needs_it(tmp_path: Path) -> None:
    text = FORGOTTEN + "async def f():\n    (y): int = 1\n    task = work()\n    work()\n"
    found = check(tmp_path, text)
    assert places(found) == [("LCX102", 4, 11), ("LCX101", 5, 4)]
    assert [fix.title for each in found for fix in each.fixes] == ["Await it", "Await it"]


def test_a_file_that_does_not_parse_is_said_with_its_line(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "x = 1\ndef (\n")
    assert (found.code, found.span.line) == ("LCX000", 2)


def test_deep_nesting_is_said_and_the_rest_is_checked(tmp_path: Path) -> None:
    deep = "def deep():\n    work(" + "-" * 3000 + "1)\n"
    findings = check(tmp_path, FORGOTTEN + "def f():\n    work()\n" + deep)
    assert findings
    assert {found.code for found in findings} <= {"LCX000", "LCX201"}


def test_only_the_codes_that_were_asked_for_are_reported(tmp_path: Path) -> None:
    source = Source(tmp_path / "module.py", FORGOTTEN + "work()\n")
    assert engine(tmp_path).check(source, {"LCX301"}) == []


CYCLE = {
    "pkg/__init__.py": "",
    "pkg/a.py": (
        "from pkg.b import B\n\n\nclass A:\n"
        "    def other(self):\n        return B().other()\n\n"
        "    async def work(self): ...\n\n"
        "    def start(self):\n        self.work()\n        self.other().work()\n"
    ),
    "pkg/b.py": (
        "from . import a\n\n\nclass B:\n"
        "    def other(self):\n        return a.A().other() if self else a.A()\n\n"
        "    def start(self):\n        self.other().work()\n        a.A().work()\n"
    ),
    "pkg/c.py": (
        "from pkg.a import A\nfrom pkg.b import B\n\n\n"
        "def start():\n    A().other().work()\n    B().other().work()\n"
    ),
}


def check_all(
    folder: Path, order: list[str], *, use_cache: bool = False
) -> dict[str, list[object]]:
    shared = engine(folder, use_cache=use_cache)
    codes = active_codes(())
    return {name: [*map(str, shared.check(Source.read(folder / name), codes))] for name in order}


def test_findings_do_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    write(tmp_path, CYCLE)
    names = sorted(CYCLE)
    expected = check_all(tmp_path, names)
    assert any(expected.values())
    for seed in range(10):
        random.Random(seed).shuffle(names)
        assert check_all(tmp_path, names) == expected


def test_a_file_alone_has_the_findings_that_it_has_in_a_full_run(tmp_path: Path) -> None:
    write(tmp_path, CYCLE)
    full = check_all(tmp_path, sorted(CYCLE))
    for name in CYCLE:
        assert check_all(tmp_path, [name]) == {name: full[name]}


def test_the_cache_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, CYCLE)
    expected = check_all(tmp_path, sorted(CYCLE))
    assert check_all(tmp_path, sorted(CYCLE), use_cache=True) == expected
    assert (tmp_path / CACHE_FOLDER).is_dir()
    assert check_all(tmp_path, sorted(CYCLE), use_cache=True) == expected


def test_what_another_file_says_now_counts_whatever_is_cached(tmp_path: Path) -> None:
    write(tmp_path, CYCLE)
    check_all(tmp_path, ["pkg/c.py"], use_cache=True)
    write(tmp_path, {"pkg/a.py": CYCLE["pkg/a.py"].replace("async def work", "def work")})
    assert check_all(tmp_path, ["pkg/c.py"], use_cache=True) == {"pkg/c.py": []}


def test_an_engine_that_nobody_needs_any_more_is_forgotten(tmp_path: Path) -> None:
    """An editor's process makes one for every change of a text."""
    write(tmp_path, {f"x{number}.py": FORGOTTEN for number in range(260)})
    first = engine(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        first.check(Source.read(path), {"LCX101"})
    assert gc.get_freeze_count()
    remembered = weakref.ref(first._modules)
    first = engine(tmp_path)
    gc.collect()
    assert remembered() is None
