"""Awaitables known to be done when they are awaited: such an `await` cannot be cancelled.

They come out of the first set that `asyncio.wait` gives, or out of a queue that only the done
callbacks of the tasks themselves fill, or the code has asked `task.done()`, waited until it is, or
been told by the last statement of the task.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, loops
from logctx_lint.analysis.surroundings import within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS, QUEUE_PUTS, WAIT
from logctx_lint.inference.use_def import Binding
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, is_name, last_name, own_nodes

_PUTS = APPENDERS | QUEUE_PUTS
_QUEUE_GETS = frozenset({"get", "get_nowait"})
_STARTERS = frozenset({Role.TASK_STARTER})
_TAKES = frozenset({"get", "get_nowait", "pop", "popleft"})


@dataclass(frozen=True, slots=True)
class DoneAwaitables:
    """Finds them in one unit."""

    context: TreeContext

    def are_awaited(self, awaits: Sequence[ast.AST]) -> bool:
        """Whether each of these suspension points awaits something that is done."""
        return all(isinstance(each, ast.Await) and self.is_done(each.value) for each in awaits)

    def is_done(self, node: ast.expr) -> bool:
        """Whether what an expression gives is done for sure."""
        if self._was_asked(node) or self._is_announced(node) or self._was_waited_for(node):
            return True
        if not isinstance(node, ast.Name):
            return self._is_taken(node)
        bindings = self.context.scopes[node].reaching_name(node)
        return bool(bindings) and all(self._gives_done(each) for each in bindings)

    def _gives_done(self, binding: Binding) -> bool:
        value = binding.value
        if value is None or binding.path:
            return False
        if binding.kind == "element":
            return self._is_done_set(value)
        if isinstance(value, ast.Await):
            value = value.value
        return binding.kind == "value" and self._is_taken(value)

    def _is_taken(self, value: ast.expr) -> bool:
        """`done.pop()`, `queue.get()`."""
        match value:
            case ast.Call(ast.Attribute(holder, name)) if name in _TAKES:
                return self._is_done_set(holder) or self._is_filled_by_ends(holder)
            case ast.Call(ast.Name("next"), [ast.Call(ast.Name("iter"), [holder])]):
                return self._is_done_set(holder)
        return False

    def _is_done_set(self, node: ast.expr) -> bool:
        """Whether a name is the first of the two sets that `asyncio.wait` gives."""
        match node:
            case ast.Call(ast.Name("list" | "tuple" | "set" | "sorted"), [inner, *_]):
                return self._is_done_set(inner)
            case ast.Name(name):
                at = (node.lineno, node.col_offset)
                bindings = self.context.scopes[node].reaching(name, at)
                return bool(bindings) and all(
                    each.kind == "value"
                    and each.path == (0,)
                    and isinstance(each.value, ast.Await)
                    and isinstance(each.value.value, ast.Call)
                    and not WAIT.isdisjoint(self.context.names(each.value.value))
                    for each in bindings
                )
        return False

    def _is_filled_by_ends(self, holder: ast.expr) -> bool:
        """Whether only done callbacks put something into a queue, each the task that has ended."""
        if not isinstance(holder, ast.Attribute | ast.Name):
            return False
        queue = _Queue(self.context.file.tree, ast.unparse(holder))
        return queue.is_filled and queue.gets_only_ends

    def _was_asked(self, node: ast.expr) -> bool:
        """`if task.done():` around, with nothing that binds it again inside."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        text = ast.unparse(node)
        for outer, inner in within(self.context, node):
            if isinstance(outer, ast.Lambda):
                break
            if isinstance(outer, ast.If):
                is_chosen = inner in outer.body
                if is_chosen and any(self._asks(part, text) for part in _parts(outer.test)):
                    return not _is_bound(text, outer.body)
                is_other = inner in outer.orelse
                if is_other and self._is_only_other(outer.test, text):
                    return not _is_bound(text, outer.orelse)
        return False

    def _was_waited_for(self, node: ast.expr) -> bool:
        """Whether the code further up in the blocks around goes on when a task is done alone."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        text = ast.unparse(node)
        for outer in self.context.around(node):
            if isinstance(outer, FunctionNode | ast.Lambda):
                break
            if isinstance(outer, ast.stmt):
                if _is_bound(text, [outer]):
                    return False
                for before in reversed(self.context.before(outer)):
                    if self._waits_until_done(before, node):
                        return True
                    if _is_bound(text, [before]):
                        return False
        return False

    def _waits_until_done(self, statement: ast.stmt, task: ast.expr) -> bool:
        """`while not task.done(): ...`, `await asyncio.gather(task, return_exceptions=True)`, or a
        future that is completed here: `future.set_result(None)`."""
        text = ast.unparse(task)
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(future, "set_result" | "set_exception"))):
                return ast.unparse(future) == text
            case ast.If(ast.UnaryOp(ast.Not(), asked), [ast.Expr() as completed], []):
                return self._asks(asked, text) and self._waits_until_done(completed, task)
            case ast.While(ast.UnaryOp(ast.Not(), test), body):
                leaves = any(own_nodes(body, ast.Break))
                return not leaves and self._asks(test, text) and not _is_bound(text, body)
            case ast.Expr(ast.Await(ast.Call() as call)) | ast.Assign(
                _, ast.Await(ast.Call() as call)
            ):
                return self._waits_for_all(call) and any(
                    self._is_among(each, text) for each in call.args
                )
            case ast.Try(body, handlers, _, final):
                blocks = [*final] if handlers else [*body, *final]
                rest: list[ast.stmt] = []
                for each in reversed(blocks):
                    if self._waits_until_done(each, task):
                        return not _is_bound(text, rest)
                    rest.append(each)
        return False

    def _waits_for_all(self, call: ast.Call) -> bool:
        """Whether a call waits, however long, until all that it is given is done."""
        options = {each.arg: ast.unparse(each.value) for each in call.keywords}
        if Role.FORWARDING_GATHERER in self.context.roles(call):
            return options == {"return_exceptions": "True"}
        return not WAIT.isdisjoint(self.context.names(call)) and not options

    def _is_among(self, given: ast.expr, text: str) -> bool:
        """Whether a task is an argument, or an element of a list that is one."""
        match given:
            case ast.Starred(inner):
                return self._is_among(inner, text)
            case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
                return any(self._is_among(each, text) for each in elements)
            case ast.IfExp(_, body, orelse):
                return self._is_among(body, text) and self._is_among(orelse, text)
            case ast.Name(name) if name != text:
                at = (given.lineno, given.col_offset)
                bindings = self.context.scopes[given].reaching(name, at)
                return bool(bindings) and all(
                    each.value is not None
                    and not each.path
                    and each.kind in ("value", "annotation")
                    and isinstance(each.value, ast.List | ast.Tuple | ast.Set | ast.IfExp)
                    and self._is_among(each.value, text)
                    for each in bindings
                )
        return ast.unparse(given) == text

    def _is_announced(self, node: ast.expr) -> bool:
        """`if item is END: await self._task`, where the task puts `END` as the last thing."""
        for outer, inner in within(self.context, node):
            match outer:
                case ast.Lambda():
                    break
                case ast.If(ast.Compare(ast.Name() as item, [ast.Is() | ast.Eq()], [mark]), body):
                    if inner in body and self._comes_from_queue(item):
                        return self._is_put_last(last_name(mark))
        return False

    def _comes_from_queue(self, item: ast.Name) -> bool:
        bindings = self.context.scopes[item].reaching_name(item)
        values = [each.value for each in bindings]
        given = [each.value if isinstance(each, ast.Await) else each for each in values]
        return bool(given) and all(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in _QUEUE_GETS
            for each in given
        )

    def _is_put_last(self, mark: str) -> bool:
        """Whether only coroutines that run as tasks put something into a queue, as they end."""
        references, near = self.context.resolver.references, self.context.file.module
        puts = [
            (call, scope)
            for name in QUEUE_PUTS
            for call, scope in references.calls(name, near)
            if mark and call.args and last_name(call.args[0]) == mark
        ]
        return bool(puts) and all(
            isinstance(scope.node, ast.AsyncFunctionDef)
            and _ends_with(scope.node.body[-1], call)
            and scope.parent is not None
            and isinstance(scope.parent.node, FunctionNode)
            and any(self._starts(scope.node.name, each) for each in all_nodes(scope.parent.node))
            for call, scope in puts
        )

    def _starts(self, name: str, node: ast.AST) -> bool:
        """`create_task(NAME())`."""
        match node:
            case ast.Call(starter, [ast.Call(func), *_]):
                is_it = last_name(func) == name
                return is_it and self.context.file.may_play(starter, _STARTERS)
        return False

    def _asks(self, test: ast.expr, text: str) -> bool:
        """`task.done()`, `task in done`."""
        match test:
            case ast.Call(ast.Attribute(receiver, "done" | "cancelled"), []):
                return ast.unparse(receiver) == text
            case ast.Compare(task, [ast.In()], [done]):
                return ast.unparse(task) == text and self._is_done_set(done)
        return False

    def _is_only_other(self, test: ast.expr, text: str) -> bool:
        """Whether a test fails where of two tasks that are waited for only this one is done.

        Where the wait has a time limit, neither may be.
        """
        match test:
            case ast.Compare(task, [ast.In()], [ast.Name() as done]) if self._is_done_set(done):
                both = sorted((ast.unparse(task), text))
                at = (done.lineno, done.col_offset)
                bindings = self.context.scopes[done].reaching(done.id, at)
                return all(_waits_for(each.value) == both for each in bindings)
        return False


def _ends_with(statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a call is the last thing that a statement does, however it goes."""
    match statement:
        case ast.Expr(ast.Await(value) | value):
            return value is call
        case ast.Try(finalbody=[*_, last]):
            return _ends_with(last, call)
    return False


class _Queue:
    """What the code of a file puts into a queue."""

    def __init__(self, tree: ast.Module, text: str) -> None:
        self._tree = tree
        self._parents = {
            inner: outer for outer in all_nodes(tree) for inner in ast.iter_child_nodes(outer)
        }
        puts = [
            node
            for node in all_nodes(tree, ast.Attribute)
            if node.attr in _PUTS and ast.unparse(node.value) == text
        ]
        self.is_filled = bool(puts)
        self.gets_only_ends = all(map(self._puts_what_has_ended, puts))

    def _puts_what_has_ended(self, put: ast.Attribute) -> bool:
        call = self._parents.get(put)
        if not isinstance(call, ast.Call):
            return False
        return _is_registering(call) or (call.func is put and self._is_in_done_callback(call))

    def _is_in_done_callback(self, put: ast.Call) -> bool:
        """Whether a call stands in a done callback and puts what that is called with."""
        function = self._parents.get(put)
        while function is not None and not isinstance(function, FunctionNode | ast.Lambda):
            function = self._parents.get(function)
        if function is None or len(put.args) != 1:
            return False
        names = [each.arg for each in function.args.args]
        given = names[1:] if names[:1] == ["self"] else names
        if not isinstance(put.args[0], ast.Name) or given != [put.args[0].id]:
            return False
        uses = [function] if isinstance(function, ast.Lambda) else self._uses(function.name)
        parents = [self._parents.get(each) for each in uses]
        return bool(parents) and all(
            isinstance(each, ast.Call) and _is_registering(each) for each in parents
        )

    def _uses(self, name: str) -> list[ast.expr]:
        return [
            node
            for node in all_nodes(self._tree)
            if (isinstance(node, ast.Attribute) and node.attr == name) or is_name(node, name)
        ]


def _is_registering(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "add_done_callback"


def _parts(test: ast.expr) -> list[ast.expr]:
    """What holds for sure where a test does."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def _waits_for(node: ast.expr | None) -> list[str]:
    """What `await asyncio.wait(...)` waits for until one of it is done, in alphabetical order."""
    match node:
        case ast.Await(
            ast.Call(_, [ast.List(tasks) | ast.Set(tasks) | ast.Tuple(tasks)], keywords)
        ) if all(each.arg == "return_when" for each in keywords):
            return sorted(map(ast.unparse, tasks))
    return []


def _is_bound(text: str, body: list[ast.stmt]) -> bool:
    return any(ast.unparse(target) == text for each in own_nodes(body) for target in _bound(each))


def _bound(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(targets):
            yield from targets
        case ast.AnnAssign(target) | ast.AugAssign(target) | ast.NamedExpr(target):
            yield target
    for loop in loops(node):
        yield loop.target
