"""The built-in vocabulary: the qualified names that have each role.

No rule knows a function by its bare name. A rule asks for a role, the resolver supplies
the qualified names under which a callee is known, and this table joins the two. A project
adds its own names under `[tool.logctx-lint.vocabulary]`.
"""

from __future__ import annotations

from collections.abc import Mapping

from logctx_lint.config.log_context_names import (
    CONTEXT_MODULE,
    LOG_CONTEXTS,
    RUNTIME_MODULES,
    helpers,
)
from logctx_lint.config.plain_callbacks import (
    PLAIN_CALLERS,
    PLAIN_HOOKS,
    PLAIN_METHODS,
    PLAIN_SCHEDULER,
)
from logctx_lint.config.roles import Role
from logctx_lint.config.thread_callbacks import THREAD_CALLERS, THREAD_METHODS
from logctx_lint.config.work_sources import CONNECTION_SERVERS, CONNECTIONS, WORK_SOURCES

__all__ = ["BUILT_IN", "Role"]


_DEFER = "twisted.internet.defer"


def _clock(*names: str) -> tuple[str, ...]:
    """Methods of Synapse's clock, which has moved."""
    modules = ("synapse.util", "synapse.util.clock")
    return tuple(f"{module}.Clock.{name}" for name in names for module in modules)


_LOOP_CALLBACKS = (
    "call_soon", "call_soon_threadsafe", "call_later", "call_at",
    "add_reader", "add_writer", "add_signal_handler",
)  # fmt: skip
_LOOP_CALLS = (
    "call_soon", "call_later", "call_at", "create_task", "add_reader", "add_writer", "stop",
)  # fmt: skip
_TORNADO_CALLS = (
    "add_callback", "add_callback_from_signal", "add_timeout", "call_at", "call_later",
    "spawn_callback",
)  # fmt: skip
_REACTOR_CALLS = (
    "IReactorTime.callLater", "IReactorCore.stop", "IReactorCore.addSystemEventTrigger",
    "IReactorTCP.connectTCP", "IReactorTCP.listenTCP", "IReactorSSL.connectSSL",
    "IReactorSSL.listenSSL", "IReactorUDP.listenUDP", "IReactorProcess.spawnProcess",
    "ITransport.write", "ITransport.writeSequence", "ITransport.loseConnection",
    "ITCPTransport.abortConnection",
)  # fmt: skip
_TK_WIDGETS = ("Button", "Checkbutton", "Radiobutton", "Scale", "Scrollbar", "Spinbox")
_TK_CALLERS = ("after", "after_idle", "bind", "bind_all", "bind_class", "protocol")
_RELEASING = (
    "close", "aclose", "release", "disconnect", "terminate", "kill", "putconn", "abort", "rollback",
)  # fmt: skip
_CONNECTION_ENDS = (
    "connectionLost", "connection_lost", "clientConnectionLost", "processEnded", "processExited",
)  # fmt: skip
_PROTOCOL_EVENTS = (
    "connectionMade", "connection_made", "dataReceived", "data_received", "lineReceived",
    "stringReceived", "messageReceived",
)  # fmt: skip
_SERVICE_ENDS = ("close", "aclose", "disconnect", "shutdown", "stop", "stopService")
_REQUESTS = ("iweb.IRequest", "http.Request", "server.Request")
_SENDING = (
    "send*", "write*", "transmit*", "publish*", "request*", "call", "call[!bB]*",
)  # fmt: skip
_CLICK = ("click", "click.core", "typer")
_APPLICATIONS = (
    "traitlets.config.Application",
    "traitlets.config.application.Application",
    "IPython.core.application.BaseIPythonApplication",
    "jupyter_core.application.JupyterApp",
)
_CLOCKS = ("time", "perf_counter", "monotonic", "process_time")
_CALLBACK_ADDERS = ("addCallback", "addErrback", "addBoth", "addCallbacks")
_BACKGROUND_PROCESSES = (
    *helpers("synapse.metrics.background_process_metrics", "run_as_background_process"),
    "synapse.server.HomeServer.run_as_background_process",
    "synapse.module_api.run_as_background_process",
    "synapse.module_api.ModuleApi.run_as_background_process",
)
_ASYNC_HELPERS = "synapse.util.async_helpers"

BUILT_IN: Mapping[Role, tuple[str, ...]] = {
    Role.BACKGROUND_STARTER: (
        *helpers(CONTEXT_MODULE, "run_in_background", "run_coroutine_in_background"),
        *_BACKGROUND_PROCESSES,
        "synapse.module_api.run_in_background",
        "logctx_lint.runtime.tasks.run_in_background",
    ),
    Role.BACKGROUND_PROCESS: (
        *_BACKGROUND_PROCESSES,
        *helpers("synapse.metrics.background_process_metrics", "wrap_as_background_process"),
    ),
    Role.YIELDABLE_WRAPPER: (
        *helpers(CONTEXT_MODULE, "make_deferred_yieldable"),
        "synapse.module_api.make_deferred_yieldable",
    ),
    # Nothing that comes from outside knows of log contexts.
    Role.RAW_AWAITABLE: (
        "twisted.*",
        "treq.*",
        "txredisapi.*",
        *helpers(_ASYNC_HELPERS, "ObservableDeferred.observe"),
        f"{_ASYNC_HELPERS}.stop_cancellation",
        f"{_ASYNC_HELPERS}.AbstractObservableDeferred.observe",
        f"{_ASYNC_HELPERS}.gather_results",
        "synapse.http.client.read_body_with_max_size",
    ),
    **LOG_CONTEXTS,
    Role.CLOCK: (
        *(f"time.{name}{unit}" for name in _CLOCKS for unit in ("", "_ns")),
        "timeit.default_timer",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
    ),
    Role.GATHERER: (f"{_DEFER}.gatherResults",),
    Role.DEFERRED_LIST: (f"{_DEFER}.DeferredList",),
    Role.FORWARDING_GATHERER: (
        "asyncio.tasks.gather",
        "asyncio.gather",
        "asyncio.tasks.wait_for",
        "asyncio.wait_for",
        f"{_DEFER}.race",
        *helpers(_ASYNC_HELPERS, "yieldable_gather_results", "gather_optional_coroutines"),
    ),
    Role.ARGUMENT_GATHERER: ("asyncio.tasks.gather", "asyncio.gather"),
    Role.TIME_LIMITER: ("asyncio.tasks.wait_for", "asyncio.wait_for"),
    Role.FIRST_ERROR_UNWRAPPER: helpers("synapse.util", "unwrapFirstError"),
    Role.FIRST_ERROR: (f"{_DEFER}.FirstError",),
    Role.CANCELLATION_SHIELD: (
        *helpers(_ASYNC_HELPERS, "stop_cancellation", "delay_cancellation"),
        "asyncio.tasks.shield",
        "asyncio.shield",
    ),
    Role.CANCELLATION_DELAYER: helpers(_ASYNC_HELPERS, "delay_cancellation"),
    Role.OBSERVABLE: (
        *helpers(_ASYNC_HELPERS, "ObservableDeferred"),
        *(f"{module}.ObservableFuture" for module in RUNTIME_MODULES),
    ),
    Role.OBSERVER: (
        *helpers(
            _ASYNC_HELPERS, "ObservableDeferred.observe", "AbstractObservableDeferred.observe"
        ),
        *(f"{module}.ObservableFuture.observe" for module in RUNTIME_MODULES),
    ),
    Role.DEFERRED_PASSER: (
        *helpers(_ASYNC_HELPERS, "timeout_deferred"),
        *helpers(_ASYNC_HELPERS, "maybe_awaitable"),
        "typing.cast",
        "twisted.trial.unittest.TestCase.assertFailure",
        "twisted.trial._asynctest.TestCase.assertFailure",
    ),
    Role.CANCELLED_ERROR: (
        f"{_DEFER}.CancelledError",
        "asyncio.exceptions.CancelledError",
        "asyncio.CancelledError",
        "trio.Cancelled",
        "anyio.get_cancelled_exc_class",
    ),
    Role.CANCELLABLE_MARKER: helpers("synapse.util.cancellation", "cancellable"),
    Role.SAFE_DECORATOR: (
        *helpers("synapse.metrics.background_process_metrics", "wrap_as_background_process"),
        *helpers(CONTEXT_MODULE, "preserve_fn"),
    ),
    Role.CURRENT_TASK: ("asyncio.tasks.current_task", "asyncio.current_task"),
    Role.EVENT_LOOP: ("*.loop", "*._loop", "*.event_loop", "*.reactor", "*._reactor"),
    Role.TASK_STARTER: (
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.tasks.create_task",
        "asyncio.tasks.ensure_future",
        "asyncio.events.AbstractEventLoop.create_task",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.tasks.run_coroutine_threadsafe",
    ),
    Role.NURSERY_STARTER: (
        "asyncio.taskgroups.TaskGroup.create_task",
        "anyio.abc.TaskGroup.start_soon",
        "trio.Nursery.start_soon",
    ),
    Role.HAND_STARTER: (
        f"{_DEFER}.ensureDeferred",
        f"{_DEFER}.maybeDeferred",
        f"{_DEFER}.Deferred.fromCoroutine",
        f"{_DEFER}.Deferred.fromFuture",
    ),
    Role.INLINE_CALLBACKS: (
        f"{_DEFER}.inlineCallbacks",
        # Others put something around it and keep the name.
        "*.inlineCallbacks",
        "*.inline_callbacks",
    ),
    Role.CHAINER: tuple(f"{_DEFER}.Deferred.{name}" for name in (*_CALLBACK_ADDERS, "addTimeout")),
    Role.FIRED: (f"{_DEFER}.succeed", f"{_DEFER}.fail"),
    # A DeferredList; the end of a loop that logs its failure.
    Role.NEVER_FAILS: (
        "twisted.application.service.MultiService.stopService",
        "twisted.application.internet.TimerService.stopService",
        "asyncio.queues.Queue.put",
        "asyncio.locks.Lock.acquire",
        "asyncio.locks.Event.wait",
        "asyncio.tasks.sleep",
    ),
    Role.IMMEDIATE: (
        "contextlib.AsyncExitStack.__aenter__",
        "contextlib.nullcontext.__aenter__",
        "contextlib.nullcontext.__aexit__",
        "asyncio.taskgroups.TaskGroup.__aenter__",
        "asyncio.timeouts.Timeout.__aenter__",
        "asyncio.timeouts.Timeout.__aexit__",
    ),
    Role.QUEUE_PUTTER: ("asyncio.queues.Queue.put",),
    Role.DROPPABLE: (
        f"{_DEFER}.Deferred.chainDeferred",
        "twisted.internet.task.LoopingCall.start",
        "twisted.internet.task.Cooperator.coiterate",
        "asyncio.events.AbstractEventLoop.create_future",
        "*.notifyFinish",
        "*.stopListening",
        "*.loseConnection",
        "*.unregisterProducer",
        # What these give is there for flow control alone.
        "tornado.websocket.WebSocketHandler.write_message",
        "tornado.websocket.WebSocketClientConnection.write_message",
        "builtins.dict.pop",
        "builtins.list.pop",
        "builtins.set.pop",
        "collections.deque.pop",
        "collections.deque.popleft",
        "typing.MutableMapping.pop",
        "weakref.*.pop",
    ),
    Role.CALLBACK_TAKER: (
        "twisted.internet.interfaces.IReactorTime.callLater",
        "twisted.internet.interfaces.IReactorCore.callWhenRunning",
        "twisted.internet.interfaces.IReactorFromThreads.callFromThread",
        "twisted.internet.interfaces.IReactorInThreads.callInThread",
        *_clock("call_later", "call_when_running"),
        *(f"asyncio.events.AbstractEventLoop.{name}" for name in _LOOP_CALLBACKS),
        "asyncio.futures.Future.add_done_callback",
        "concurrent.futures._base.Future.add_done_callback",
        "asyncio.events.AbstractEventLoop.set_exception_handler",
        f"{PLAIN_SCHEDULER}.add_job",
        "atexit.register",
        "contextlib.ExitStack.callback",
        "contextlib.AsyncExitStack.callback",
        "contextlib._BaseExitStack.callback",
        "sched.scheduler.enter",
        "sched.scheduler.enterabs",
        "signal.signal",
        "multiprocessing.*Process",
        "threading.Thread",
        "threading.Timer",
        *(f"tkinter.{home}{name}" for home in ("", "ttk.") for name in _TK_WIDGETS),
        *(f"tkinter.{home}.{name}" for home in ("Misc", "Tk") for name in _TK_CALLERS),
        "weakref.finalize",
        "weakref.ref",
        *PLAIN_HOOKS,
    ),
    Role.WORK_SOURCE: WORK_SOURCES,
    Role.CONNECTION: CONNECTIONS,
    Role.CONNECTION_SERVER: CONNECTION_SERVERS,
    Role.COPYING_CALLER: (
        *(f"asyncio.events.AbstractEventLoop.{name}" for name in _LOOP_CALLBACKS),
        "asyncio.futures.Future.add_done_callback",
    ),
    Role.RESULT_TAKER: (
        *(f"{_DEFER}.Deferred.{name}" for name in _CALLBACK_ADDERS),
        "twisted.internet.task.deferLater",
        "twisted.internet.interfaces.IReactorCore.addSystemEventTrigger",
        *_clock("add_system_event_trigger"),
    ),
    Role.THREAD_STARTER: (
        "twisted.internet.threads.deferToThread",
        "twisted.internet.threads.deferToThreadPool",
        *helpers(CONTEXT_MODULE, "defer_to_thread", "defer_to_threadpool"),
        "synapse.module_api.ModuleApi.defer_to_thread",
        "asyncio.threads.to_thread",
        "asyncio.to_thread",
        "anyio.to_thread.run_sync",
        "trio.to_thread.run_sync",
        *(f"{each}.concurrency.run_in_threadpool" for each in ("fastapi", "starlette")),
        "asyncio.events.AbstractEventLoop.run_in_executor",
        "concurrent.futures._base.Executor.submit",
        "concurrent.futures._base.Executor.map",
        "twisted.enterprise.adbapi.ConnectionPool.runInteraction",
        "twisted.enterprise.adbapi.ConnectionPool.runWithConnection",
    ),
    Role.BARE_THREAD_STARTER: (
        "asyncio.events.AbstractEventLoop.run_in_executor",
        *(
            f"concurrent.futures.{home}.{name}"
            for home in ("_base.Executor", "thread.ThreadPoolExecutor")
            for name in ("submit", "map")
        ),
        "threading.Thread",
        "threading.Timer",
        "twisted.internet.threads.deferToThread",
        "twisted.internet.threads.deferToThreadPool",
        "twisted.internet.interfaces.IReactorInThreads.callInThread",
    ),
    Role.THREAD_CALLER: THREAD_CALLERS,
    Role.THREAD_CALLED: THREAD_METHODS,
    Role.LOOP_BOUND: (
        *(f"twisted.internet.interfaces.{name}" for name in _REACTOR_CALLS),
        *(f"asyncio.events.AbstractEventLoop.{name}" for name in _LOOP_CALLS),
        f"{_DEFER}.Deferred.callback",
        f"{_DEFER}.Deferred.errback",
        f"{_DEFER}.DeferredQueue.put",
        "twisted.internet.task.LoopingCall.start",
        "twisted.internet.task.LoopingCall.stop",
        "twisted.web.client.Agent.request",
        *(f"twisted.web.{home}.{name}" for home in _REQUESTS for name in ("write", "finish")),
        "asyncio.futures.Future.set_result",
        "asyncio.futures.Future.set_exception",
        "asyncio.locks.Event.set",
        "asyncio.queues.Queue.put_nowait",
        "asyncio.tasks.Task.cancel",
        "asyncio.create_task",
        "asyncio.tasks.create_task",
    ),
    Role.TRANSPARENT_DECORATOR: ("click.*argument", "click.*option", "click.*pass_*"),
    Role.PLAIN_CALLER: PLAIN_CALLERS,
    Role.PLAINLY_CALLED: PLAIN_METHODS,
    Role.RELEASER: tuple(f"*.{name}" for name in _RELEASING),
    Role.LOOP_RUNNER: (
        "asyncio.run",
        "asyncio.runners.run",
        "asyncio.runners.Runner.run",
        "asyncio.events.AbstractEventLoop.run_until_complete",
        "asyncio.events.AbstractEventLoop.run_forever",
        "tornado.ioloop.IOLoop.run_sync",
        "tornado.ioloop.IOLoop.start",
        "anyio.run",
        "trio.run",
        "aiohttp.web.run_app",
        *(f"uvicorn.{name}run" for name in ("", "main.", "Server.", "server.Server.")),
    ),
    Role.TIMEOUT_SCOPE: (
        *(
            f"{home}.{name}"
            for home in ("asyncio", "asyncio.timeouts", "async_timeout")
            for name in ("timeout", "timeout_at")
        ),
        "anyio.fail_after",
    ),
    Role.CANCEL_SCOPE: tuple(
        f"{home}.{name}"
        for home in ("anyio", "trio")
        for name in ("move_on_after", "move_on_at", "fail_after", "fail_at", "CancelScope")
    ),
    Role.TASK_SCOPE: (
        "asyncio.TaskGroup",
        "asyncio.taskgroups.TaskGroup",
        "asyncio.timeout",
        "asyncio.timeouts.timeout",
        "anyio.create_task_group",
        "trio.open_nursery",
    ),
    Role.RESULT_CACHE: (
        "functools.lru_cache",
        "functools.cache",
        "functools.cached_property",
        "cachetools.cached",
        "cachetools.cachedmethod",
        "cachetools.func.*",
    ),
    Role.DRIVER: (
        "twisted.internet.task.LoopingCall",
        "twisted.internet.task.react",
        "twisted.internet.threads.blockingCallFromThread",
        f"{_DEFER}._ConcurrencyPrimitive.run",
        *_clock("looping_call", "looping_call_now"),
        # Tornado's loop waits for what its callbacks give.
        *(f"tornado.ioloop.IOLoop.{name}" for name in _TORNADO_CALLS),
        "tornado.ioloop.PeriodicCallback",
    ),
    Role.FUNCTION_RUNNER: (
        "fastapi.BackgroundTasks.add_task",
        "fastapi.background.BackgroundTasks.add_task",
        "starlette.background.BackgroundTasks.add_task",
        "anyio.run",
        "anyio.from_thread.run",
        "anyio.abc.TaskGroup.start",
        "anyio.abc.TaskGroup.start_soon",
        "trio.run",
        "trio.from_thread.run",
        "trio.Nursery.start",
        "trio.Nursery.start_soon",
    ),
    Role.TIMER: (
        "twisted.internet.task.LoopingCall",
        "twisted.internet.interfaces.IReactorTime.callLater",
        "twisted.internet.interfaces.IReactorCore.callWhenRunning",
        "twisted.internet.interfaces.IReactorCore.addSystemEventTrigger",
        *_clock("looping_call", "looping_call_now", "call_later"),
        *_clock("call_when_running", "add_system_event_trigger"),
    ),
    Role.FAILURE_TRAP: (
        "twisted.python.failure.Failure.trap",
        "twisted.python.failure.Failure.raiseException",
    ),
    Role.FAILURE_CHECK: ("twisted.python.failure.Failure.check",),
    Role.CONNECTION_END: tuple(f"*.{name}" for name in _CONNECTION_ENDS),
    Role.PROTOCOL_EVENT: tuple(f"*.{name}" for name in _PROTOCOL_EVENTS),
    Role.SERVICE_END: tuple(f"*.{name}" for name in _SERVICE_ENDS),
    Role.MESSAGE_SENDER: tuple(f"*.{name}" for name in _SENDING),
    Role.NOT_DONE_YET: ("twisted.web.server.NOT_DONE_YET",),
    Role.REQUEST: (
        "twisted.web.iweb.IRequest",
        "twisted.web.http.Request",
        "twisted.web.server.Request",
        "klein.interfaces.IKleinRequest",
    ),
    Role.ROUTE: ("klein.Klein.route", "klein.route", "klein.app.*"),
    Role.TIMED_REQUEST: ("treq.*",),
    Role.SUPPRESSOR: ("contextlib.suppress",),
    Role.PROCESS_EXIT: (
        *("sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit"),
        *("argparse.ArgumentParser.exit", "argparse.ArgumentParser.error"),
        *("optparse.OptionParser.exit", "optparse.OptionParser.error"),
        *(f"{home}.Context.{name}" for home in _CLICK for name in ("exit", "abort", "fail")),
        *(f"{application}.exit" for application in _APPLICATIONS),
    ),
}
