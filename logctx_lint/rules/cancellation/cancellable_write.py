"""An endpoint that writes is marked as cancellable.

## Why

Whoever handles a request cancels a marked endpoint as soon as its client goes away. Between two
writes that leaves the first one behind: the event is stored, its notification never sent. An
`on_GET` only reads, so that nothing is left behind; for anything else every way through every
function below it would have to be thought of.

A method is judged by its name: `on_POST`, `render_PUT` and `delete` write, `on_GET` and
`render_HEAD` read. What else is marked in a class of such endpoints is taken for one, too. The mark
on a function elsewhere only says that endpoints may call it.

## Bad

```python
from logctx_lint.runtime import cancellable


class ProfileServlet:
    @cancellable
    async def on_PUT(self, request: object) -> "tuple[int, dict[str, str]]":
        return 200, {}
```

## Good

```python
from logctx_lint.runtime import cancellable


class ProfileServlet:
    @cancellable
    async def on_GET(self, request: object) -> "tuple[int, dict[str, str]]":
        return 200, {}

    async def on_PUT(self, request: object) -> "tuple[int, dict[str, str]]":
        return 200, {}
```

## Fix

None: whether the mark or the name is wrong only a person knows.

## Settings

`read-methods` names the methods that only read, whatever they are called: a search that takes its
query in the body of a POST, say.

## Use instead

`logctx_lint.runtime.delay_cancellation` around writes that belong together, in an endpoint that
must be cancellable.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from logctx_lint.analysis.cancellation import cancellable_marks
from logctx_lint.analysis.context import TreeContext
from logctx_lint.project.modules import Class, Function
from logctx_lint.rules.rule import Rule

_ENDPOINT = re.compile(r"(?:^|_)(GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE)(?:_|$)")
"""`on_POST`, `_async_render_PUT`, `on_GET_no_state_key`."""
_READING = ("GET", "HEAD", "OPTIONS")
_WRITING = ("post", "put", "patch", "delete")
"""The names of such methods where frameworks write them small."""


def check(context: TreeContext) -> None:
    for decorator, function in cancellable_marks.functions(context):
        name = function.name
        if not function.owner or not _may_write(name, function.owner):
            continue
        if not _is_said_to_read(context, function):
            context.report(
                RULE.code,
                decorator,
                f"`{name}` may write, but is marked as cancellable: a client that goes away stops "
                "it halfway. Remove the mark or, if it only reads, name it in the setting "
                "`read-methods`",
                span=cancellable_marks.place(context, decorator),
            )


def _is_said_to_read(context: TreeContext, function: Function) -> bool:
    return any(
        fnmatchcase(each, pattern)
        for pattern in context.file.settings.read_methods
        for each in (function.name, function.qualified_name)
    )


def _may_write(name: str, owner: Class) -> bool:
    """Whether a method of a class is, by its name, an endpoint that does more than read."""
    if method := _ENDPOINT.search(name):
        return method[1] not in _READING
    return name in _WRITING or any(_ENDPOINT.search(each) for each in owner.facts.functions)


RULE = Rule(
    code="LCX305",
    fixes="none",
    check=check,
    screen=cancellable_marks.screen,
)
