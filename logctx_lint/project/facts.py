"""The facts of one file: its definitions, imports and signatures; a pure function of its text.

Facts are the skeleton of a module: imports, signatures, classes, attributes. Expressions
that may matter later (annotations, default values, `self.x = ...`) are kept as source text
and parsed again only when somebody asks, so that facts stay small and are plain data.
Function bodies are not kept: the few that are needed are parsed on demand.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logctx_lint.syntax.ast_walk import body_nodes, child_blocks
from logctx_lint.syntax.source import Source

_LONGEST_VALUE = 2000
"""Characters; a longer value (a table, say) tells nothing that is worth its keep."""
OPAQUE = "..."
"""Stands for a value that is bound but not described."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Parameter(NamedTuple):
    name: str
    annotation: str
    default: str
    kind: str
    """`""` positional, `"*"`, `"**"`, or `"k"` keyword only."""


class FunctionFacts(NamedTuple):
    name: str
    line: int
    first_line: int
    """Of its decorators."""
    end_line: int
    is_async: bool
    is_generator: bool
    decorators: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    returns: str
    type_parameters: tuple[str, ...]


class VariableFacts(NamedTuple):
    """One assignment to a module variable, class variable or attribute of `self`."""

    annotation: str
    value: str
    method: str
    """The method that assigns it, in whose scope `value` is read; empty: the class body."""
    line: int


class ClassFacts(NamedTuple):
    name: str
    line: int
    bases: tuple[str, ...]
    metaclass: str
    """What the keyword says; empty if it is not there."""
    decorators: tuple[str, ...]
    type_parameters: tuple[str, ...]
    functions: dict[str, list[FunctionFacts]]
    variables: dict[str, list[VariableFacts]]
    classes: dict[str, ClassFacts]

    def defines(self, name: str) -> bool:
        """Whether the body of the class gives a name a meaning."""
        return name in self.functions or name in self.variables or name in self.classes


class ImportFacts(NamedTuple):
    """`from module import name` with leading dots kept; `name` is empty for `import module`."""

    module: str
    name: str


class ModuleFacts(NamedTuple):
    imports: dict[str, list[ImportFacts]]
    stars: tuple[str, ...]
    functions: dict[str, list[FunctionFacts]]
    variables: dict[str, list[VariableFacts]]
    classes: dict[str, ClassFacts]


def extract(source: Source, tree: ast.Module, before: int = 0) -> ModuleFacts:
    """The facts of one module, or of a part of it that has so many lines before it."""
    return Extractor(source, before).module(tree)


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, ImportFacts]]:
    """Each name that an import statement binds, and to what (`*` for a star import)."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname:
                yield alias.asname, ImportFacts(alias.name, "")
            else:
                top = alias.name.partition(".")[0]
                yield top, ImportFacts(top, "")
    else:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield alias.asname or alias.name, ImportFacts(module, alias.name)


def parameters_of(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None, str]]:
    """Each parameter with its default and kind (see `Parameter.kind`), in order."""
    positional = [*arguments.posonlyargs, *arguments.args]
    bare = len(positional) - len(arguments.defaults)
    for index, argument in enumerate(positional):
        yield argument, arguments.defaults[index - bare] if index >= bare else None, ""
    if arguments.vararg:
        yield arguments.vararg, None, "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument, default, "k"
    if arguments.kwarg:
        yield arguments.kwarg, None, "**"


_Binding = ast.Assign | ast.AnnAssign | ast.With | ast.AsyncWith


def _bindings(body: list[ast.stmt], *, nested: bool = False) -> Iterator[tuple[_Binding, bool]]:
    """What binds values in a function, in source order, and whether a nested function has it."""
    for statement in body:
        if isinstance(statement, _Binding):
            yield statement, nested
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _bindings(statement.body, nested=True)
        else:
            for block in child_blocks(statement):
                yield from _bindings(block, nested=nested)


class Extractor:
    """Builds facts; also used for the functions and classes nested in function bodies."""

    def __init__(self, source: Source, before: int = 0) -> None:
        """`before` is added to the numbers of lines."""
        self._before = before
        self._lines = source.lines
        self._ascii = source.is_ascii
        self._yields = source.mentions("yield")

    def module(self, tree: ast.Module) -> ModuleFacts:
        facts = ModuleFacts({}, (), {}, {}, {})
        stars: list[str] = []
        self._body(tree.body, facts, stars)
        return facts._replace(stars=tuple(stars))

    def function(self, node: FunctionNode) -> FunctionFacts:
        decorators = tuple(self.text(decorator) for decorator in node.decorator_list)
        first = node.decorator_list[0].lineno if decorators else node.lineno
        end = node.end_lineno or node.lineno
        return FunctionFacts(
            node.name,
            node.lineno + self._before,
            first + self._before,
            end + self._before,
            isinstance(node, ast.AsyncFunctionDef),
            self._is_generator(node, end),
            decorators,
            tuple(
                Parameter(
                    argument.arg,
                    self.text(argument.annotation) if argument.annotation else "",
                    self.text(default) if default else "",
                    kind,
                )
                for argument, default, kind in parameters_of(node.args)
            ),
            self.text(node.returns) if node.returns else "",
            _type_parameters(node),
        )

    def class_(self, node: ast.ClassDef) -> ClassFacts:
        facts = ClassFacts(
            node.name,
            node.lineno + self._before,
            tuple(self.text(base) for base in node.bases),
            "".join(self.text(each.value) for each in node.keywords if each.arg == "metaclass"),
            tuple(self.text(decorator) for decorator in node.decorator_list),
            _type_parameters(node),
            {},
            {},
            {},
        )
        self._body(node.body, facts, [])
        return facts

    def text(self, node: ast.expr) -> str:
        """The source text of an expression; `...` if it is longer than it is worth."""
        if isinstance(node, ast.Name):
            return node.id
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        start, end = node.col_offset, node.end_col_offset
        if first == last:
            line = self._lines[first]
            if self._ascii or line.isascii():
                return line[start:end]
            return line.encode()[start:end].decode()
        if last - first > 60:
            return OPAQUE
        head = self._lines[first].encode()[start:].decode()
        tail = self._lines[last].encode()[:end].decode()
        text = "".join([head, *self._lines[first + 1 : last], tail])
        return text if len(text) <= _LONGEST_VALUE else OPAQUE

    def _is_generator(self, node: FunctionNode, end: int) -> bool:
        if not self._yields or not any(
            "yield" in line for line in self._lines[node.lineno - 1 : end]
        ):
            return False
        return any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in body_nodes(node))

    def _body(
        self, body: list[ast.stmt], facts: ModuleFacts | ClassFacts, stars: list[str]
    ) -> None:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                facts.functions.setdefault(statement.name, []).append(self.function(statement))
                if isinstance(facts, ClassFacts):
                    self._attributes(statement, facts)
            elif isinstance(statement, ast.ClassDef):
                facts.classes[statement.name] = self.class_(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                for target, variable in self._assigned(statement, ""):
                    if isinstance(target, ast.Name):
                        facts.variables.setdefault(target.id, []).append(variable)
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                if isinstance(facts, ModuleFacts):
                    for name, imported in imported_names(statement):
                        if name == "*":
                            stars.append(imported.module)
                        else:
                            facts.imports.setdefault(name, []).append(imported)
            elif type(statement).__name__ == "TypeAlias":
                name, value = statement.name.id, statement.value  # type: ignore[attr-defined]
                facts.variables.setdefault(name, []).append(
                    VariableFacts("", self.text(value), "", statement.lineno + self._before)
                )
            else:
                for block in child_blocks(statement):
                    self._body(block, facts, stars)

    def _attributes(self, method: FunctionNode, facts: ClassFacts) -> None:
        """Note what `method` binds to the attributes of its first parameter."""
        arguments = [*method.args.posonlyargs, *method.args.args]
        if not arguments:
            return
        itself = arguments[0].arg
        for statement, is_nested in _bindings(method.body):
            for target, variable in self._bound(statement, method.name):
                match target:
                    case ast.Attribute(ast.Name(name), attribute) if name == itself:
                        if is_nested and not variable.annotation:
                            # The value may speak of names that only the nested function knows.
                            variable = variable._replace(value=OPAQUE)
                        facts.variables.setdefault(attribute, []).append(variable)

    def _bound(self, statement: _Binding, method: str) -> Iterator[tuple[ast.expr, VariableFacts]]:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            yield from self._assigned(statement, method)
            return
        for item in statement.items:
            if isinstance(item.optional_vars, ast.Attribute):
                value = self.text(item.context_expr)
                if value != OPAQUE:
                    is_async = isinstance(statement, ast.AsyncWith)
                    value = (
                        f"(await ({value}).__aenter__())" if is_async else f"({value}).__enter__()"
                    )
                yield item.optional_vars, VariableFacts("", value, method, statement.lineno)

    def _assigned(
        self, statement: ast.Assign | ast.AnnAssign, method: str
    ) -> Iterator[tuple[ast.expr, VariableFacts]]:
        line = statement.lineno + self._before
        if isinstance(statement, ast.AnnAssign):
            value = self.text(statement.value) if statement.value else ""
            annotation = self.text(statement.annotation)
            yield statement.target, VariableFacts(annotation, value, method, line)
            return
        value = ""
        for target in statement.targets:
            if isinstance(target, ast.Tuple | ast.List):
                value = value or self.text(statement.value)
                for index, element in enumerate(target.elts):
                    # Unpacking is indexing, as far as types go.
                    text = OPAQUE if value == OPAQUE else f"({value})[{index}]"
                    yield element, VariableFacts("", text, method, line)
            elif not isinstance(target, ast.Subscript):
                value = value or self.text(statement.value)
                yield target, VariableFacts("", value, method, line)


def _type_parameters(node: FunctionNode | ast.ClassDef) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in getattr(node, "type_params", ()))


def interface_of(facts: ModuleFacts, name: str) -> str:
    """What a module says of one name; where in the file it says so is left out."""
    cls = facts.classes.get(name)
    return repr(
        (
            facts.imports.get(name),
            [_without_lines(function) for function in facts.functions.get(name, ())],
            [variable[:3] for variable in facts.variables.get(name, ())],
            cls and _class_interface(cls),
        )
    )


def aliases(facts: ModuleFacts) -> dict[str, set[str]]:
    """The other last names of what names of a module stand for."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, imported in facts.imports.items():
        found[name].update(item.name for item in imported)
    # `gather = defer.gatherResults`
    for name, variables in facts.variables.items():
        found[name].update(item.value.rpartition(".")[2] for item in variables)
    return {
        name: meant
        for name, names in found.items()
        if (meant := {each for each in names if each != name and each.isidentifier()})
    }


def values_with(facts: ModuleFacts, word: str) -> list[tuple[str, str]]:
    """The variables of a module whose values mention a word, with these."""
    return [
        (name, variable.value)
        for name, variables in facts.variables.items()
        for variable in variables
        if word in variable.value
    ]


def _without_lines(function: FunctionFacts) -> tuple[object, ...]:
    return function.name, *function[4:]


def _class_interface(cls: ClassFacts) -> list[object]:
    return [
        cls.name,
        cls[2:6],
        [(name, [*map(_without_lines, found)]) for name, found in cls.functions.items()],
        [
            (name, [(*found[:3], _definition(cls, found)) for found in variables])
            for name, variables in cls.variables.items()
        ],
        [(name, _class_interface(inner)) for name, inner in cls.classes.items()],
    ]


def _definition(cls: ClassFacts, variable: VariableFacts) -> int:
    """In which of several methods of its name an attribute is assigned."""
    methods = cls.functions.get(variable.method, ())
    if len(methods) < 2:
        return 0
    return sum(method.end_line < variable.line for method in methods)


def functions_called(facts: ModuleFacts, name: str) -> list[FunctionFacts]:
    """The functions or methods of a qualified name, as the module itself would have it."""
    *outer, last = name.split(".")
    place: ModuleFacts | ClassFacts = facts
    for each in outer:
        inner = place.classes.get(each)
        if inner is None:
            return []
        place = inner
    return place.functions.get(last, [])


def from_data(data: list[object]) -> ModuleFacts:
    """Facts from what JSON made of them (named tuples are lists there).

    Raises TypeError or ValueError if `data` is of any other form.
    """
    imports, stars, functions, variables, classes = data
    return ModuleFacts(
        {
            _name(name): [ImportFacts(*_names(row)) for row in _some_rows(rows)]
            for name, rows in _table(imports)
        },
        tuple(_names(stars)),
        _functions(functions),
        _variables(variables),
        _classes(classes),
    )


def _functions(data: object) -> dict[str, list[FunctionFacts]]:
    return {name: [_function(row) for row in _some_rows(rows)] for name, rows in _table(data)}


def _function(row: list[object]) -> FunctionFacts:
    name, line, first, end, is_async, is_generator, decorators, parameters, returns, types = row
    if not (isinstance(line, int) and isinstance(first, int) and isinstance(end, int)):
        raise TypeError("a line is no number")
    return FunctionFacts(
        _name(name),
        line,
        first,
        end,
        bool(is_async),
        bool(is_generator),
        tuple(_names(decorators)),
        tuple(Parameter(*_names(parameter)) for parameter in _rows(parameters)),
        _name(returns),
        tuple(_names(types)),
    )


def _variables(data: object) -> dict[str, list[VariableFacts]]:
    table: dict[str, list[VariableFacts]] = {}
    for name, rows in _table(data):
        table[name] = [
            VariableFacts(_name(annotation), _name(value), _name(method), int(str(line)))
            for annotation, value, method, line in _some_rows(rows)
        ]
    return table


def _classes(data: object) -> dict[str, ClassFacts]:
    classes: dict[str, ClassFacts] = {}
    for key, row in _table(data):
        if not isinstance(row, list):
            raise TypeError("a class is no list")
        name, line, bases, metaclass, decorators, types, functions, variables, inner = row
        classes[key] = ClassFacts(
            _name(name),
            int(str(line)),
            tuple(_names(bases)),
            _name(metaclass),
            tuple(_names(decorators)),
            tuple(_names(types)),
            _functions(functions),
            _variables(variables),
            _classes(inner),
        )
    return classes


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is no string")
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("names are no list")
    return [_name(item) for item in value]


def _rows(value: object) -> list[list[object]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise TypeError("rows are no list of lists")
    return value


def _some_rows(value: object) -> list[list[object]]:
    rows = _rows(value)
    if not rows:
        raise ValueError("a name without a definition")
    return rows


def _table(value: object) -> Iterable[tuple[str, object]]:
    if not isinstance(value, dict):
        raise TypeError("a table is no dictionary")
    return value.items()
