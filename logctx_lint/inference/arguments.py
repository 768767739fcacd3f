"""The arguments of a call, and the parameters that they are passed for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from logctx_lint.inference.types import Type
from logctx_lint.project.facts import Parameter

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.use_def import Scope


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call; their types are only asked for where they matter."""

    positional: tuple[Callable[[], Type], ...] = ()
    keywords: Mapping[str, Callable[[], Type]] = field(default_factory=dict)
    constants: Mapping[int | str, ast.Constant] = field(default_factory=dict)
    """Those that are written out, by position or keyword."""
    is_complete: bool = False
    """There are no others."""


NO_ARGUMENTS = Arguments()


def arguments_of(resolver: Resolver, node: ast.Call, scope: Scope) -> Arguments:
    """The arguments of a call in a scope."""

    def lazily(value: ast.expr) -> Callable[[], Type]:
        return lambda: resolver.type_of(value, scope)

    positional = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            break
        positional.append(lazily(argument))
    keywords = {item.arg: lazily(item.value) for item in node.keywords if item.arg}
    constants: dict[int | str, ast.Constant] = {
        **{i: each for i, each in enumerate(node.args) if isinstance(each, ast.Constant)},
        **{
            item.arg: item.value
            for item in node.keywords
            if item.arg and isinstance(item.value, ast.Constant)
        },
    }
    is_complete = len(positional) == len(node.args) and len(keywords) == len(node.keywords)
    return Arguments(tuple(positional), keywords, constants, is_complete)


def pair(
    parameters: Sequence[Parameter], arguments: Arguments
) -> list[tuple[Parameter, Callable[[], Type]]]:
    """Each argument with the parameter that it is passed for."""
    pairs = []
    positional = [parameter for parameter in parameters if parameter.kind == ""]
    rest = next((parameter for parameter in parameters if parameter.kind == "*"), None)
    for index, argument in enumerate(arguments.positional):
        if index < len(positional):
            pairs.append((positional[index], argument))
        elif rest:
            pairs.append((rest, argument))
    for parameter in parameters:
        if parameter.name in arguments.keywords and parameter.kind in ("", "k"):
            pairs.append((parameter, arguments.keywords[parameter.name]))
    return pairs
