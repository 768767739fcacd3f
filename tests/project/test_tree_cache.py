"""Trees that are kept from the index of a package until its files are checked."""

from __future__ import annotations

import ast
from pathlib import Path
from weakref import ref

import pytest

from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.project import tree_cache
from logctx_lint.project.tree_cache import TreeCache
from logctx_lint.syntax.source import Source


def test_what_is_to_be_checked_is_kept_until_then() -> None:
    trees = TreeCache()
    trees.wait_for(["a.py"])
    tree = ast.parse("a = 1")
    known = ref(tree)
    trees.offer("a.py", tree, 5)
    trees.forget_latest()
    del tree
    assert known() is not None
    trees.release("a.py")
    assert known() is None


def test_only_the_latest_of_the_others_is_kept() -> None:
    trees = TreeCache()
    first, second = ast.parse("a = 1"), ast.parse("b = 1")
    known = [ref(first), ref(second)]
    trees.offer("a.py", first, 5)
    trees.offer("b.py", second, 5)
    del first, second
    assert [each() is None for each in known] == [True, False]


def test_there_is_room_for_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_cache, "_MOST_CHARACTERS", 8)
    trees = TreeCache()
    trees.wait_for(["a.py", "b.py"])
    made = {path: ast.parse(path) for path in ("a.py", "b.py")}
    known = {path: ref(tree) for path, tree in made.items()}
    for path, tree in made.items():
        trees.offer(path, tree, 5)
    trees.forget_latest()
    del made, tree
    assert [path for path, each in known.items() if each() is not None] == ["a.py"]


def test_each_file_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    package.mkdir()
    paths = [package / f"{name}.py" for name in ("__init__", "first", "second", "third")]
    for path in paths:
        path.write_text("async def work() -> None:\n    work()\n")
    parsed: list[Path] = []
    parse = Source.parse

    def counted(source: Source) -> ast.Module:
        parsed.append(source.path)
        return parse(source)

    monkeypatch.setattr(Source, "parse", counted)
    engine = Engine(Settings(root=tmp_path), use_cache=False)
    engine.expect(paths)
    for path in paths:
        assert engine.check(Source.read(path), ["LCX101"])
    assert sorted(path for path in parsed if path in paths) == sorted(paths)
