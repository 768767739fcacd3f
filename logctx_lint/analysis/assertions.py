"""Calls inside assertions of tests: those expected to raise, and those that are compared."""

from __future__ import annotations

import ast
import re

from logctx_lint.analysis.context import FunctionOrLambda, TreeContext
from logctx_lint.inference.returned_values import Source
from logctx_lint.inference.types import Type, functions_of

_EQUALITIES = re.compile("(assert|failUnless)(Equals?|Is|In|Identical)$")
"""Methods of a test case that fail at once where they are given a Deferred for a value."""
_RAISING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp"})
"""Context managers of pytest and unittest that want an exception at once."""


def is_expected_to_raise(context: TreeContext, call: ast.Call) -> bool:
    """Whether a test says that a call fails before it gives anything."""
    for outer in context.around(call):
        if isinstance(outer, FunctionOrLambda):
            return False
        for item in outer.items if isinstance(outer, ast.With) else ():
            match item.context_expr:
                case ast.Call(ast.Attribute(_, name) | ast.Name(name)) if name in _RAISING:
                    return True
    return False


def is_compared(context: TreeContext, call: ast.Call, callees: Type) -> bool:
    """`self.assertEqual(f(), 3)`, which gives back what it has been given: that is no Deferred."""
    functions = functions_of(callees)
    return (
        isinstance(call.func, ast.Attribute)
        and bool(_EQUALITIES.match(call.func.attr))
        and bool(functions)
        and all(
            value.source is Source.ARGUMENT
            for each in functions
            for value in context.file.summaries.of(each).returned
        )
    )
