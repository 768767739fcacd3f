"""What kind of code base a file belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config.settings import Framework, Settings, Storage
from logctx_lint.project.frameworks import Traits, TraitsDetector
from logctx_lint.syntax.source import Source
from tests.support.projects import write


def traits(folder: Path, name: str, settings: Settings | None = None) -> Traits:
    path = folder / name
    return TraitsDetector(settings or Settings()).of_file(Source.read(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from twisted.internet import defer\n", Framework.TWISTED),
        ("import asyncio\n", Framework.ASYNCIO),
        ("def f():\n    import asyncio\nimport twisted\n", Framework.BOTH),
        ("import os\n", Framework.ASYNCIO),
        ("import asynciolike\n# import twisted\n", Framework.ASYNCIO),
    ],
)
def test_a_file_s_own_imports_come_first(tmp_path: Path, text: str, expected: Framework) -> None:
    write(tmp_path, {"main.py": text})
    assert traits(tmp_path, "main.py").framework is expected


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ("import twisted\n", Framework.TWISTED),
        ("import twisted\nimport asyncio\n", Framework.BOTH),
    ],
)
def test_a_file_without_either_is_like_its_package(
    tmp_path: Path, others: str, expected: Framework
) -> None:
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "x = 1\n", "pkg/sub/b.py": others})
    assert traits(tmp_path, "pkg/a.py").framework is expected


def test_another_package_does_not_count(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "", "other/__init__.py": "import twisted\n"}
    write(tmp_path, files)
    assert not traits(tmp_path, "pkg/__init__.py").uses_twisted


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["from otherloop import CancelledError, Task\n"], True),
        (["from otherloop.core import (\n    CancelledError,\n    Task,\n)\n"], True),
        (["from otherloop import CancelledError\n", "import asyncio\n"], False),
        (["from asyncio import CancelledError\n"], False),
        (["from concurrent.futures import CancelledError\n"], False),
        (["from twisted.internet.defer import CancelledError\n"], False),
        (["from .compat import CancelledError\n"], False),
        (
            ["from pkg.compat import CancelledError\n", "from asyncio import CancelledError\n"],
            False,
        ),
        (["from otherloop import Task\nclass CancelledError(Exception): ...\n"], False),
    ],
)
def test_a_package_with_a_cancelled_error_of_its_own_kind_is_on_another_loop(
    tmp_path: Path, texts: list[str], expected: bool
) -> None:
    files = {f"pkg/m{number}.py": text for number, text in enumerate(texts)}
    write(tmp_path, {"pkg/__init__.py": "", **files, "pkg/last.py": "x = 1\n"})
    assert traits(tmp_path, "pkg/last.py").on_other_loop is expected


def test_log_contexts_are_thread_local_where_the_package_preserves_them(tmp_path: Path) -> None:
    text = "from .context import make_deferred_yieldable\n"
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": text, "main.py": ""})
    assert traits(tmp_path, "pkg/__init__.py").storage is Storage.THREAD_LOCAL
    assert traits(tmp_path, "main.py").storage is Storage.CONTEXTVAR


def test_settings_win(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import twisted\n"})
    settings = Settings(framework=Framework.ASYNCIO, storage=Storage.THREAD_LOCAL)
    found = traits(tmp_path, "main.py", settings)
    assert (found.framework, found.storage) == (Framework.ASYNCIO, Storage.THREAD_LOCAL)


def test_plain_functions_that_gather_are_named(tmp_path: Path) -> None:
    other = """
        from twisted.internet import defer
        def plain(ds):
            return defer.gatherResults(ds)
        async def later(ds):
            await defer.DeferredList(ds)
        @defer.inlineCallbacks
        def inline(ds):
            yield defer.DeferredList(ds)
        class C:
            def method(self, ds):
                if ds:
                    return defer.DeferredList(ds)
        defer.gatherResults([])
    """
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/b.py": other})
    gathering = traits(tmp_path, "pkg/a.py").gathering
    names = ("plain", "later", "inline", "method", "other")
    assert [name for name in names if name in gathering] == ["plain", "method"]
