"""Verdicts on functions that may be cancelled, and the rules that rest on them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from logctx_lint.config.settings import CancellationScope, Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source
from tests.support.cancellable_package import SERVLETS, STORE
from tests.support.cancellable_package import package as package


def check(engine: Engine, path: Path, text: str | None = None) -> list[Finding]:
    source = Source.read(path) if text is None else Source(path, dedent(text))
    return engine.check(source, {"LCX301", "LCX304"})


def test_the_nearest_problem_is_told_with_the_way_to_it(package: Path) -> None:
    engine = Engine(Settings(root=package.parent), use_cache=False)
    (finding,) = check(engine, package / "servlets.py")
    assert finding.message == (
        "`on_GET` is marked as safe to cancel, but what it waits for is not: `Servlet.on_GET` → "
        "`Handler.far` → `Handler.near` → `Store.other` (package/store.py:14, LCX301), and 1 more "
        "below it: correct it, or remove the mark; `logctx-lint audit` shows all"
    )
    assert (finding.span.line, finding.span.column) == (10, 4)


def test_a_text_that_changes_changes_the_verdict(package: Path) -> None:
    engine = Engine(Settings(root=package.parent), use_cache=False)
    store, servlets = package / "store.py", package / "servlets.py"
    assert check(engine, servlets)
    assert check(engine, store)
    mended = STORE.replace("except Exception:", "except ValueError:").replace(
        "except BaseException:", "except ValueError:"
    )
    assert check(engine, store, mended) == []
    # Whoever fixes files in a run starts anew for the next one; within a file it is told at once.
    together = f"{STORE}\n{SERVLETS.replace('from .handlers import Handler', '')}"
    marked = together.replace("handler: Handler", "handler: Store").replace("far()", "get()")
    assert [each.code for each in check(engine, servlets, marked)] == [
        "LCX301",
        "LCX301",
        "LCX304",
    ]
    cured = marked.replace("except Exception:", "except ValueError:")
    assert [each.code for each in check(engine, servlets, cured)] == ["LCX301"]


def test_a_file_that_was_never_written_is_judged(package: Path) -> None:
    engine = Engine(Settings(root=package.parent), use_cache=False)
    text = SERVLETS.replace("Servlet:", "Other:")
    assert [each.code for each in check(engine, package / "new.py", text)] == ["LCX304"]


@pytest.mark.parametrize("order", [("servlets", "store"), ("store", "servlets")])
def test_the_scope_is_the_same_for_one_file_and_for_all(
    package: Path, order: tuple[str, ...]
) -> None:
    settings = Settings(root=package.parent, cancellation_scope=CancellationScope.CANCELLABLE)
    together = Engine(settings, use_cache=False)
    for name in order:
        alone = Engine(settings, use_cache=False)
        path = package / f"{name}.py"
        assert check(together, path) == check(alone, path)
        assert check(alone, path)


def test_the_scope_leaves_out_what_no_marked_function_waits_for(package: Path) -> None:
    (package / "servlets.py").write_text(dedent(SERVLETS.replace("@cancellable", "")))
    settings = Settings(root=package.parent, cancellation_scope=CancellationScope.CANCELLABLE)
    assert check(Engine(settings, use_cache=False), package / "store.py") == []


def test_a_marked_function_elsewhere_counts_where_source_roots_name_its_folder(
    package: Path,
) -> None:
    app = package.parent / "app"
    app.mkdir()
    (package / "servlets.py").unlink()
    (app / "main.py").write_text(dedent(SERVLETS.replace(".handlers", "package.handlers")))
    scope = CancellationScope.CANCELLABLE
    for roots, found in ((("app",), 2), ((), 0)):
        settings = Settings(root=package.parent, source_roots=roots, cancellation_scope=scope)
        engine = Engine(settings, use_cache=False)
        assert len(check(engine, package / "store.py")) == found


def test_findings_that_were_kept_hold_until_anything_below_changes(package: Path) -> None:
    settings = Settings(root=package.parent)

    def places() -> list[str]:
        found = check(Engine(settings, use_cache=True), package / "servlets.py")
        return [each.message.partition("(package/")[2].partition(",")[0] for each in found]

    assert places() == places() == ["store.py:14"]
    mended = STORE.replace("except Exception:", "except ValueError:")
    (package / "store.py").write_text(dedent(mended.replace("BaseException", "KeyError")))
    assert places() == places() == []
    text = """
        from .handlers import Handler
        from .store import load

        class Other(Handler):
            async def near(self):
                try:
                    await self.far()
                except BaseException:
                    pass
    """
    (package / "other.py").write_text(dedent(text))
    assert places() == places() == ["other.py:9"]
    (package / "other.py").unlink()
    assert places() == []


def test_the_scope_notices_a_new_mark(package: Path) -> None:
    settings = Settings(root=package.parent, cancellation_scope=CancellationScope.CANCELLABLE)

    def count() -> int:
        return len(check(Engine(settings, use_cache=True), package / "store.py"))

    assert count() == count() == 2
    (package / "servlets.py").write_text(dedent(SERVLETS.replace("@cancellable", "")))
    assert count() == count() == 0

    (package / "new.py").write_text(dedent(SERVLETS.replace("far()", "near()")))
    assert count() == 2
