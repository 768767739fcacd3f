"""Testing one's own service: leaked, lost and restarted log contexts; cancellation everywhere.

``no_context_leaks`` is a pytest fixture (``from logctx_lint.runtime.testing import
no_context_leaks`` in a conftest), ``checks_contexts`` the same as a decorator for a single test,
and ``cancel_at_each_await`` runs a coroutine again and again, cancelled at another place each time.
"""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

try:
    import pytest
except ImportError as error:
    raise ImportError("this needs pytest: pip install 'logctx-lint[testing]'") from error

from .cancel_everywhere import CancellationReport, CancelledRun, cancel_at_each_await
from .context import collected_reports, current_context, set_current_context

__all__ = [
    "CancellationReport",
    "CancelledRun",
    "cancel_at_each_await",
    "checking_contexts",
    "checks_contexts",
    "no_context_leaks",
]

F = TypeVar("F", bound=Callable[..., Any])


# --- Leaks


@contextmanager
def checking_contexts() -> Iterator[None]:
    """Fails with ``AssertionError`` if the block misuses log contexts: if one is restarted, lost
    or found in the wrong place, or if another one than before is current afterwards.

    Garbage is collected before and after it, because an orphaned coroutine does its damage when
    it is collected.
    """
    gc.collect()
    before = current_context()
    with collected_reports() as problems:
        yield
        gc.collect()
        after = current_context()
    if after is not before:
        set_current_context(before)  # do not fail the next test too
        problems.append(f"Log context {after} was leaked, where {before} was before")
    if problems:
        raise AssertionError("log contexts were misused:\n- " + "\n- ".join(problems))


@pytest.fixture
def no_context_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaks, loses or restarts a log context. See ``checking_contexts``.

    A coroutine, as with pytest-asyncio and anyio, is checked inside of its own task: the context
    variables that it leaves behind cannot be seen from outside.
    """
    test = getattr(request.node, "obj", None)
    if inspect.iscoroutinefunction(test):
        request.node.obj = checks_contexts(test)
    with checking_contexts():
        yield


def checks_contexts(test: F) -> F:
    """Decorator: ``checking_contexts`` around a test, which may be a coroutine function or return
    a Deferred."""

    @functools.wraps(test)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check = checking_contexts()
        check.__enter__()
        try:
            result = test(*args, **kwargs)
        except BaseException as error:
            check.__exit__(type(error), error, error.__traceback__)
            raise
        if hasattr(result, "addBoth"):
            return result.addBoth(finish, check)
        check.__exit__(None, None, None)
        return result

    def finish(result: Any, check: Any) -> Any:
        check.__exit__(None, None, None)
        return result

    @functools.wraps(test)
    async def checked_coroutine(*args: Any, **kwargs: Any) -> Any:
        with checking_contexts():
            return await test(*args, **kwargs)

    chosen: Any = checked_coroutine if inspect.iscoroutinefunction(test) else checked
    return chosen  # type: ignore[no-any-return]
