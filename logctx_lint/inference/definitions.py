"""What a name was bound to: following imports and re-exports from module to module."""

from __future__ import annotations

from dataclasses import dataclass

from logctx_lint.incremental.dependencies import Answer
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    External,
    FunctionType,
    ModuleType,
    Type,
    union_of,
)
from logctx_lint.project.facts import ImportFacts, VariableFacts
from logctx_lint.project.modules import Class, Function, Module, Modules


@dataclass(frozen=True, slots=True)
class Variable:
    """A module variable: all assignments to it."""

    module: Module
    name: str
    facts: tuple[VariableFacts, ...]


Definition = Type | Variable
Found = tuple[Definition, tuple[str, ...]]
"""A definition, and every qualified name on the way to it, the nearest first."""
NOT_FOUND: Found = (UNKNOWN, ())


class Definitions:
    """Looks names up in modules."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._found: dict[tuple[Module, str], Answer[Found | None]] = {}

    def member(self, module: Module, name: str) -> Found | None:
        """What `name` means in `module`; None if nothing there binds it."""
        key = (module, name)
        found = self._found.get(key)
        if found is None:
            trace = self._modules.trace
            outer, trace.used = trace.used, []
            value = self._member(module, name, set())
            found = self._found[key] = trace.answered(value, trace.used)
            trace.used = outer
        if found.matters:
            self._modules.trace.used.append(found)
        return found.value

    def imported(
        self, module: Module, imported: ImportFacts, seen: set[tuple[Module, str]] | None = None
    ) -> Found:
        """What an import statement in `module` binds."""
        target_name = module.absolute(imported.module)
        target = self._modules.find(target_name, module.root)
        if not imported.name:
            return (ModuleType(target) if target else External(target_name)), (target_name,)
        full_name = f"{target_name}.{imported.name}"
        if target:
            found = self._member(target, imported.name, set() if seen is None else seen)
            if found is None:
                # `from . import sub` inside the package itself binds the submodule.
                found = self._submodule(target, imported.name)
            if found:
                return found[0], _prepend(full_name, found[1])
        return External(full_name), (full_name,)

    def _member(self, module: Module, name: str, seen: set[tuple[Module, str]]) -> Found | None:
        if (module, name) in seen:
            return None
        seen.add((module, name))
        full_name = f"{module.name}.{name}"
        facts = module.facts_about(name)
        if name in facts.classes:
            cls = facts.classes[name]
            return ClassObject(Class(module, full_name, cls.line, cls)), (full_name,)
        if name in facts.functions:
            functions = [
                Function(module, full_name, function.line, function)
                for function in facts.functions[name]
            ]
            return function_type(functions), (full_name,)
        if name in facts.imports:
            found = [self.imported(module, item, seen) for item in facts.imports[name]]
            best = next((item for item in found if not isinstance(item[0], External)), found[0])
            return best[0], _prepend(full_name, best[1])
        if name in facts.variables:
            return Variable(module, name, tuple(facts.variables[name])), (full_name,)
        for star in module.stars:
            target = self._modules.find(module.absolute(star), module.root)
            starred = target and self._member(target, name, seen)
            if starred:
                return starred[0], _prepend(full_name, starred[1])
        return self._submodule(module, name)

    def _submodule(self, module: Module, name: str) -> Found | None:
        if not module.is_package or not module.name:
            return None
        full_name = f"{module.name}.{name}"
        submodule = self._modules.find(full_name, module.root)
        return (ModuleType(submodule), (full_name,)) if submodule else None


def function_type(functions: list[Function]) -> Type:
    """The type of a name that these functions define: of its overloads, if it has some."""
    readable = [f for f in functions if not any(map(is_setter, f.facts.decorators))]
    overloads = [f for f in readable if any("overload" in d for d in f.facts.decorators)]
    return union_of(FunctionType(function) for function in overloads or readable)


def is_setter(decorator: str) -> bool:
    """Whether a decorator makes a function a property's way to be written, not read."""
    return decorator.endswith((".setter", ".deleter"))


def _prepend(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return names if name in names else (name, *names)
