"""What an inherited method returns for an object of which the class is known.

class Checked:                        class Handler(Checked, Base):
    def prepare(self):                    ...
        return super().prepare()      # Of a `Handler`, that of `Base`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.types import FunctionType, Instance, Type

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


def inherited_result(resolver: Resolver, value: ast.expr, callee: FunctionType) -> Type | None:
    """What `super().f()` or `self.f()` gives in a method, by the class of its receiver."""
    receiver, owner = callee.receiver, callee.function.owner
    if not isinstance(receiver, Instance) or owner is None or receiver.cls == owner:
        return None
    match value:
        case ast.Call(ast.Attribute(ast.Name("self"), name)):
            skip = 0
        case ast.Call(ast.Attribute(ast.Call(ast.Name("super"), []), name)):
            classes = [each for each, _ in resolver.classes.ancestors(receiver.cls)]
            skip = classes.index(owner) + 1 if owner in classes else 0
            if not skip:
                return None
        case _:
            return None
    found = resolver.classes.member(receiver, name, skip=skip)
    return resolver.call_type(found) if found is not None else None
