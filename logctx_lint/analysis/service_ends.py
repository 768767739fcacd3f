"""Which functions end a client or a service: `close()`, `stop()`, `__aexit__()`."""

from __future__ import annotations

from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode

_ENDS = frozenset({Role.SERVICE_END})


def ends_service(context: TreeContext, function: FunctionNode) -> bool:
    """Whether a function is called for the end of what it belongs to, as far as its name says."""
    return function.name == "__aexit__" or context.file.vocabulary.has_bare_name(
        function.name, _ENDS
    )
