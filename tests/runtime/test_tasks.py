"""Behaviours 23 to 25 on asyncio: task contexts, background work.

Needs no Twisted; see test_imports, which runs this module without it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import ChainMap
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from logctx_lint.runtime import tasks
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    configure,
    current_context,
)

from .loops import rest, run_on

FACTORIES = [tasks.task_factory, tasks.copying_task_factory, tasks.chainmap_task_factory]

each_factory = pytest.mark.parametrize("factory", FACTORIES, ids=lambda f: str(f.__name__))


# --- 23: get, set, clear


def test_get_set_and_clear_on_the_running_task(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        assert tasks.get("key") is None
        assert tasks.get("key", default="other") == "other"
        tasks.set(key="key", value="value")
        assert tasks.get("key") == "value"
        task: Any = asyncio.current_task()
        assert task.context == {"key": "value"}
        tasks.clear()
        assert tasks.get("key") is None
        assert task.context == {}

    loop.set_task_factory(tasks.task_factory)
    loop.run_until_complete(main())


@pytest.mark.parametrize(
    "use",
    [lambda: tasks.get("k"), lambda: tasks.set("k", 1), tasks.clear],
    ids=["get", "set", "clear"],
)
def test_value_error_without_a_task(
    loop: asyncio.AbstractEventLoop, use: Callable[[], None]
) -> None:
    with pytest.raises(ValueError, match="No running task"):
        use()
    failures: list[ValueError] = []

    def callback() -> None:
        try:
            use()
        except ValueError as error:
            failures.append(error)
        loop.stop()

    loop.call_soon(callback)
    loop.run_forever()
    assert len(failures) == 1


TABLES = {
    "task_factory": [
        "parent before: simple=from parent, complex=['from', 'parent']",
        "child: simple=from child, complex=['from', 'child']",
        "parent after: simple=from child, complex=['from', 'child']",
    ],
    "copying_task_factory": [
        "parent before: simple=from parent, complex=['from', 'parent']",
        "child: simple=from child, complex=['from', 'child']",
        "parent after: simple=from parent, complex=['from', 'parent']",
    ],
    "chainmap_task_factory": [
        "parent before: simple=from parent, complex=['from', 'parent']",
        "child: simple=from child, complex=['from', 'child']",
        "parent after: simple=from parent, complex=['from', 'child']",
    ],
}


@each_factory
def test_seed_table_of_the_factory(
    loop: asyncio.AbstractEventLoop, factory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program of the seed, "Comparison of task factories", and what it prints there."""
    context = tasks

    async def my_coro_parent(loop: asyncio.AbstractEventLoop) -> None:
        context.set("simple", "from parent")
        context.set("complex", ["from", "parent"])
        print(
            "parent before: simple={}, complex={}".format(
                context.get("simple"), context.get("complex")
            )
        )
        await loop.create_task(my_coro_child())
        print(
            "parent after: simple={}, complex={}".format(
                context.get("simple"), context.get("complex")
            )
        )

    async def my_coro_child() -> None:
        context.set("simple", "from child")  # redefine value completely
        context.get("complex")[1] = "child"  # update existing object
        print("child: simple={}, complex={}".format(context.get("simple"), context.get("complex")))

    loop.set_task_factory(factory)
    loop.run_until_complete(my_coro_parent(loop))
    assert capsys.readouterr().out.splitlines() == TABLES[factory.__name__]


# --- 24: the factories


@each_factory
def test_context_is_inherited_through_gather_ensure_future_and_wait_for(
    loop: asyncio.AbstractEventLoop, factory: Any
) -> None:
    async def child() -> str:
        return str(tasks.get("status"))

    async def main() -> list[str]:
        tasks.set("status", "RUNNING")
        gathered = await asyncio.gather(asyncio.ensure_future(child()), child())
        return [*gathered, await asyncio.wait_for(child(), 60)]

    loop.set_task_factory(factory)
    assert loop.run_until_complete(main()) == ["RUNNING"] * 3


def test_kind_of_context_of_each_factory(loop: asyncio.AbstractEventLoop) -> None:
    async def child() -> Any:
        return asyncio.current_task().context  # type: ignore[union-attr]

    async def main() -> tuple[Any, Any]:
        tasks.set("key", ["value"])
        return await child(), await asyncio.ensure_future(child())

    loop.set_task_factory(tasks.task_factory)
    parent, context = loop.run_until_complete(main())
    assert context is parent
    loop.set_task_factory(tasks.copying_task_factory)
    parent, context = loop.run_until_complete(main())
    assert context == parent
    assert context is not parent
    assert context["key"] is not parent["key"]
    loop.set_task_factory(tasks.chainmap_task_factory)
    parent, context = loop.run_until_complete(main())
    assert isinstance(context, ChainMap)
    assert isinstance(parent, ChainMap)
    assert context.maps[1:] == parent.maps
    assert context.maps[0] == {}


def test_factories_can_be_mixed(loop: asyncio.AbstractEventLoop) -> None:
    """A ChainMap child of a plain dict, and a copy of a ChainMap."""

    async def set_and_get() -> Any:
        tasks.set("own", 1)
        return tasks.get("inherited")

    async def main() -> None:
        tasks.set("inherited", "value")
        for factory in FACTORIES[1:]:
            loop.set_task_factory(factory)
            assert await asyncio.ensure_future(set_and_get()) == "value"
            assert tasks.get("own") is None

    loop.set_task_factory(tasks.task_factory)
    loop.run_until_complete(main())


def test_own_context_factory(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> Any:
        return tasks.get("made by")

    factory = partial(tasks.task_factory, context_factory=lambda parent: {"made by": "us"})
    loop.set_task_factory(factory)
    assert loop.run_until_complete(main()) == "us"


@each_factory
def test_factory_accepts_the_keywords_of_create_task(
    loop: asyncio.AbstractEventLoop, factory: Any
) -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    elsewhere = contextvars.copy_context()
    elsewhere.run(variable.set, "elsewhere")

    async def child() -> str:
        return variable.get("here")

    async def main() -> None:
        task = loop.create_task(child(), name="named")
        assert task.get_name() == "named"
        assert await task == "here"
        task = factory(loop, child(), name="directly")
        assert task.get_name() == "directly"
        await task
        if sys.version_info >= (3, 11):
            assert await loop.create_task(child(), context=elsewhere) == "elsewhere"
            assert await factory(loop, child(), context=elsewhere, name="both") == "elsewhere"
        if sys.version_info >= (3, 12):
            assert await factory(loop, child(), eager_start=False) == "here"

    loop.set_task_factory(factory)
    loop.run_until_complete(main())


@each_factory
def test_eager_task_sees_its_context_in_its_first_step(
    loop: asyncio.AbstractEventLoop, factory: Any
) -> None:
    """On Pythons without eager tasks, the first step of an ordinary one."""
    seen: list[Any] = []
    eager = {"eager_start": True} if sys.version_info >= (3, 12) else {}

    async def child() -> None:
        seen.append(tasks.get("inherited"))
        tasks.set("own", "child's")
        seen.append(tasks.get("own"))
        await asyncio.sleep(0)
        seen.append(tasks.get("own"))

    async def main() -> None:
        tasks.set("inherited", "value")
        task = asyncio.ensure_future(child())
        if eager:
            assert seen == ["value", "child's"]
        await task
        assert seen == ["value", "child's", "child's"]
        own = tasks.get("own")
        assert own == ("child's" if factory is tasks.task_factory else None)
        assert task.context["own"] == "child's"  # type: ignore[attr-defined]

    def eager_factory(loop: Any, coro: Any, **kwargs: Any) -> Any:
        return factory(loop, coro, **{**kwargs, **eager})  # uvloop passes eager_start=None

    loop.set_task_factory(eager_factory)
    loop.run_until_complete(main())


@each_factory
def test_task_made_before_the_factory_was_installed_has_an_empty_context(
    loop: asyncio.AbstractEventLoop, factory: Any
) -> None:
    async def child() -> Any:
        return tasks.get("key")

    async def main() -> None:
        assert tasks.get("key", "default") == "default"
        loop.set_task_factory(factory)
        assert await asyncio.ensure_future(child()) is None
        tasks.set("key", "value")
        assert tasks.get("key") == "value"
        assert await asyncio.ensure_future(child()) == "value"
        tasks.clear()
        assert tasks.get("key") is None

    loop.run_until_complete(main())


@each_factory
def test_task_made_by_a_callback_has_an_empty_context(
    loop: asyncio.AbstractEventLoop, factory: Any
) -> None:
    made: list[Any] = []

    async def child() -> Any:
        return tasks.get("key")

    async def main() -> None:
        tasks.set("key", "value")
        called = loop.create_future()

        def callback() -> None:
            made.append(loop.create_task(child()))
            called.set_result(None)

        loop.call_soon(callback)
        await called
        assert await made[0] is None

    loop.set_task_factory(factory)
    loop.run_until_complete(main())


def test_resumed_tasks_are_accounted(contextvar_storage: None, loop: Any) -> None:
    configure(accounting=True)
    contexts: list[LoggingContext] = []

    async def work() -> None:
        with LoggingContext("work") as context:
            contexts.append(context)
            await asyncio.sleep(0)
            while context.get_resource_usage().ru_utime < 0.02:
                sum(range(1000))

    loop.set_task_factory(tasks.task_factory)
    loop.run_until_complete(work())
    assert contexts[0].get_resource_usage().ru_utime >= 0.02


# --- Background work


def test_background_task_keeps_the_caller_s_context(
    each_storage: str, loop: asyncio.AbstractEventLoop, reports: list[str]
) -> None:
    seen: list[str] = []

    async def main() -> None:
        event = asyncio.Event()

        async def work(*args: object, **kwargs: object) -> object:
            seen.append(str(current_context()))
            await rest(event.wait())
            seen.append(str(current_context()))
            return args, kwargs

        context = LoggingContext("main")
        with PreserveLoggingContext(context):
            task = tasks.run_in_background(work, 1, key=2)
            assert current_context() is context
        event.set()
        assert await task == ((1,), {"key": 2})
        assert current_context() is SENTINEL_CONTEXT

    run_on(loop, main)
    assert seen == ["main", "main"]
    assert reports == []


def test_background_task_is_kept_until_it_is_done(loop: asyncio.AbstractEventLoop) -> None:
    """Nothing else refers to it: neither the loop, which knows tasks weakly, nor what it awaits."""
    done: list[str] = []
    wake: list[Any] = []

    async def work() -> None:
        future: asyncio.Future[None] = loop.create_future()
        # A weak reference, as an event bus would have it: the task and the future refer to
        # each other only, and make a cycle.
        import weakref

        wake.append(weakref.ref(future))
        await future
        done.append("done")

    async def main() -> None:
        tasks.run_in_background(work)
        await asyncio.sleep(0)
        gc.collect()
        future = wake[0]()
        assert future is not None, "the task was collected"
        future.set_result(None)
        del future
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run_on(loop, main)
    assert done == ["done"]


def test_background_never_raises(loop: asyncio.AbstractEventLoop) -> None:
    def at_once() -> None:
        raise KeyError

    async def later() -> None:
        raise KeyError

    async def main() -> None:
        for work in (at_once, later):
            future: asyncio.Future[Any] = tasks.run_in_background(work)
            with pytest.raises(KeyError):
                await future

    run_on(loop, main)


def test_background_lets_base_exceptions_pass(loop: asyncio.AbstractEventLoop) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            tasks.run_in_background(work)

    run_on(loop, main)


class Ready:
    def __await__(self) -> Generator[Any, None, int]:
        yield from ()
        return 3


def test_background_takes_values_futures_and_awaitables(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        future: asyncio.Future[int] = loop.create_future()
        assert await tasks.run_in_background(lambda: 1) == 1
        running = tasks.run_in_background(lambda: future)
        assert running is future
        future.set_result(2)
        assert await running == 2
        assert await tasks.run_in_background(lambda: Ready()) == 3

    run_on(loop, main)


def test_executor_runs_in_a_child_and_charges_the_parent(
    each_storage: str, loop: asyncio.AbstractEventLoop, reports: list[str]
) -> None:
    def work(value: int) -> tuple[int, Any, int]:
        context = current_context()
        assert isinstance(context, LoggingContext)
        context.add_database_transaction(2.0)
        return value, context, threading.get_ident()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool, LoggingContext("main", request="id-1") as context:
            value, child, thread = await rest(tasks.run_in_executor(pool, work, 5))
            assert value == 5
            assert (str(child), child.parent_context, child.request) == ("main", context, "id-1")
            assert thread != threading.get_ident()
            assert context.get_resource_usage().db_txn_duration_sec == 2.0
            left = await rest(loop.run_in_executor(pool, current_context))
            assert left is SENTINEL_CONTEXT
            assert current_context() is context

    run_on(loop, main)
    assert reports == []
