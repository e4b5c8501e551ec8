"""From a mapping file to closures: every mistake found is reported with its position, nothing is decided at run time
that can be decided here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from hub.config.source import Plain
from hub.mapping import schemas, structure
from hub.mapping.conversions import GIVES, OPTIONS, OptionError, conversion
from hub.mapping.definition import Definition, Spot
from hub.mapping.errors import FileProblem
from hub.mapping.expression import ExpressionError, compile_expression
from hub.mapping.functions import Function
from hub.mapping.leaf import Leaf, emit_leaf, looked_up
from hub.mapping.paths import Path, first_of, getter, parse_path
from hub.mapping.rest import EACH, Consumed, consume, merged, pruner
from hub.mapping.scope import Convert, Emit, Getter, Scope
from hub.mapping.words import among

_SOURCE_KEYS = frozenset({"from", "expr", "const"})
_LEAF_KEYS = _SOURCE_KEYS | {
    "as", "table", "required", "default", "otherwise", "hold_if", "rule", "hint", "when", "note",
}  # fmt: skip
_OPTION_KEYS = frozenset().union(*OPTIONS.values())
_OBJECT_KEYS = frozenset({"from", "expr", "fields", "use", "when", "required", "otherwise", "keep_rest", "note"})
_LIST_KEYS = frozenset({"each", "where", "fields", "use", "when", "required", "otherwise", "keep_rest", "note"})
_OTHERWISE = ("hold", "default", "error")


class Shared(Protocol):
    """Where `use:` and named tables come from."""

    def shared(self, name: str, spot: Spot) -> Definition: ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """`problems` not empty: `fill` must not be run. `reads` is what the fields read by plain paths."""

    fill: Emit
    problems: tuple[FileProblem, ...]
    reads: Consumed


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object: closures, and what of the node they read."""

    emits: list[Emit]
    consumed: Consumed


def compile_definition(
    definition: Definition,
    library: Shared,
    *,
    target: schemas.Schema | None,
    otherwise: str,
    functions: Mapping[str, Function],
    traced: bool,
) -> Compiled:
    """Compile all fields of a mapping. `target` None: a free tree."""
    compiler = _Compiler(definition, library, otherwise, dict(functions), traced)
    top = Spot(definition, (), definition.content)
    fill, reads = compiler.object_fill(top, target, frozenset({definition.name}))
    return Compiled(fill, tuple(compiler.problems), reads)


class _Compiler:
    """Walks a definition and collects problems; one per mapping."""

    def __init__(
        self, definition: Definition, library: Shared, otherwise: str, functions: dict[str, Function], traced: bool
    ) -> None:
        self._definition = definition
        self._library = library
        self._otherwise = otherwise
        self._functions = functions
        self._traced = traced
        self.problems: list[FileProblem] = []

    def object_fill(self, spot: Spot, target: schemas.Schema | None, using: frozenset[str]) -> tuple[Emit, Consumed]:
        """The `fields` and `keep_rest` of an object."""
        fields = self._fields(spot, target, using)
        consumed = fields.consumed
        keep = None
        if spot.has("keep_rest"):
            place = (spot / "keep_rest").value
            if isinstance(place, str) and place:
                keep = (tuple(place.split(".")), pruner(consumed))
                self._check_target(spot / "keep_rest", target, place.split(".")[0], key=False)
            else:
                self._wrong(spot / "keep_rest", "keep_rest is the dotted place where the rest goes")
            consumed = {}
        return structure.fields_of(fields.emits, keep), ({} if keep is None else {"": None}) | consumed

    def _fields(self, spot: Spot, target: schemas.Schema | None, using: frozenset[str]) -> Fields:
        if spot.has("use"):
            return self._use(spot, target, using)
        below = spot / "fields"
        if not isinstance(below.value, dict) or not below.value:
            self._wrong(below if spot.has("fields") else spot, "`fields` is a mapping of target fields")
            return Fields([], {})
        if below.place[:-1] or spot.definition is not self._definition:
            self._check_covered(below, target, given=below.value.keys())
        return self._emitted({name: below / name for name in below.names()}, target, using)

    def _emitted(self, spots: Mapping[str, Spot], target: schemas.Schema | None, using: frozenset[str]) -> Fields:
        emits: list[Emit] = []
        consumed: Consumed = {}
        for name, spot in spots.items():
            self._check_target(spot, target, name, key=True)
            emit, reads = self._field(spot, name, schemas.describe_child(target, name), using)
            emits.append(emit)
            consumed = merged(consumed, reads)
        return Fields(emits, consumed)

    def _use(self, spot: Spot, target: schemas.Schema | None, using: frozenset[str]) -> Fields:
        name = (spot / "use").value
        if not isinstance(name, str):
            self._wrong(spot / "use", "`use` is the name of a mapping, as in _lib/address")
            return Fields([], {})
        if name in using:
            self._wrong(spot / "use", f"{name} uses itself")
            return Fields([], {})
        definition = self._library.shared(name, spot / "use")
        top = Spot(definition, (), definition.content)
        if not spot.has("fields"):
            return self._fields(top, target, using | {name})
        return self._use_changed(spot / "fields", top, target, using | {name})

    def _use_changed(self, own: Spot, shared: Spot, target: schemas.Schema | None, using: frozenset[str]) -> Fields:
        """`fields` beside `use`: a field of one's own stands for the shared one of that name, null takes it away."""
        if not isinstance(own.value, dict):
            self._wrong(own, "`fields` is a mapping of target fields")
            return Fields([], {})
        kept = [name for name in (shared / "fields").names() if name not in own.value]
        spots = {name: shared / "fields" / name for name in kept}
        for name, value in own.value.items():
            if value is not None:
                spots[name] = own / name
            elif not (shared / "fields").has(name):
                known = (shared / "fields").names()
                self._wrong(
                    own / name, f"null takes a field away, but there is no {name}; {among(name, known)}", key=True
                )
        if target is not None:
            self._check_covered(own, target, given=spots.keys())
        return self._emitted(spots, target, using)

    def _field(
        self, spot: Spot, name: str, target: schemas.Schema | None, using: frozenset[str]
    ) -> tuple[Emit, Consumed]:
        value = spot.value
        if isinstance(value, str):
            spot = Spot(spot.definition, spot.place, {"from": value})
        elif not isinstance(value, dict):
            self._wrong(spot, "a field is a path, or a mapping of keys such as {from: path, as: text}")
            return _nothing, {}
        if spot.has("gather"):
            emit, reads = self._gather(spot, name, target, using)
        elif spot.has("each"):
            emit, reads = self._each(spot, name, target, using)
        elif spot.has("fields") or spot.has("use"):
            emit, reads = self._object(spot, name, target, using)
        else:
            emit, reads = self._leaf(spot, name, target)
        if spot.has("when"):
            condition = self._expression(spot / "when")
            return structure.conditional(condition, emit), {}
        return emit, reads

    def _gather(
        self, spot: Spot, name: str, target: schemas.Schema | None, using: frozenset[str]
    ) -> tuple[Emit, Consumed]:
        self._known_keys(spot, frozenset({"gather", "when", "note"}))
        parts = spot / "gather"
        if not isinstance(parts.value, list) or not parts.value:
            self._wrong(parts, "`gather` is a list of fields, each an element or a list of them")
            return _nothing, {}
        emits: list[Emit] = []
        consumed: Consumed = {}
        for index in range(len(parts.value)):
            part = parts / index
            shape = target if part.has("each") else schemas.describe_items(target)
            emit, reads = self._field(part, name, shape, using)
            emits.append(emit)
            consumed = merged(consumed, reads)
        return structure.gathered(name, emits), consumed

    def _each(
        self, spot: Spot, name: str, target: schemas.Schema | None, using: frozenset[str]
    ) -> tuple[Emit, Consumed]:
        source, path, get = self._list_source(spot / "each")
        where = self._expression(spot / "where") if spot.has("where") else None
        items = schemas.describe_items(target)
        scalars = not (spot.has("fields") or spot.has("use"))
        if scalars:
            inner = {"from": ".", **{key: value for key, value in _dict(spot).items() if key not in _LIST_KEYS}}
            if _dict(spot).get("otherwise") == "error":
                inner["otherwise"] = "error"
            fill, reads = self._leaf(Spot(spot.definition, spot.place, inner), "", items)
            below: Consumed | None = None
        else:
            self._known_keys(spot, _LIST_KEYS)
            fill, reads = self.object_fill(spot, items, using)
            below = None if "" in reads else {EACH: reads}
        emit = structure.repeated(
            name,
            get,
            path,
            source,
            where,
            fill,
            scalars=scalars,
            otherwise=self._choice(spot, ("hold", "error")),
            required=self._flag(spot, "required"),
            line=spot.line,
        )
        consumed: Consumed = {}
        if path is not None and not path.anchor and path.segments and where is None:
            consume(consumed, path.segments, below)
        return emit, consumed

    def _list_source(self, spot: Spot) -> tuple[str, Path | None, Getter]:
        if isinstance(spot.value, dict):
            if set(spot.value) != {"expr"}:
                self._wrong(spot, "`each` is a path, or {expr: ...}")
                return "", None, _none
            return str((spot / "expr").value), None, self._expression(spot / "expr")
        path = self._path(spot)
        return str(path or ""), path, getter(path) if path is not None else _none

    def _object(
        self, spot: Spot, name: str, target: schemas.Schema | None, using: frozenset[str]
    ) -> tuple[Emit, Consumed]:
        self._known_keys(spot, _OBJECT_KEYS)
        paths: tuple[Path, ...] = ()
        get: Getter | None = None
        source = ""
        if spot.has("from") or spot.has("expr"):
            source, paths, get = self._source(spot)
        fill, reads = self.object_fill(spot, target, using)
        emit = structure.nested(
            name,
            get,
            paths[0] if paths else None,
            source,
            fill,
            otherwise=self._choice(spot, ("hold", "error")),
            required=self._flag(spot, "required"),
            line=spot.line,
        )
        if get is None:
            return emit, {} if "" in reads else reads
        consumed: Consumed = {}
        if paths and not paths[0].anchor and paths[0].segments:
            consume(consumed, paths[0].segments, None if "" in reads else reads)
        return emit, consumed

    def _leaf(self, spot: Spot, name: str, target: schemas.Schema | None) -> tuple[Emit, Consumed]:
        given = _dict(spot)
        kind = given.get("as", None if "table" in given else schemas.natural_type(target))
        if kind is not None and (not isinstance(kind, str) or kind not in OPTIONS):
            self._wrong(spot / "as", f"{kind!r} is no type; there are {', '.join(OPTIONS)}")
            return _nothing, {}
        if not self._known_keys(spot, _LEAF_KEYS | (OPTIONS[kind] if kind else frozenset())):
            return _nothing, {}
        self._check_type(spot, kind, target)
        source, paths, get = self._source(spot)
        if kind == "money":
            get = _remembering_node(get)
        required, otherwise = self._flag(spot, "required"), self._choice(spot, _OTHERWISE)
        if otherwise == "default" and "default" not in given:
            self._wrong(spot, "`otherwise: default` needs `default`")
        convert, steps = self._convert(spot, kind, target)
        leaf = Leaf(
            name=name,
            get=get,
            source=source,
            convert=convert,
            line=spot.line,
            otherwise=otherwise,
            required=required,
            hold_missing=given.get("otherwise") == "hold",
            hold_if=self._expression(spot / "hold_if") if spot.has("hold_if") else None,
            has_default="default" in given,
            default=given.get("default"),
            rule=self._text(spot, "rule") or "mapping",
            hint=self._text(spot, "hint"),
            paths=paths,
            traced=self._traced,
            file=spot.definition.position(spot.place)[0],
            steps=steps if self._traced else (),
        )
        consumed: Consumed = {}
        if paths and not paths[0].anchor and paths[0].segments:
            consume(consumed, paths[0].segments, None)
        return emit_leaf(leaf), consumed

    def _source(self, spot: Spot) -> tuple[str, tuple[Path, ...], Getter]:
        present = [key for key in ("from", "expr", "const") if spot.has(key)]
        if len(present) != 1:
            self._wrong(
                spot, "a field has exactly one of `from`, `expr`, `const` (or `fields`, `use`, `each`, `gather`)"
            )
            return "", (), _none
        if present[0] == "const":
            fixed: object = (spot / "const").value
            return "const", (), lambda _node, _scope: fixed
        if present[0] == "expr":
            return str((spot / "expr").value), (), self._expression(spot / "expr")
        where = spot / "from"
        spots = [where / index for index in range(len(where.value))] if isinstance(where.value, list) else [where]
        paths = tuple(path for path in map(self._path, spots) if path is not None)
        if not paths:
            if not spots:
                self._wrong(where, "`from` names no path")
            return "", (), _none
        getters = tuple(map(getter, paths))
        return " | ".join(map(str, paths)), paths, getters[0] if len(getters) == 1 else first_of(getters)

    def _convert(
        self, spot: Spot, kind: str | None, target: schemas.Schema | None
    ) -> tuple[Convert, tuple[tuple[str, Convert], ...]]:
        """The conversion of a leaf, and its parts with their names."""
        options: dict[str, object] = {key: value for key, value in _dict(spot).items() if key in _OPTION_KEYS}
        convert: Convert | None = None
        try:
            if kind is not None:
                convert = conversion(kind, options, lambda where: self._option_path(spot, where))
        except OptionError as error:
            self._wrong(spot, str(error))
        steps = ((f"as {kind}", convert),) if convert is not None else ()
        if not spot.has("table"):
            return convert or _same, steps
        name, table = self._table(spot / "table")
        self._check_values(spot / "table", table, target, kind)
        return looked_up(table, name, convert), ((f"table {name}", looked_up(table, name, None)), *steps)

    def _table(self, spot: Spot) -> tuple[str, dict[str, object]]:
        value = spot.value
        name = "here"
        if isinstance(value, str):
            name = value
            own = Spot(spot.definition, (), spot.definition.content) / "tables" / value
            if isinstance(own.value, dict):
                value = own.value
            elif "/" not in value:
                known = (Spot(spot.definition, (), spot.definition.content) / "tables").names()
                self._wrong(spot, f"there is no {value} under `tables`; {among(value, known)}")
                return name, {}
            else:
                definition = self._library.shared(value, spot)
                value = definition.content.get("table")
        if not isinstance(value, dict) or not value:
            self._wrong(spot, "a table is a mapping, a name under `tables`, or the name of a _lib file with `table`")
            return name, {}
        return name, dict(value)

    def _check_values(
        self, spot: Spot, table: Mapping[str, object], target: schemas.Schema | None, kind: str | None
    ) -> None:
        allowed = target.get("enum") if target is not None and kind in (None, "text") else None
        if isinstance(allowed, list):
            for key, value in table.items():
                if value is not None and value not in allowed:
                    self._wrong(
                        spot,
                        f"the table gives {value!r} for {key!r}, but the field takes {', '.join(map(str, allowed))}",
                    )

    def _check_type(self, spot: Spot, kind: str | None, target: schemas.Schema | None) -> None:
        """A conversion to something that the target field never takes; fixed values that are none of its own."""
        if target is None:
            return
        wanted, made = schemas.natural_type(target), GIVES.get(kind or "")
        takes = target.get("type")
        if made is not None and isinstance(takes, str) and made != takes and (made, takes) != ("integer", "number"):
            where = spot / "as" if spot.has("as") else spot
            self._wrong(where, f"`as: {kind}` gives {_a(made)}, but the field takes {_a(takes)}: `as: {wanted}`")
        allowed = target.get("enum")
        for key in ("const", "default"):
            value = _dict(spot).get(key)
            if (
                isinstance(allowed, list)
                and isinstance(value, str)
                and value not in allowed
                and "table" not in _dict(spot)
            ):
                self._wrong(spot / key, f"the field does not take {value!r}; {among(value, map(str, allowed))}")

    def _option_path(self, spot: Spot, where: object) -> Getter:
        path = self._path(Spot(spot.definition, (*spot.place, "currency"), where if isinstance(where, str) else None))
        return getter(path) if path is not None else _none

    def _path(self, spot: Spot) -> Path | None:
        if not isinstance(spot.value, str):
            self._wrong(spot, "a path is text, as in customer.email")
            return None
        try:
            return parse_path(spot.value)
        except ValueError as error:
            self._wrong(spot, str(error))
            return None

    def _expression(self, spot: Spot) -> Getter:
        if not isinstance(spot.value, str):
            self._wrong(spot, "an expression is text")
            return _none
        try:
            return compile_expression(spot.value, self._functions)
        except ExpressionError as error:
            self._wrong(spot, str(error))
            return _none

    def _choice(self, spot: Spot, allowed: tuple[str, ...]) -> str:
        value = _dict(spot).get("otherwise", self._otherwise)
        if value not in allowed:
            self._wrong(spot / "otherwise", f"`otherwise` is one of {', '.join(allowed)}")
            return "error"
        return str(value)

    def _flag(self, spot: Spot, name: str) -> bool:
        value = _dict(spot).get(name, False)
        if not isinstance(value, bool):
            self._wrong(spot / name, f"`{name}` is true or false")
        return value is True

    def _text(self, spot: Spot, name: str) -> str:
        value = _dict(spot).get(name, "")
        if not isinstance(value, str):
            self._wrong(spot / name, f"`{name}` is text")
            return ""
        return value

    def _known_keys(self, spot: Spot, allowed: frozenset[str]) -> bool:
        unknown = [key for key in _dict(spot) if key not in allowed]
        for key in unknown:
            self._wrong(spot / key, f"`{key}` is not known here; {among(key, allowed)}", key=True)
        return not unknown

    def _check_target(self, spot: Spot, target: schemas.Schema | None, name: str, *, key: bool) -> None:
        if target is None or target.get("additionalProperties") is not False:
            return
        known = target.get("properties")
        if isinstance(known, dict) and name not in known:
            title = target.get("title", "the target")
            self._wrong(spot, f"{title} has no field {name}; {among(name, known)}", key=key)

    def _check_covered(self, spot: Spot, target: schemas.Schema | None, given: Collection[str]) -> None:
        required = target.get("required") if target is not None else None
        for name in required if isinstance(required, list) else []:
            if name not in given:
                self._wrong(spot, f"{(target or {}).get('title', 'the target')} needs {name}, but no field sets it")

    def _wrong(self, spot: Spot, message: str, *, key: bool = False) -> None:
        self.problems.append(spot.wrong(message, key=key))


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"


def _dict(spot: Spot) -> dict[str, Plain]:
    return spot.value if isinstance(spot.value, dict) else {}


def _nothing(_node: object, _scope: object, _out: object) -> None:
    """Stands where a field could not be compiled; its mapping is never run."""


def _remembering_node(get: Getter) -> Getter:
    """For the type whose option is a path of its own, beside the value's."""

    def run(node: object, scope: Scope) -> object:
        scope.node = node
        return get(node, scope)

    return run


def _none(_node: object, _scope: object) -> object:
    return None


def _same(value: object, _scope: object) -> object:
    return value
