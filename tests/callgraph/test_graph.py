"""Who calls whom: receivers, overrides, callbacks, what is started, what nobody can know."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.callgraph.class_hierarchy import functions
from logctx_lint.callgraph.graph import CallGraph, path
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.modules import Function
from tests.support.projects import Project

CONTEXT = """
    from typing import Any, Awaitable, Callable
    from twisted.internet.defer import Deferred

    def run_in_background(f: Callable[..., Awaitable], *args: Any) -> Deferred: ...
    def stop_cancellation(d: Awaitable) -> Deferred: ...
    def cancellable(f): return f
"""
VOCABULARY = {
    "background-starter": ("helpers.run_in_background",),
    "cancellation-shield": ("helpers.stop_cancellation",),
    "cancellable-marker": ("helpers.cancellable",),
}


class Graph:
    """The call graph of the files in a folder."""

    def __init__(self, folder: Path, **files: str) -> None:
        self.project = Project(folder, {f"{n}.py": t for n, t in files.items()})
        vocabulary = Vocabulary({Role(role): names for role, names in VOCABULARY.items()})
        mentions = self.project.modules.around(folder / "main.py", ())
        self.graph = CallGraph(self.project.resolver, vocabulary, mentions)

    def is_read(self, name: str) -> bool:
        """Whether the facts of a module were asked for."""
        path = str(self.project.folder / f"{name}.py")
        return self.project.modules.places.file(path).is_held

    def function(self, name: str) -> Function:
        module = self.project.find("main")
        assert module
        return next(each for each in functions(module) if each.qualified_name == f"main.{name}")

    def calls(self, name: str) -> list[str]:
        """`how function` for all that a function in `main` makes run."""
        found = self.graph.calls(self.function(name)).resolved
        return [f"{call.how.name} {call.function.qualified_name}" for call in found]

    def unresolved(self, name: str) -> list[str]:
        found = self.graph.calls(self.function(name)).unresolved
        return [f"{each.text} {each.reason.name} {each.is_awaited}" for each in found]


def calls(folder: Path, text: str, **files: str) -> list[str]:
    """What `root` in `main` makes run."""
    return Graph(folder, main=text, helpers=CONTEXT, **files).calls("root")


def test_calls_go_through_the_types_of_receivers(tmp_path: Path) -> None:
    text = """
        from other import Store, load

        class Service:
            def __init__(self, store: Store) -> None:
                self.store = store

            async def get(self): ...

        async def root(service: Service):
            await service.get()
            x = await service.store.get()
            await load()
            print(x)
    """
    other = """
        class Store:
            async def get(self): ...

        async def load(): ...
    """
    assert calls(tmp_path, text, other=other) == [
        "CALLS main.Service.get",
        "CALLS other.Store.get",
        "CALLS other.load",
    ]


def test_only_what_is_waited_for_is_a_node(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable
        from twisted.internet.defer import Deferred, inlineCallbacks

        def value() -> int: ...
        def made() -> "Deferred[int]": ...
        def sometimes(x) -> "Awaitable[int] | None": ...
        def passed_on(): return made()
        async def stream(): yield 1

        @inlineCallbacks
        def old(): yield made()

        async def root():
            value()
            passed_on()
            await made()
            sometimes(1)
            async for x in stream(): pass
            await old()
    """
    names = [call.partition(" ")[2] for call in calls(tmp_path, text)]
    assert names == ["main.passed_on", "main.made", "main.sometimes", "main.stream", "main.old"]


def test_a_yield_waits_only_under_inline_callbacks(tmp_path: Path) -> None:
    text = """
        from twisted.internet.defer import inlineCallbacks

        @inlineCallbacks
        def root(x):
            yield x.unknown()

        def generator(x):
            yield x.unknown()
    """
    graph = Graph(tmp_path, main=text)
    assert graph.unresolved("root") == ["x.unknown TYPE True"]
    assert graph.unresolved("generator") == []


def test_a_call_on_a_base_class_reaches_overrides_in_other_files(tmp_path: Path) -> None:
    text = """
        class Base:
            async def get(self): return 1

        class Inner(Base):
            async def root(self):
                await super().get()

        async def root(base: Base):
            await base.get()
    """
    other = """
        import main
        from main import Base as B

        class Second(B):
            async def get(self): ...

        class Third(Second):
            async def get(self): ...

        class Fourth(main.Base):
            async def get(self): ...

        class Stranger:
            async def get(self): ...
    """
    graph = Graph(tmp_path, main=text, other=other)
    assert graph.calls("root") == [
        "CALLS main.Base.get",
        "CALLS other.Second.get",
        "CALLS other.Third.get",
        "CALLS other.Fourth.get",
    ]
    assert graph.calls("Inner.root") == ["CALLS main.Base.get"]


def test_what_is_abstract_gives_way_to_its_overrides(tmp_path: Path) -> None:
    text = """
        import abc
        from typing import Protocol

        class Base(abc.ABC):
            @abc.abstractmethod
            async def get(self): ...

            async def put(self): raise NotImplementedError()

            async def lost(self): raise NotImplementedError

        class Shape(Protocol):
            async def fetch(self): ...
            async def close(self): ...

        class Real(Base):
            async def get(self): ...
            async def put(self): ...

        class Half:
            async def close(self): ...

        class Whole(Half):
            async def fetch(self): ...

        async def root(base: Base, shape: Shape):
            await base.get()
            await base.put()
            await base.lost()
            await shape.fetch()
    """
    graph = Graph(tmp_path, main=text)
    assert graph.calls("root") == [
        "CALLS main.Real.get",
        "CALLS main.Real.put",
        "CALLS main.Whole.fetch",
    ]
    assert graph.unresolved("root") == ["base.lost ABSTRACT True"]


def test_a_mixin_finds_what_it_will_be_mixed_with(tmp_path: Path) -> None:
    text = """
        class Mixin:
            async def root(self):
                await self.get()

        class Store:
            async def get(self): ...

        class Whole(Mixin, Store): ...
    """
    assert Graph(tmp_path, main=text).calls("Mixin.root") == ["CALLS main.Store.get"]


@pytest.mark.parametrize(
    ("statement", "how"),
    [
        ("await run_in_background(f)", "HANDS_ON"),
        ("d = run_in_background(f)", "HANDS_ON"),
        ("run_in_background(f)", "BACKGROUND"),
        ("run_in_background(partial(f, 1))", "BACKGROUND"),
        ("run_in_background(lambda: f())", "BACKGROUND"),
        ("run_in_background(f).addErrback(print)", "BACKGROUND"),
        ("asyncio.create_task(f())", "BACKGROUND"),
        ("await asyncio.create_task(f())", "CALLS"),
        ("waiting.append(f())", "CALLS"),
        ("waiting.append(f)", "BACKGROUND"),
        ("timer = loop.call_later(1, f)", "BACKGROUND"),
        ("await stop_cancellation(f())", "PROTECTED"),
        ("await gather([f() for _ in x])", "CALLS"),
        ("await each(f, x)", "HANDS_ON"),
        ("await each(lambda: f(), x)", "HANDS_ON"),
        ("d.addCallback(f)", "HANDS_ON"),
        ("return await each(x, key=f)", "HANDS_ON"),
        ("g = f; await g()", "CALLS"),
    ],
)
def test_how_a_function_is_made_to_run(tmp_path: Path, statement: str, how: str) -> None:
    text = f"""
        import asyncio
        from functools import partial
        from helpers import run_in_background, stop_cancellation
        from elsewhere import each, gather

        async def f(*args): ...

        async def root(x, d, loop: asyncio.AbstractEventLoop):
            {statement}
    """
    assert calls(tmp_path, text) == [f"{how} main.f"]


def test_decorators_that_wrap_or_describe(tmp_path: Path) -> None:
    text = """
        from typing import Any, Awaitable, Callable
        from functools import wraps

        class Cached:
            def __call__(self, *args: Any) -> Awaitable[Any]: ...

        def cached(f: Callable[..., Any]) -> Cached: ...

        def timed(name):
            def decorator(f):
                @wraps(f)
                async def wrapper(*args):
                    return await f(*args)
                return wrapper
            return decorator

        class Store:
            @cached
            async def get(self): ...

            @timed("put")
            async def put(self): ...

        async def root(store: Store):
            await store.get()
            await store.put()
    """
    graph = Graph(tmp_path, main=text)
    assert graph.calls("root") == ["CALLS main.Store.get", "CALLS main.Store.put"]
    assert graph.calls("Store.put") == ["IS_WRAPPED main.timed.decorator.wrapper"]


def test_functions_inside_functions_and_with_blocks(tmp_path: Path) -> None:
    text = """
        class Lock:
            async def __aenter__(self): ...
            async def __aexit__(self, *args): ...

        async def work(): ...

        async def root(lock: Lock):
            async def inner():
                await work()
            async with lock:
                await inner()
    """
    graph = Graph(tmp_path, main=text)
    assert graph.calls("root") == [
        "CALLS main.Lock.__aenter__",
        "CALLS main.Lock.__aexit__",
        "CALLS main.root.inner",
    ]
    inner = graph.graph.calls(graph.function("root")).resolved[2].function
    assert [call.function.qualified_name for call in graph.graph.calls(inner).resolved] == [
        "main.work"
    ]


def test_what_nobody_knows_is_counted(tmp_path: Path) -> None:
    text = """
        import asyncio
        from typing import Any, Awaitable, Callable
        from outside import load

        def get(): ...

        class Service:
            hook: Callable[[], Awaitable[None]]

            async def root(self, callback, thing: Any):
                await self.hook()
                await callback()
                await thing.get()
                thing.get()
                thing.other()
                await load()
                await asyncio.sleep(1)
    """
    assert Graph(tmp_path, main=text).unresolved("Service.root") == [
        "self.hook CALLABLE True",
        "callback PARAMETER True",
        "thing.get TYPE True",
        "thing.get TYPE False",
    ]


def test_roots_and_the_shortest_way_to_what_they_reach(tmp_path: Path) -> None:
    text = """
        import helpers
        from helpers import cancellable as can, run_in_background

        async def far(): await root2()
        async def near(): await far()
        async def apart(): ...

        class Servlet:
            @can
            async def on_GET(self):
                await near()
                await far()
                run_in_background(apart)

        @helpers.cancellable
        async def root2(): ...
    """
    graph = Graph(tmp_path, main=text, helpers=CONTEXT).graph
    roots = list(graph.roots())
    assert [root.qualified_name for root in roots] == ["main.Servlet.on_GET", "main.root2"]
    reached = graph.reached(roots[:1])
    ways = {f.name: [step.caller.name for step in path(reached, f)] for f in reached}
    assert ways == {
        "on_GET": [],
        "near": ["on_GET"],
        "far": ["on_GET"],
        "root2": ["on_GET", "far"],
    }


def test_only_what_is_reached_is_read(tmp_path: Path) -> None:
    text = """
        from used import work

        async def root(): await work()
    """
    used = """
        async def work(): ...
    """
    graph = Graph(tmp_path, main=text, used=used, unused="async def other(): ...")
    graph.graph.reached([graph.function("root")])
    names = {Path(path).stem for path in graph.project.modules._modules if path.endswith(".py")}
    assert names == {"main", "used"}


def test_a_name_that_only_one_sort_of_method_has_says_what_is_called(tmp_path: Path) -> None:
    text = """
        class Store:
            async def load_everything_at_once(self): ...

        async def root(thing):
            await thing.load_everything_at_once()
    """
    assert calls(tmp_path, text) == ["CALLS main.Store.load_everything_at_once"]
