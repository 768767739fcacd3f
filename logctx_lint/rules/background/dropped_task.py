"""A task is started that nobody keeps.

## Why

The event loop has only a weak reference to a task. When nothing else refers to it, the garbage
collector may take it away in the middle of its work, which then silently stops; and what it raises
is only seen when it is collected.

## Bad

```python
import asyncio


async def send(name: str) -> None: ...


async def on_join(name: str) -> None:
    asyncio.create_task(send(name))
```

## Good

```python
import asyncio


async def send(name: str) -> None: ...


class Room:
    def __init__(self) -> None:
        self.tasks: "set[asyncio.Task[None]]" = set()

    async def on_join(self, name: str) -> None:
        task = asyncio.create_task(send(name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
```

## Fix

Where asyncio code has a background starter already, the task is started with that; unsafe, because
the starter may treat failures in its own way. Else, where the class or module has a set of tasks
already, the task is kept there until it is done; unsafe, because what else is done with that set
then concerns this task, too. Else none.

## Settings

`vocabulary` adds the project's own `task-starter` names, and `nursery-starter` names for what keeps
its tasks itself.

## Use instead

`logctx_lint.runtime.tasks.run_in_background`, which keeps the task until it is done, or a
`TaskGroup`.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import handed_over, target
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.discarded_awaitables import discarded
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix, Profile
from logctx_lint.fixes.edits import Helper, background_starter, started_by_hand_fix
from logctx_lint.fixes.task_sets import keep_fix, task_set
from logctx_lint.inference.types import Certainty, Kind
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.cst_walk import all_code
from logctx_lint.syntax.lazy_libcst import cst

_STARTERS = frozenset({Role.TASK_STARTER})
_KEEP_NOTHING = frozenset({"add_done_callback", "get_name", "set_name"})
"""Methods of a task after which nobody has got hold of it."""
_LOGGERS = ("logging.", "structlog.", "loguru.")
_TASKS = frozenset({Kind.TASK, Kind.FUTURE})


class DroppedTask(RuleVisitor):
    def visit_Expr(self, node: cst.Expr) -> None:
        self._check(node.value, "nobody keeps it", node)

    def visit_Assign(self, node: cst.Assign) -> None:
        if len(node.targets) == 1:
            self._check_bound(node, node.targets[0].target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value:
            self._check_bound(node, node.target, node.value)

    def visit_Call(self, node: cst.Call) -> None:
        """`loop.call_soon(lambda: create_task(f()))`, `loop.call_soon(create_task, f())`."""
        if Role.CALLBACK_TAKER not in self.context.roles(node):
            return
        for _, function in handed_over(self.context, node):
            if isinstance(function, cst.Lambda):
                self._check(function.body, "nobody keeps it")
            elif Role.TASK_STARTER in self.context.roles(target(self.context, function)):
                by = self.context.callee(node).label
                self._report(function, f"{by} starts a task, and nobody keeps it", ())

    def _check_bound(
        self, node: cst.CSTNode, target: cst.BaseExpression, value: cst.BaseExpression
    ) -> None:
        if isinstance(target, cst.Name) and self._starts(value):
            if target.value == "_":
                self._check(value, "nobody keeps it")
            elif self._is_never_used(node, target.value):
                self._check(value, f"only the local name `{target.value}` keeps it")

    def _is_never_used(self, node: cst.CSTNode, name: str) -> bool:
        """Whether a local name is bound and no more, nested functions included."""
        function = self.context.function_of(node)
        if not isinstance(function, cst.FunctionDef):
            return False
        for inner in all_code(function):
            if isinstance(inner, cst.NameItem) and inner.name.value == name:
                return False  # Declared global or nonlocal.
            if isinstance(inner, cst.Name) and inner.value == name:
                place = self.context.parent(inner)
                is_bound = isinstance(place, cst.AssignTarget | cst.AnnAssign)
                if not is_bound and not self._is_mere_look(inner):
                    return False
        return True

    def _is_mere_look(self, name: cst.Name) -> bool:
        """Whether a task is only named, shown, or given a callback, as a statement."""
        attribute = self.context.parent(name)
        if isinstance(attribute, cst.Attribute) and attribute.value is name:
            call = self.context.parent(attribute)
            is_called = isinstance(call, cst.Call) and call.func is attribute
            is_statement = is_called and isinstance(self.context.parent(call), cst.Expr)  # type: ignore[arg-type]
            return is_statement and attribute.attr.value in _KEEP_NOTHING
        if isinstance(attribute, cst.Arg):
            call = self.context.parent(attribute)
            return isinstance(call, cst.Call) and any(
                each.startswith(_LOGGERS) or each == "builtins.print"
                for each in self.context.names(call)
            )
        return False

    def _check(
        self, value: cst.BaseExpression, fate: str, statement: cst.Expr | None = None
    ) -> None:
        for call in self._starts(value):
            by = self.context.callee(call).label
            work = call.args[0].value if call.args else None
            what = f" for {self.context.callee(work).label}" if isinstance(work, cst.Call) else ""
            starter = self._starter()
            fixes = started_by_hand_fix(self.context, call, starter)
            cure = f", or start it with `{starter.text}`" if starter else ""
            if not starter and (kept_in := task_set(self.context, call)):
                cure = f", in `{kept_in}`"
                if statement:
                    fixes = keep_fix(self.context, statement, call, kept_in)
            if self._is_for_another_thread(call):
                # What it gives blocks a thread, and is no task.
                message = f"{by} starts a task{what} in the event loop, and {fate}: its failure "
                self.context.report(
                    RULE.code,
                    call,
                    f"{message}goes unseen; look at what it gives",
                    profile=Profile.STRICT,
                )
                continue
            self._report(call, f"{by} starts a task{what}, and {fate}", fixes, cure)

    def _is_for_another_thread(self, call: cst.Call) -> bool:
        return self.context.awaitability(call).certainty is Certainty.NO

    def _starts(self, value: cst.BaseExpression) -> list[cst.Call]:
        """The task starts in an expression whose value is lost, or bound to a name as a whole."""
        found = self.context.expression(value)
        trees = _starts(self.context.trees, found[0]) if found else []
        calls = self.context.nodes_of(trees).values()
        return [call for call in calls if isinstance(call, cst.Call)]

    def _starter(self) -> Helper | None:
        """The project's own background starter; Twisted's ways are not those of a task."""
        if self.context.file.traits.uses_twisted:
            return None
        starter = background_starter(self.context, Kind.TASK)
        return starter if starter and not starter.is_new else None

    def _report(self, node: cst.CSTNode, what: str, fixes: tuple[Fix, ...], cure: str = "") -> None:
        message = f"{what}: it can be collected while it runs; keep it until it is done{cure}"
        self.context.report(RULE.code, node, message, fixes)


def _starts(context: TreeContext, value: ast.expr) -> list[ast.Call]:
    found = []
    for call in discarded(value):
        while isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
            # `create_task(f()).add_done_callback(g)`: the task knows of `g`, not `g` of the task.
            if Role.TASK_STARTER in context.roles(call) or call.func.attr not in _KEEP_NOTHING:
                break
            call = call.func.value
        if _starts_task(context, call) and not _is_kept_already(context, call):
            found.append(call)
    return found


def _starts_task(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call starts a task; a method of the project's own loop may well keep it."""
    if Role.TASK_STARTER not in context.roles(call):
        return False
    own = [each for each in context.functions(call.func) if not each.module.is_stub]
    vocabulary = context.file.vocabulary
    return all(Role.TASK_STARTER in vocabulary.roles([each.qualified_name]) for each in own)


def _is_kept_already(context: TreeContext, call: ast.Call) -> bool:
    """`ensure_future(task)`: there is no new task."""
    given = arguments(call)
    return bool(given) and context.awaitability(given[0]).kind in _TASKS


def screen(unit: Unit) -> bool:
    """Whether the unit calls a function that starts tasks, or hands one over."""
    return unit.may_call(_STARTERS) or any(
        unit.file.may_play(each, _STARTERS)
        for call, _ in unit.nodes(ast.Call)
        for each in call.args
        if isinstance(each, ast.Name | ast.Attribute)
    )


RULE = Rule(
    code="LCX204",
    fixes="none, or the project's own starter or set of tasks (unsafe)",
    visitor=DroppedTask,
    screen=screen,
)
