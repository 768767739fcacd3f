"""Names of the standard library, of Twisted and of others that are known without the vocabulary.

What a project may have of its own kind is a role (`config/vocabulary.py`); these are what they are.
"""

MARKS = frozenset(
    {
        "abc.abstractmethod",
        "builtins.classmethod",
        "builtins.staticmethod",
        "typing.final",
        "typing.overload",
        "typing.override",
        "typing_extensions.overload",
        "typing_extensions.override",
    }
)
"""Decorators under which a function stays the one that is written there."""
TRANSPARENT = MARKS | {
    "abc.abstractproperty",
    "builtins.property",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
}
"""Decorators that leave what a call gives as it is; they may say how the function is looked up."""
UNIQUE_VALUES = frozenset(
    {"uuid.uuid1", "uuid.uuid4", "secrets.token_hex", "secrets.token_urlsafe"}
)
"""Functions that give a value which nobody else has."""
GENERATOR_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
"""Decorators that make a context manager of a generator."""


def names_manager_maker(decorator: str) -> bool:
    """Whether a decorator, of whatever library, is named as one that makes a context manager."""
    name = decorator.partition("(")[0].rpartition(".")[2]
    return name.replace("_", "").lower().endswith("contextmanager")


RERAISING_MANAGERS = frozenset(
    {
        "sqlalchemy.util.safe_reraise",
        "sqlalchemy.util.langhelpers.safe_reraise",
        "oslo_utils.excutils.save_and_reraise_exception",
    }
)
"""Context managers that, when they are left, raise what was being handled as they were entered."""
MAKE_OBJECTS = (
    "asgiref.sync.async_to_sync",
    "celery.",
    "click.",
    "dramatiq.",
    "huey.",
    "invoke.",
    "pytest.",
    "pytest_asyncio.",
    "textual.",
    "typer.",
)
"""Libraries whose decorators make commands, jobs, workers and fixtures, or plain functions."""
RUNNERS = frozenset({"apply", "attempt", "call", "execute", "invoke", "perform", "retry", "run"})
"""Methods that run what they are given and give what it gives: `lock.run(f)`, `retrier.call(f)`."""
RETURN_VALUE = "twisted.internet.defer.returnValue"
"""Ends a generator under `@inlineCallbacks` with a value."""
FUNCTION_TESTS = {
    "asyncio.iscoroutinefunction": "coroutine",
    "asyncio.coroutines.iscoroutinefunction": "coroutine",
    "inspect.iscoroutinefunction": "coroutine",
    "inspect.isgeneratorfunction": "generator",
    "inspect.isasyncgenfunction": "asynchronous generator",
}
"""Functions that ask what kind of function something is, and for which kind."""
VALUE_TEST_NAMES = frozenset({"isawaitable", "iscoroutine", "isfuture"})
"""Last names of functions that ask whether a value is an awaitable, whoever has taken them over."""
FUNCTION_TEST_NAMES = frozenset(name.rpartition(".")[2] for name in FUNCTION_TESTS)
"""The same of functions that ask for the kind of a function."""
KIND_TEST_NAMES = FUNCTION_TEST_NAMES | VALUE_TEST_NAMES
"""Functions that tell asynchronous functions and their values from others."""
WAIT = frozenset({"asyncio.wait", "asyncio.tasks.wait"})
GATHER = frozenset({"asyncio.gather", "asyncio.tasks.gather"})
AS_COMPLETED = frozenset({"asyncio.as_completed", "asyncio.tasks.as_completed"})
APPENDERS = frozenset({"append", "appendleft", "add"})
"""Methods that put one thing into a list, deque or set."""
QUEUE_PUTS = frozenset({"put", "put_nowait"})
"""Methods that put one thing into a queue."""
ADDERS = APPENDERS | QUEUE_PUTS | {"insert"}
"""Methods that put one thing into a collection of any kind."""
REMOVERS = frozenset({"clear", "discard", "pop", "popitem", "popleft", "remove"})
"""Methods that take something, or all, out of a collection."""
FAILERS = frozenset({"errback", "set_exception"})
"""Methods that complete a Deferred or a Future with an error."""
COMPLETERS = FAILERS | {"callback", "set_result"}
"""Methods that complete a Deferred or a Future; a second call of any of them fails."""
COMPLETED_ONCE = frozenset(
    {
        "twisted.internet.defer.Deferred",
        "asyncio.futures.Future",
        "concurrent.futures._base.Future",
    }
)
"""The classes that have these methods."""
DELAYERS = frozenset({"callLater", "call_later", "call_at"})
"""Methods of reactors and event loops that call a function after a while: their second argument."""
LOG_METHODS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"}
)
"""Methods of loggers, as `logging` and Twisted have them."""
