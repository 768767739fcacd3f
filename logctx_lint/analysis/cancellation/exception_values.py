"""Which values hold the exception of a cancellation, and which code binds or raises them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from logctx_lint.analysis.cancellation.cancellation_state import Code, Exc, State, key_of, mentions
from logctx_lint.analysis.cancellation.kept_exceptions import may_hold_cancellation
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.exception_handlers import is_cancelled
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import QUEUE_PUTS
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.syntax.ast_walk import body_nodes, declared_outer, holding, is_none, own_nodes

HANDING_ON = frozenset({"set_exception", "errback", "throw", "send_nowait"}) | QUEUE_PUTS
_GROUP = "BaseExceptionGroup"
_CURRENT_EXCEPTION = frozenset({"sys.exc_info", "sys.exception", "twisted.python.failure.Failure"})


@dataclass(frozen=True, slots=True)
class ExceptionValues:
    """Reads the expressions of one function for the exceptions in them."""

    code: Code

    # What a value is

    def is_it(self, value: ast.expr, state: State) -> bool:
        """Whether a value is the cancellation itself: `error`, `first or error`, `Failure()`."""
        match value:
            case ast.BoolOp(_, values):
                return any(self.is_it(each, state) for each in values)
            case ast.IfExp(_, body, orelse):
                return self.is_it(body, state) or self.is_it(orelse, state)
            case ast.Call(ast.Attribute(error, "with_traceback")):
                return self.is_it(error, state)
            case ast.Call() if state.current is Exc.CANCELLATION:
                return not _CURRENT_EXCEPTION.isdisjoint(self.code.names(value))
        return self.is_held(value, state)

    def holds(self, value: ast.AST, state: State) -> bool:
        """Whether a value has the cancellation in it, as an element or an argument."""
        held = state.holders | state.containers
        for inner in own_nodes([value]):
            if key_of(inner) in held and not self._is_text(inner, value):
                return True
            if isinstance(inner, ast.Call) and self.is_it(inner, state):
                return True
        return False

    def tells(self, value: ast.AST) -> bool:
        """Whether a returned value contains a cancelled error that was made for the caller."""
        match value:
            case ast.Tuple(elements):
                return any(self.tells(each) for each in elements)
            case ast.Call():
                return self.is_cancelled(value)
        return False

    def is_cancelled(self, raised: ast.expr) -> bool:
        """Whether what is raised is a cancelled error of its own."""
        code = self.code
        return is_cancelled(code.file.resolver, code.file.vocabulary, raised, code.scope)

    def _is_text(self, held: ast.AST, value: ast.AST) -> bool:
        """Whether only what the exception says is used: `str(error)`, an f-string."""
        return any(
            isinstance(each, ast.JoinedStr)
            or (
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Name)
                and each.func.id in ("str", "repr", "type", "isinstance", "format")
            )
            or (isinstance(each, ast.Attribute) and each.value is held)
            for each in own_nodes([value])
            if any(inner is held for inner in own_nodes([each]))
        )

    def is_held(self, node: ast.AST, state: State) -> bool:
        return key_of(node) in state.holders

    def is_current_task(self, node: ast.expr) -> bool:
        match node:
            case ast.Call():
                return Role.CURRENT_TASK in self.code.roles(node)
            case ast.NamedExpr(_, value):
                return self.is_current_task(value)
            case ast.Name():
                found = self.code.scope.reaching_name(node)
                return bool(found) and all(
                    binding.kind == "value"
                    and isinstance(binding.value, ast.Call)
                    and self.is_current_task(binding.value)
                    for binding in found
                )
        return False

    def is_active_exception(self, node: ast.expr) -> bool:
        """Whether a name holds what was being handled before: of `sys.exc_info()[1]`."""
        if not isinstance(node, ast.Name) or node.id not in self.code.scope.bindings:
            return False
        found = self.code.scope.reaching_name(node)
        values = [binding.value for binding in found if binding.kind == "value"]
        calls = [each and holding(each) for each in values]
        return bool(calls) and all(
            isinstance(each, ast.Call)
            and not {"sys.exc_info", "sys.exception"}.isdisjoint(self.code.names(each))
            for each in calls
        )

    # What statements do with it

    def assigned(self, node: ast.stmt, state: State) -> State:
        targets: list[ast.expr] = []
        match node:
            case ast.Assign(targets, value):
                pass
            case ast.AnnAssign(value=ast.expr() as value):
                targets = [node.target]
            case ast.AugAssign():
                targets, value = [node.target], node.value
            case _:
                return state
        for target in targets:
            state = self._bind(target, value, state, keeps=isinstance(node, ast.AugAssign))
        return state

    def _bind(
        self, target: ast.expr, value: ast.expr, state: State, *, keeps: bool = False
    ) -> State:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, part in zip(target.elts, value.elts, strict=False):
                state = self._bind(each, part, state)
            return state
        key = key_of(target)
        held = self.holds(value, state)
        is_own = isinstance(target, ast.Name) and target.id not in self._outer_names
        if held and not is_own and not self._is_raised_behind(target):
            # Others find it there.
            state = replace(state, is_handed_on=True)
        if isinstance(target, ast.Tuple):
            for each in target.elts:
                state = state.bound(key_of(each), Exc.CANCELLATION if held else None)
            return state
        if not key:
            return state
        if self.is_it(value, state):
            return state.bound(key, Exc.CANCELLATION)
        if held:
            bound = state.bound(key, None)
            return replace(bound, containers=bound.containers | {key})
        return state if keeps else self._bind_other(target, key, value, state)

    def _bind_other(self, target: ast.expr, key: str, value: ast.expr, state: State) -> State:
        """The state behind binding what has nothing to do with the exception."""
        state = state.bound(key, Exc.OTHER if key_of(value) in state.others else None)
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            return state.known(key, value.value)
        if is_none(value) and isinstance(target, ast.Name):
            return state.known(key, None)
        return state

    @property
    def _outer_names(self) -> set[str]:
        """The variables of a function around that this one sets, or of the module."""
        return declared_outer(body_nodes(self.code.node))

    def _is_raised_behind(self, target: ast.expr) -> bool:
        """Whether the function itself raises, further down, what it keeps in an attribute."""
        key = key_of(target)
        return bool(key) and any(
            each.exc is not None and key_of(each.exc) == key and each.lineno > target.lineno
            for each in body_nodes(self.code.node, ast.Raise)
        )

    def turn(self, loop: ast.AST | None, state: State) -> State:
        if not isinstance(loop, ast.For | ast.AsyncFor):
            return state
        if any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in HANDING_ON
            and any(self.holds(argument, state) for argument in arguments(each))
            for each in body_nodes(loop)
        ):
            # To each that waits; where nobody does, nobody has to know.
            state = replace(state, is_handed_on=True)
        held = mentions(loop.iter, state.containers)
        return state.bound(key_of(loop.target), Exc.CANCELLATION if held else None)

    def raised(self, node: ast.Raise, state: State) -> Exc:
        raised = node.exc
        match raised:
            # `raise e.with_traceback(...)`
            case ast.Call(ast.Attribute(error)) if self.is_held(holding(error), state):
                raised = error
        # `raise sys.exc_info()[1]`, kept in a name
        raised = raised and holding(raised)
        if raised is None:
            return state.current or Exc.CONVERTED
        if self._holds_to_raise(raised, state):
            return Exc.CANCELLATION
        key = key_of(raised)
        if key not in state.others and self.is_cancelled(raised):
            return Exc.CANCELLATION
        return Exc.OTHER if self._may_be_other(raised, state) else Exc.CONVERTED

    def _may_be_other(self, raised: ast.expr, state: State) -> bool:
        """Whether what is raised is another exception that was there already, or may be."""
        key = key_of(raised)
        return (
            key in state.others
            or (state.current is Exc.OTHER and state.is_handling)
            or bool(key and state.is_handed_on)  # One that was chosen among several.
            or (isinstance(raised, ast.Call) and self._may_give_it(raised, state))
            or may_hold_cancellation(self.code, raised)
        )

    def _holds_to_raise(self, raised: ast.expr, state: State) -> bool:
        """Whether what is raised is the cancellation, or has it in it for whoever waits."""
        if self.is_held(raised, state) or mentions(raised, state.containers):
            return True
        is_group = isinstance(raised, ast.Call) and self._is_group(raised)
        return is_group and self.holds(raised, state)

    def _is_group(self, call: ast.Call) -> bool:
        return any(name.endswith(_GROUP) for name in self.code.names(call))

    def _may_give_it(self, call: ast.Call, state: State) -> bool:
        """`raise translated(error)`: a function that may give the very exception that it gets."""
        if not any(self.is_held(each, state) for each in arguments(call)):
            return False
        return any(
            isinstance(each, FunctionType)
            for each in members_of(self.code.file.resolver.type_of(call.func, self.code.scope))
        )
