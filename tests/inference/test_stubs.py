"""The bundled stubs against each other and against the real, installed modules."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import logctx_lint

STUBS = Path(logctx_lint.__file__).parent / "stubs"
FILES = sorted(STUBS.rglob("*.pyi"))

# Some of Twisted deprecates other parts of it as it is imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


def module_name(path: Path) -> str:
    parts = path.relative_to(STUBS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}

# Known to the resolver itself, so that no stub defines them.
# fmt: off
SPECIAL_FORMS = frozenset([
    "Annotated", "Any", "Callable", "ClassVar", "Concatenate", "Final", "ForwardRef", "Generic",
    "Literal", "LiteralString", "NamedTuple", "Never", "NewType", "NoReturn", "NotRequired",
    "Optional", "ParamSpec", "ParamSpecArgs", "ParamSpecKwargs", "Protocol", "Required", "Self",
    "TYPE_CHECKING", "Tuple", "Type", "TypeAlias", "TypeGuard", "TypeVar", "TypeVarTuple",
    "TypedDict", "Union", "Unpack", "cast", "final", "no_type_check", "overload",
    "runtime_checkable",
])
# fmt: on
TYPING = ("typing", "typing_extensions", "collections.abc")
AWAITABLES = {"Awaitable", "Coroutine", "Deferred", "Future", "Task"}

# Python and package versions differ: (module, name) to the first Python that has it.
SINCE = {
    ("asyncio", "Barrier"): (3, 11),
    ("asyncio", "BrokenBarrierError"): (3, 11),
    ("asyncio", "Runner"): (3, 11),
    ("asyncio", "TaskGroup"): (3, 11),
    ("asyncio", "Timeout"): (3, 11),
    ("asyncio", "timeout"): (3, 11),
    ("asyncio", "timeout_at"): (3, 11),
    ("asyncio", "create_eager_task_factory"): (3, 12),
    ("asyncio", "eager_task_factory"): (3, 12),
    ("asyncio", "QueueShutDown"): (3, 13),
    ("asyncio.base_events", "Server.abort_clients"): (3, 13),
    ("asyncio.base_events", "Server.close_clients"): (3, 13),
    ("asyncio.exceptions", "BrokenBarrierError"): (3, 11),
    ("asyncio.locks", "Barrier"): (3, 11),
    ("asyncio.queues", "Queue.shutdown"): (3, 13),
    ("asyncio.queues", "QueueShutDown"): (3, 13),
    ("asyncio.runners", "Runner"): (3, 11),
    ("asyncio.streams", "StreamWriter.start_tls"): (3, 11),
    ("asyncio.taskgroups", ""): (3, 11),
    ("asyncio.tasks", "Task.cancelling"): (3, 11),
    ("asyncio.tasks", "Task.get_context"): (3, 12),
    ("asyncio.tasks", "Task.uncancel"): (3, 11),
    ("asyncio.tasks", "create_eager_task_factory"): (3, 12),
    ("asyncio.tasks", "eager_task_factory"): (3, 12),
    ("asyncio.timeouts", ""): (3, 11),
    ("builtins", "BaseException.add_note"): (3, 11),
    ("builtins", "BaseExceptionGroup"): (3, 11),
    ("builtins", "ExceptionGroup"): (3, 11),
    ("builtins", "PythonFinalizationError"): (3, 13),
    ("enum", "StrEnum"): (3, 11),
    ("itertools", "batched"): (3, 12),
    ("queue", "Queue.shutdown"): (3, 13),
    ("queue", "ShutDown"): (3, 13),
    ("unittest.async_case", "IsolatedAsyncioTestCase.enterAsyncContext"): (3, 11),
    ("unittest.case", "TestCase.enterContext"): (3, 11),
    ("typing", "assert_never"): (3, 11),
    ("typing", "assert_type"): (3, 11),
    ("typing", "reveal_type"): (3, 11),
}

# And to the first that has it no more.
UNTIL = {("asyncio.events", "AbstractEventLoopPolicy"): (3, 14)}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def bound_names(path: Path) -> set[str]:
    """What other stubs can import from this one."""
    names = set()
    for node in parse(path).body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                names.add(name)
            case ast.Import() | ast.ImportFrom():
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return names


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_declares(path: Path) -> None:
    """Nothing but imports, annotations, aliases, and bodies of `...`; no relative imports."""
    for node in ast.walk(parse(path)):
        if isinstance(node, Function):
            assert [ast.unparse(item) for item in node.body] == ["..."], node.name
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            missing = [a.arg for a in arguments if a.annotation is None]
            assert missing in ([], ["self"], ["cls"], ["metacls"]), node.name
            assert node.returns is not None, node.name
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
    names = [node.name for node in parse(path).body if isinstance(node, Definition)]
    assert len(names) == len(set(names)), "defined twice"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_resolve(path: Path) -> None:
    """What one stub imports, another declares."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert alias.name in MODULES
        if isinstance(node, ast.ImportFrom):
            assert node.module in MODULES
            for alias in node.names:
                is_special = node.module in TYPING and alias.name in SPECIAL_FORMS
                in_stub = bound_names(MODULES[node.module])
                is_module = f"{node.module}.{alias.name}" in MODULES
                is_known = is_special or is_module or alias.name in in_stub
                assert is_known, f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_names_are_defined(path: Path) -> None:
    """Every name in an annotation or base means something; type variables carry their name."""
    known = bound_names(path) | bound_names(MODULES["builtins"])
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            assert node.id in known, node.id
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called in ("TypeVar", "ParamSpec"):
                assert isinstance(node.targets[0], ast.Name)
                assert isinstance(node.value.args[0], ast.Constant)
                assert node.value.args[0].value == node.targets[0].id


def variables(path: Path) -> set[str]:
    return {
        node.targets[0].id
        for node in parse(path).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in ("TypeVar", "ParamSpec")
    }


def used(node: ast.AST | None, among: set[str]) -> set[str]:
    inner = ast.walk(node) if node else ()
    names = (item for item in inner if isinstance(item, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Load)} & among


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_type_variables_can_be_solved(path: Path) -> None:
    """A variable in a return type comes from the class, or from a parameter."""
    among = variables(path)
    assert among <= used(parse(path), among), "unused"
    for owner, node in definitions(path):
        if isinstance(node, Function):
            from_class = {
                name for base in (owner.bases if owner else []) for name in used(base, among)
            }
            from_parameters = used(node.args, among)
            # `-> Callable[[F], F]`: the decorator that is returned solves it.
            is_decorator = ast.unparse(node.returns or node).startswith("Callable[[")
            unsolved = used(node.returns, among) - from_class - from_parameters
            assert not unsolved or is_decorator, f"{node.name}: {unsolved}"


def definitions(path: Path) -> Iterator[tuple[ast.ClassDef | None, Definition]]:
    """Top-level definitions and, with their class, its members."""
    for node in parse(path).body:
        if isinstance(node, Definition):
            yield None, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Definition):
                    yield node, inner


# Against reality: the stubs of what is installed here.


def exists_here(module: str, name: str) -> bool:
    """Whether this Python should have the name, or anything of the module."""
    parts = name.split(".")
    keys = ["", *(".".join(parts[:end]) for end in range(1, len(parts) + 1))]
    return all(
        SINCE.get((module, key), (3, 0)) <= sys.version_info < UNTIL.get((module, key), (4, 0))
        for key in keys
    )


INSTALLED = [
    name
    for name in MODULES
    if find_spec(name.partition(".")[0]) is not None and exists_here(name, "")
]

# Made by the stubs: what reality composes at run time.
INVENTED = {("twisted.internet", "_Reactor")}
# Newer than the oldest Twisted that is supported.
NEW = {("twisted.internet.defer", "FailureGroup"), ("twisted.internet.defer", "race")}
# Installed by reality when it is first imported.
LATE = {("twisted.internet", "reactor")}
# Reality has these on each instance only.
ON_INSTANCES = {
    ("asyncio.locks", "Condition.acquire"),
    ("asyncio.locks", "Condition.locked"),
    ("asyncio.locks", "Condition.release"),
    ("threading", "Semaphore.__enter__"),
    ("typing", "IO.__iter__"),
}


def real(module: str, owner: ast.ClassDef | None, name: str) -> Any:
    """The real thing that a stub's definition stands for, None if there is none."""
    holder: Any = importlib.import_module(module)
    if owner is None:
        return getattr(holder, name, None)
    cls = getattr(holder, owner.name)
    if inspect.isroutine(cls):
        # `threading.Lock` is a function in older versions.
        cls = type(cls())
    cls = getattr(cls, "__origin__", cls)
    if type(cls).__name__ == "InterfaceClass":
        return cls.get(name)
    return inspect.getattr_static(cls, name, None)


def real_definitions(module: str) -> Iterator[tuple[str, Definition, Any]]:
    """Full name in the module, definition, and the real thing."""
    for owner, node in definitions(MODULES[module]):
        full = f"{owner.name}.{node.name}" if owner else node.name
        outer = (module, full.partition(".")[0])
        is_missing = outer in NEW and not hasattr(importlib.import_module(module), outer[1])
        if full.rpartition(".")[2] == "__getattr__":
            continue  # Says that there is more than the stub declares.
        if outer not in INVENTED and not is_missing and exists_here(module, full):
            yield full, node, real(module, owner, node.name)


def real_functions(module: str) -> Iterator[tuple[str, Function, Any]]:
    """Those definitions that are functions written in Python."""
    for full, node, found in real_definitions(module):
        found = getattr(found, "__func__", found)
        found = inspect.unwrap(found) if callable(found) else found
        if isinstance(node, Function) and inspect.isfunction(found):
            yield full, node, found


def names_in(node: ast.AST | None) -> set[str]:
    parts = list(ast.walk(node)) if node else []
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names | {part.attr for part in parts if isinstance(part, ast.Attribute)}


@pytest.mark.parametrize("name", INSTALLED)
def test_names_exist(name: str) -> None:
    """What a stub declares, the real module has."""
    for full, _, found in real_definitions(name):
        assert found is not None or (name, full) in ON_INSTANCES, full
    module = importlib.import_module(name)
    for node in parse(MODULES[name]).body:
        match node:
            case ast.ImportFrom():
                names = [alias.name for alias in node.names if alias.asname == alias.name]
            case ast.AnnAssign(target=ast.Name(target)):
                names = [target]
            case _:
                names = []
        for item in names:
            is_here = hasattr(module, item) or f"{name}.{item}" in MODULES
            assert is_here or not exists_here(name, item) or (name, item) in LATE, item


@pytest.mark.parametrize("name", INSTALLED)
def test_exceptions_have_their_bases(name: str) -> None:
    """Rules ask which `except` clause catches what."""
    for full, node, found in real_definitions(name):
        if isinstance(node, ast.ClassDef) and inspect.isclass(found):
            ancestors = {cls.__name__ for cls in found.__mro__}
            if issubclass(found, BaseException) or "BaseException" in names_in(node):
                bases = {name for base in node.bases for name in names_in(base)}
                assert bases - variables(MODULES[name]) - {"Generic"} <= ancestors, full
                is_error = issubclass(found, Exception)
                assert is_error == ("Exception" in stub_ancestors(name, node.name)), full


def stub_ancestors(module: str, name: str) -> set[str]:
    """The bare names of the class and of all its ancestors, as the stubs have them."""
    for node in parse(MODULES[module]).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            bases = [ast.unparse(base).partition("[")[0] for base in node.bases]
            return {name}.union(*(stub_ancestors(module, base) for base in bases))
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                if (alias.asname or alias.name) == name and alias.name not in SPECIAL_FORMS:
                    return stub_ancestors(node.module, alias.name)
    if module != "builtins" and "." not in name and name not in SPECIAL_FORMS:
        return stub_ancestors("builtins", name)
    return {name}


@pytest.mark.parametrize("name", INSTALLED)
def test_coroutine_functions_are_real(name: str) -> None:
    """`async def` in a stub is a coroutine function in reality, and the other way round."""
    for full, node, found in real_functions(name):
        if isinstance(node, ast.AsyncFunctionDef):
            annotation = str(found.__annotations__.get("return"))
            is_awaitable = any(item in annotation for item in AWAITABLES)
            assert inspect.iscoroutinefunction(found) or is_awaitable, full
        elif inspect.iscoroutinefunction(found):
            assert names_in(node.returns) & AWAITABLES, full


@pytest.mark.parametrize("name", [name for name in INSTALLED if name.startswith("twisted")])
def test_deferreds_are_real(name: str) -> None:
    """Where Twisted annotates what it returns, the stub agrees on whether it is a Deferred."""
    for full, node, found in real_functions(name):
        annotation = found.__annotations__.get("return")
        if annotation is not None and node.name not in ("__await__", "__iter__"):
            is_deferred = "Deferred[" in str(annotation)
            assert is_deferred == ("Deferred" in names_in(node.returns)), full


@pytest.mark.parametrize("name", INSTALLED)
def test_parameters_are_real(name: str) -> None:
    """The parameters that a stub names stand in the same order in reality."""
    for full, node, found in real_functions(name):
        parameters = inspect.signature(found).parameters
        names, real_names = own_parameters(node), list(parameters)
        rest = [name for name, each in parameters.items() if each.kind is each.VAR_POSITIONAL]
        if rest:
            # What a signature of many forms takes by `*args`, a stub may name.
            names = names[: real_names.index(rest[0])]
        if real_names and real_names[0].startswith(("self", "cls")):
            del real_names[0]
        if not node.name.startswith("__"):
            assert names == real_names[: len(names)], f"{full}: {real_names}"


def own_parameters(node: Function) -> list[str]:
    """Without self; positional-only ones may have any name."""
    names = [item.arg for item in node.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names
