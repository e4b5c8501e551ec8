"""A site's mapping file laid over the one that it `extends`.

One rule: **a field that says where its value comes from (`from`, `expr`, `const`, `each`, `gather`) replaces the field
of the base; one that does not changes the keys that it names and keeps the others; null takes it away.** So

    note: null                                  takes the field away
    email: customer.email                       reads it from another place
    payment_state: { otherwise: error }         keeps source, table and all else of the base
    lines: { fields: { sku: barcode } }         changes one field of each line
    ship_to: { fields: { phone: null } }        takes one field of a shared file away, here only

Below `tables` a table gets the entries that are named and keeps the others; null takes a whole table away (a null entry
says, as anywhere, that the value gives nothing). Tests of the base run with what came out; one of the same name stands
for the base's, `{ name, skip: why }` leaves it out. Any other key of the head replaces the base's.
"""

from __future__ import annotations

from pathlib import Path

from hub.config.source import Plain
from hub.mapping.definition import Definition, Place, Spot
from hub.mapping.errors import FileProblem, MappingFileError
from hub.mapping.words import among

SOURCES = frozenset({"from", "expr", "const", "each", "gather"})
"""Keys by which a field says where its value comes from."""

_OWN = ("extends", "mapping", "version", "tests", "note")
"""Keys of the head that speak of a file and not of what it makes."""

Tree = dict[str, Plain]


def overlaid(site: Definition, base: Definition) -> Definition:
    """What both files say together. Raises MappingFileError for changes of what the base does not have."""
    overlay = _Overlay(site, base)
    content: Tree = {key: value for key, value in base.content.items() if key not in _OWN}
    for key, value in site.content.items():
        if key == "fields":
            content[key] = overlay.fields(content.get(key), value, ("fields",))
        elif key == "tables":
            content[key] = overlay.tables(content.get(key), value)
        else:
            content[key] = value
    if overlay.problems:
        raise MappingFileError(overlay.problems)
    return Definition(
        site.name, content, (*site.layers, *base.layers), (*site.folders, *base.folders), (*site.names, *base.names)
    )


def test_spots(definition: Definition) -> list[Spot]:
    """The tests that hold for a mapping, the base's first, each in the file that it stands in."""
    order: list[str] = []
    cases: dict[str, Spot] = {}
    for layer in reversed(range(len(definition.layers))):
        alone = definition.alone(layer)
        top = Spot(alone, ("tests",), alone.content.get("tests"))
        if top.value is None:
            continue
        if not isinstance(top.value, list):
            raise MappingFileError([top.wrong("`tests` is a list")])
        for index in range(len(top.value)):
            spot = top / index
            name = (spot / "name").value
            key = name if isinstance(name, str) else f"{layer}/{index}"
            if key not in cases:
                order.append(key)
            cases[key] = spot
    return [cases[key] for key in order]


class _Overlay:
    """Collects what a site's file changes and the base does not have."""

    def __init__(self, site: Definition, base: Definition) -> None:
        self._site = site
        self._under = f"{base.name} ({short(base)})"
        self.problems: list[FileProblem] = []

    def fields(self, base: Plain, site: Plain, place: Place) -> Plain:
        if not isinstance(base, dict) or not isinstance(site, dict):
            return site
        result = dict(base)
        for name, spec in site.items():
            here = (*place, name)
            if spec is None:
                if name not in base:
                    self._wrong(here, f"null takes a field away, but {self._under} has no {name}; {among(name, base)}")
                result.pop(name, None)
            elif isinstance(spec, dict) and not SOURCES & spec.keys():
                result[name] = self._changed(name, base, spec, here)
            else:
                result[name] = spec
        return result

    def _changed(self, name: str, base: Tree, spec: Tree, place: Place) -> Plain:
        below = base.get(name)
        if below is None:
            if not {"fields", "use"} & spec.keys():
                self._wrong(place, f"{name} says no source, and {self._under} has no such field; {among(name, base)}")
            return spec
        known: Tree = dict(below) if isinstance(below, dict) else {"from": below}
        for key, value in spec.items():
            if value is None and key != "default":
                known.pop(key, None)
            elif key == "use":
                known.pop("fields", None)
                known[key] = value
            elif key == "fields" and "use" in known:
                known[key] = {**_tree(known.get(key)), **_tree(value)}
            elif key == "fields":
                known[key] = self.fields(known.get(key), value, (*place, key))
            elif key == "table" and isinstance(value, dict) and isinstance(known.get(key), dict):
                known[key] = {**_tree(known[key]), **value}
            else:
                known[key] = value
        return known

    def tables(self, base: Plain, site: Plain) -> Plain:
        if not isinstance(base, dict) or not isinstance(site, dict):
            return site
        result = dict(base)
        for name, table in site.items():
            if table is None:
                if name not in base:
                    self._wrong(
                        ("tables", name),
                        f"null takes a table away, but {self._under} has no {name}; {among(name, base)}",
                    )
                result.pop(name, None)
            else:
                below = base.get(name)
                result[name] = {**below, **table} if isinstance(below, dict) and isinstance(table, dict) else table
        return result

    def _wrong(self, place: Place, message: str) -> None:
        self.problems.append(self._site.problem(place, message, key=True))


def short(definition: Definition) -> str:
    """Where a mapping lies, as far as it tells anything: the same on every machine."""
    return "/".join(Path(definition.layers[0].file).parts[-3:])


def _tree(value: Plain) -> Tree:
    return value if isinstance(value, dict) else {}
