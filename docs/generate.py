"""Reference pages made from the code: `python docs/generate.py` writes them, a test holds them current."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
NOTICE = "% Made from the code by docs/generate.py: change the code, then run it.\n\n"

sys.path.insert(0, str(ROOT))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; empty where there are no rows."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *lines]) + "\n"


def _cell(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_cell(item) for item in value)
    text = " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
    return text.replace("{", "&#123;").replace("}", "&#125;") if text.startswith("{") else text


def code(value: object) -> str:
    """Inline code; a text with a backtick is fenced by two."""
    text = str(value)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


# Commands.


def commands() -> str:
    import click

    from hub.cli.main import COMMANDS, hub

    def walk(command: click.Command, path: str) -> Iterator[str]:
        context = click.Context(command, info_name=path)
        if isinstance(command, click.Group):
            if path != "hub":
                yield f"## {path}\n\n{_sentence(command)}\n\n"
            for name in command.list_commands(context):
                if path == "hub" and COMMANDS[name][0].startswith("hub.cli.checkout"):
                    continue  # the bootstrap's own, see command-line
                inner = command.get_command(context, name)
                assert inner is not None
                yield from walk(inner, f"{path} {name}")
            return
        usage = " ".join(command.collect_usage_pieces(context))
        level = "##" if path.count(" ") == 1 else "###"
        yield f"{level} {path}\n\n{_sentence(command)}\n\n```text\n{path} {usage}\n```\n\n"
        options = [one for one in command.params if isinstance(one, click.Option)]
        yield table(("option", "meaning", "default"), [_option(one) for one in options if one.name != "as_json"])
        if any(one.name == "as_json" for one in options):
            yield "\nAlso `--json`.\n"
        yield "\n"

    parts = [part for part in walk(hub, "hub") if part]
    intro = (
        "# Commands\n\nEvery command with its options. Options of `hub` itself (`--config`, `--home`, `--demo`),"
        " exit codes and the form of `--json` stand on {doc}`command-line`.\n\n"
    )
    return intro + "".join(parts)


def _sentence(command: Any) -> str:
    return " ".join((command.help or command.short_help or "").split())


def _option(option: Any) -> tuple[str, str, str]:
    import click

    names = "/".join(option.opts)
    if isinstance(option.type, click.Choice):
        names += " " + "\\|".join(str(choice) for choice in option.type.choices)
    elif not option.is_flag:
        names += f" {option.make_metavar(click.Context(click.Command('x')))}"
    default = option.default if option.show_default and not option.is_flag else ""
    meaning = (option.help or "") + (" (required)" if option.required and not option.is_flag else "")
    return code(names.replace("\\|", ",")), meaning, str(default)


# Configuration.


def configuration() -> str:
    intro = (
        "# Configuration keys\n\nEvery key of every file, from the JSON Schemas that `hub config check` uses"
        " (`hub config schema KIND` prints one for an editor). What a connection's `config` holds is the connector's:"
        " see [below](#what-connectors-need).\n\n"
    )
    from hub.config.explain import FILES

    parts = [intro]
    for kind, file in FILES.items():
        schema = yaml.safe_load((ROOT / "hub" / "config" / "schemas" / f"{kind}.yaml").read_text("utf-8"))
        parts.append(f"## {file}\n\n{_plain(schema.get('description', ''))}\n\n{_keys(schema)}\n")
    parts.append("## What connectors need\n\n")
    for folder in sorted((ROOT / "connectors").glob("*/config.schema.yaml")):
        schema = yaml.safe_load(folder.read_text("utf-8"))
        parts.append(f"### {folder.parent.name}\n\n{_plain(schema.get('title', ''))}\n\n{_keys(schema)}\n")
    return "".join(parts)


def _plain(text: object) -> str:
    return " ".join(str(text).split())


def _keys(schema: Mapping[str, Any]) -> str:
    rows = list(_walk(schema, schema, "", frozenset()))
    return table(("key", "type", "default", "meaning"), rows)


def _walk(
    node: Mapping[str, Any], root: Mapping[str, Any], path: str, seen: frozenset[str]
) -> Iterator[tuple[str, str, str, str]]:
    required = set(node.get("required", ()))
    for name, given in (node.get("properties") or {}).items():
        key = f"{path}.{name}" if path else str(name)
        yield from _key(key, given, root, name in required, seen)
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        yield from _key(f"{path}.NAME" if path else "NAME", extra, root, False, seen)
    items = node.get("items")
    if isinstance(items, dict):
        inner, names = _resolved(items, root)
        if not names & seen:
            yield from _walk(inner, root, f"{path}[]", seen | names)


def _key(
    key: str, given: Mapping[str, Any], root: Mapping[str, Any], required: bool, seen: frozenset[str]
) -> Iterator[tuple[str, str, str, str]]:
    node, names = _resolved(given, root)
    default = code(json.dumps(node["default"], ensure_ascii=False)) if "default" in node else ""
    meaning = _plain(node.get("description", "")) + (" A secret: by reference only." if node.get("writeOnly") else "")
    yield code(key), _type(node, root), "required" if required else default, meaning.strip()
    if not names & seen:
        yield from _walk(node, root, key, seen | names)


def _resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The node with what it refers to below it, and the names of those."""
    names: set[str] = set()
    while "$ref" in node:
        reference = str(node["$ref"])
        names.add(reference)
        target: Any = root
        for step in reference.removeprefix("#/").split("/") if reference.startswith("#/") else ():
            target = target[step]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = {**(target if reference.startswith("#/") else {"title": Path(reference).stem}), **rest}
    return node, frozenset(names)


def _type(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if "enum" in node:
        return codes(node["enum"])
    if "const" in node:
        return code(node["const"])
    for word in ("oneOf", "anyOf"):
        if word in node:
            kinds = [_type(_resolved(one, root)[0], root) for one in node[word]]
            return " or ".join(dict.fromkeys(kinds))
    kind = node.get("type", node.get("title", "any"))
    if kind == "array":
        items = node.get("items")
        inner = _type(_resolved(items, root)[0], root) if isinstance(items, dict) else "any"
        return f"list of {inner}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


# connector.yaml.

_PARTS = {
    "": "The file",
    "request": "request",
    "auth": "auth",
    "stream": "streams.NAME",
    "pages": "pages",
    "since": "since",
    "effect": "effects.NAME",
    "pairs": "match and same",
    "webhooks": "webhooks",
}


def connector_yaml() -> str:
    from hub.runtime.declared import SEEN, schema

    root: Mapping[str, Any] = schema()
    elsewhere = frozenset(f"#/definitions/{name}" for name in root["definitions"])
    parts = [
        f"# connector.yaml\n\n{_plain(root['description'])} {{doc}}`../how-to/add-a-connector-in-yaml` shows one.\n\n"
    ]
    for name, title in _PARTS.items():
        node = root["definitions"][name] if name else root
        about = f"{_plain(node['description'])}\n\n" if name and "description" in node else ""
        rows = [row for row in _walk(node, root, "", elsewhere) if row[0]]
        parts.append(f"## {title}\n\n{about}{table(('key', 'type', 'default', 'meaning'), rows)}\n")
    parts.append(
        "## What expressions see\n\nAn expression of a request sees names of the hub's; every other one sees an answer,"
        " or a record of it. One that begins with a name which is not there is refused.\n\n"
    )
    seen = [(code(".".join(path).replace("*", "NAME")), codes(names)) for path, names in SEEN.items()]
    return "".join([*parts, table(("where", "names"), seen)])


# Lint rules.


def lint_rules() -> str:
    """A table of what each rule prints to its example, then one section a rule. The examples are run."""
    from hub.config.rules import RULES
    from hub.runtime.lint_examples import findings_of_example
    from tests.lint.site import ENVIRON, GOOD, registry

    told = {
        rule.id: [
            str(one) for one in findings_of_example(rule, GOOD, ENVIRON, registry=registry()) if one.rule == rule.id
        ]
        for rule in RULES.values()
    }
    intro = (
        "# Lint rules\n\nWhat `hub config check` can find. Ids never change their meaning. An error keeps a"
        " configuration from being taken; a warning or a remark does not, and a comment with a reason excuses it:"
        " `# hub: ignore[HUB024] pickup goes first`, on its line or alone above it. `hub config explain HUB012` says"
        " the same as this page.\n\n"
    )
    parts = [
        intro,
        table(
            ("id", "grade", "finds", "prints"),
            [
                (f"[{rule.id}](#{rule.id.lower()})", rule.severity, rule.title, code(told[rule.id][0]))
                for rule in RULES.values()
            ],
        ),
        "\n",
    ]
    for rule in RULES.values():
        parts.append(f"## {rule.id}\n\nFinds {rule.title}. {rule.why} {rule.remedy}\n\n")
        parts.append(
            f"In `{rule.example.file}`, instead of\n\n" if rule.example.good else f"A file `{rule.example.file}`\n\n"
        )
        if rule.example.good:
            parts.append(
                _snippet(rule.example.good) + "the lines\n\n" if rule.example.broken else _snippet(rule.example.good)
            )
        parts.append(_snippet(rule.example.broken) if rule.example.broken else "nothing\n\n")
        parts.append("print\n\n```text\n" + "\n".join(told[rule.id]) + "\n```\n\n")
    return "".join(parts)


def _snippet(text: str) -> str:
    return "```yaml\n" + text.strip("\n") + "\n```\n\n"


# Records, streams, capabilities.


def records() -> str:
    intro = (
        "# Canonical records\n\nWhat mappings produce and start from. A field that is absent is unknown, never null;"
        " amounts and quantities are decimal text, times RFC 3339 in UTC.\n\n"
    )
    parts = [intro]
    for path in sorted((ROOT / "openapi" / "schemas").glob("*.yaml")):
        schema = yaml.safe_load(path.read_text("utf-8"))
        title, about = schema.get("title", path.stem), _plain(schema.get("description", ""))
        keys = _keys(schema)
        shape = (
            ""
            if keys
            else f"{_type(schema, schema)}, pattern {code(schema['pattern'])}\n"
            if "pattern" in schema
            else ""
        )
        parts.append(f"## {title}\n\n{about}\n\n{keys or shape}\n")
    return "".join(parts)


def streams() -> str:
    from hub.runtime.registry import Registry
    from hub.sdk.capabilities import COALESCING, PAYLOAD, QUESTION, Capability, Query, SafetyMode
    from hub.sdk.streams import STREAMS, Kind

    registry = Registry().manifests
    readers = {name: [m.name for m in registry.values() if name in m.streams] for name in STREAMS}
    doers = {one: [m.name for m in registry.values() if one in m.capabilities] for one in Capability}
    kinds = _paragraphs(Kind)
    modes = _paragraphs(SafetyMode)
    intro = (
        "# Streams and capabilities\n\n## Streams\n\nWhat the hub reads. Every stream has a kind, which says when a"
        " record is a duplicate and which of two wins.\n\n"
    )
    parts = [
        intro,
        kinds + "\n\n",
        table(
            ("stream", "record", "kind", "connectors"),
            [(code(n), record, kind, codes(readers[n])) for n, (record, kind) in STREAMS.items()],
        ),
        "\n## Capabilities\n\nWhat the hub does at other systems, through the outbox.\n\n",
        table(
            ("capability", "payload", "coalesces", "connectors"),
            [(code(one), PAYLOAD.get(one, ""), one in COALESCING, codes(doers[one])) for one in Capability],
        ),
        "\n## Safety modes\n\n" + modes + "\n\n",
        "\n## Queries\n\nReads that a decision waits for: no row in the outbox, given up after a minute.\n\n",
        table(
            ("query", "question", "answer", "connectors"),
            [
                (
                    code(one),
                    *QUESTION.get(one, ("", "")),
                    codes([m.name for m in registry.values() if one in m.queries]),
                )
                for one in Query
            ],
        )
        + "\n",
        "## Connectors\n\n",
    ]
    for manifest in registry.values():
        parts.append(f"### {manifest.name}\n\n{manifest.title}. Quality: {manifest.quality}.\n\n")
        parts.append(
            table(
                ("stream", "push", "poll", "fetch", "topics"),
                [(code(s.name), s.push, s.poll, s.fetch, codes(s.topics)) for s in manifest.streams.values()],
            )
            + "\n"
        )
        parts.append(
            table(
                ("capability", "safety", "settles after (s)", "key kept (s)", "echo in"),
                [
                    (code(c.name), c.safety, c.settle_seconds or "", c.key_ttl_seconds or "", c.echo_field)
                    for c in manifest.capabilities.values()
                ],
            )
            + "\n"
        )
    return "".join(parts)


def _paragraphs(kind: type) -> str:
    """A class's docstring after its first paragraph, as one text."""
    return _plain((kind.__doc__ or "").partition("\n\n")[2])


# States.


def states() -> str:
    from hub.domain.change import CHANGE_MEANINGS, CHANGE_MOVES
    from hub.domain.fulfilment import WORK_MOVES
    from hub.domain.link import MEANINGS
    from hub.domain.payment import CALL_MOVES, PAYMENT_MOVES
    from hub.domain.quantity import MOVES, OBSERVED_ONLY
    from hub.domain.reservation import RESERVATION_MOVES
    from hub.domain.returns import RETURN_MOVES, STAGE_MOVES
    from hub.domain.shipment import PACKAGE_MOVES
    from hub.domain.validation import HOLD_KINDS
    from hub.exchange.resolution import TABLE
    from hub.views.states import (
        CALL_STATES,
        DELIVERY_STATES,
        MESSAGE_STATES,
        ORDER_STATES,
        PAYMENT_STATES,
        RECEIPT_STATES,
        RETURN_STAGES,
        RETURN_STATES,
        WORK_STATES,
    )

    parts = ["# States and moves\n\nThe tables that the code decides by.\n\n"]
    listed = {"Receipts": RECEIPT_STATES, "Messages": MESSAGE_STATES, "Deliveries": DELIVERY_STATES}
    for title, known in {**listed, "Orders": ORDER_STATES, "Work of locations": WORK_STATES}.items():
        parts.append(f"## {title}\n\n" + table(("state", "means"), [(code(s), m) for s, m in known.items()]) + "\n")
    beside = {"Changes": CHANGE_MEANINGS, "Kinds of holds": HOLD_KINDS, "Links between orders": MEANINGS}
    for title, meanings in beside.items():
        parts.append(f"## {title}\n\n" + table(("word", "means"), [(code(s), m) for s, m in meanings.items()]) + "\n")
    parts.append(_moves(CHANGE_MOVES) + "\n")
    parts.append("## What the outcome of a call does\n\n")
    parts.append(
        table(
            ("resolution", "delivery becomes", "looked at again", "breaker counts", "a person hears", "age counts"),
            [
                (code(name), code(r.becomes), _words(r.due), _words(r.breaker), _words(r.raises), r.gives_up)
                for name, r in TABLE.items()
            ],
        )
        + "\n`by mode`: as the capability's safety mode says, see {doc}`streams`.\n\n"
    )
    parts.append(
        "## Quantities of an order line\n\nThe buckets of a line sum to what was ordered at all times. These are the"
        " moves that a decision may make; an observation from outside runs along the way forward and is never"
        " refused.\n\n"
    )
    parts.append(_moves(MOVES) + "\n")
    seen = [f"{code(source)} to {code(target)}" for source, target in sorted(OBSERVED_ONLY)]
    parts.append(f"Only ever observed: {', '.join(seen)}.\n\n")
    others = {
        "Fulfilment orders": WORK_MOVES,
        "Reservations": RESERVATION_MOVES,
        "Packages": PACKAGE_MOVES,
        "Payments": PAYMENT_MOVES,
        "Captures and refunds": CALL_MOVES,
        "Returns": RETURN_MOVES,
        "Quantities of a return": STAGE_MOVES,
    }
    meanings = {
        "Payments": PAYMENT_STATES,
        "Captures and refunds": CALL_STATES,
        "Returns": RETURN_STATES,
        "Quantities of a return": RETURN_STAGES,
    }
    for title, moves in others.items():
        parts.append(f"## {title}\n\n")
        if title in meanings:
            said = [(code(state), meaning) for state, meaning in meanings[title].items()]
            parts.append(table(("state", "means"), said) + "\n")
        parts.append(f"{_moves(moves)}\n")
    return "".join(parts)


def _words(value: object) -> str:
    return str(value).replace("_", " ")


def _moves(moves: Mapping[Any, Iterable[Any]]) -> str:
    listed = table(
        ("from", "to"), [(code(source), codes(sorted(targets)) or "the end") for source, targets in moves.items()]
    )
    return f"{_diagram(moves)}\n{listed}"


def _diagram(moves: Mapping[Any, Iterable[Any]]) -> str:
    """A state diagram in Mermaid's words, which the pages and most viewers of a repository draw."""
    ends = [state for state, targets in moves.items() if not set(targets)]
    reached = {target for targets in moves.values() for target in targets}
    begins = [state for state in moves if state not in reached] or list(moves)[:1]
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f"    [*] --> {state}" for state in begins]
    lines += [f"    {source} --> {target}" for source, targets in moves.items() for target in sorted(targets)]
    lines += [f"    {state} --> [*]" for state in ends]
    return "\n".join(["```mermaid", *lines, "```", ""])


# Exceptions and errors.


FIELDS = ("cause_key", "kind", "title", "detail", "next_step", "hint")
"""Of an ExceptionRequest, and of the OMS's way to raise one about an order, in their order."""


def events() -> str:
    from hub.domain.events import FACT_MEANINGS, Fact

    head = (
        "# Events\n\nWhat happened, as [CloudEvents 1.0](https://cloudevents.io): `hub events list`, and for programs"
        " `GET /v1/events`, see [](../how-to/follow-events.md). An event's `id` follows from the fact; its `data` hold"
        " ids, states and amounts, never personal data.\n\n"
    )
    return head + table(("type", "has happened"), [(code(fact), FACT_MEANINGS[fact]) for fact in Fact])


def exceptions() -> str:
    from hub.exchange.settlement import _TEXTS as OF_DELIVERIES

    rows: dict[tuple[str, str], tuple[str, str, str]] = {}
    for kind, (title, step, hint) in OF_DELIVERIES.items():
        title, hint = (text.format(destination="...", capability="...", delivery="...") for text in (title, hint))
        rows[kind, title] = (code(kind), title, f"{step} / {hint}")
    for path in sorted((ROOT / "hub").glob("**/*.py")):
        module = ast.parse(path.read_text("utf-8"))
        constants = _constants(module)
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and _raises(call.func):
                given = dict(zip(FIELDS, call.args, strict=False)) | {w.arg: w.value for w in call.keywords if w.arg}
                kind, title, step, hint = (
                    _text(given.get(name), constants) for name in ("kind", "title", "next_step", "hint")
                )
                if kind != "...":
                    rows[kind, title] = (code(kind), title, f"{step} / {hint}")
    return (
        "# Exceptions\n\nWhat needs a person. One exception stands for one cause, however many orders it holds up;"
        " `hub exceptions list` shows the open ones. What differs from case to case stands as `...`.\n\n"
        + table(("kind", "what", "what happens next / what you can do"), [rows[key] for key in sorted(rows)])
        + "\n## Codes of mapping errors\n\n"
        + table(("code", "means"), [(code(name), words) for name, words in sorted(_mapping_codes().items())])
    )


def _raises(function: ast.expr) -> bool:
    named = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return named in ("ExceptionRequest", "raise_exception")


def _constants(module: ast.Module) -> dict[str, str]:
    """Texts that the module names at its top."""
    return {
        target.id: str(node.value.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _text(node: ast.expr | None, constants: Mapping[str, str]) -> str:
    """A text as written; what is computed shows as an ellipsis."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body, constants)} or: {_text(node.orelse, constants)}"
    if isinstance(node, ast.Name):
        return constants.get(node.id, "...")
    return "..."


CODES = {
    "expression": "a function of an expression was given what it does not take",
    "format": "the text is not of the form its type needs: a time, a number, a currency",
    "missing": "something that the value needs is not there, such as an amount's currency",
    "not_an_object": "the input is no object",
    "overflow": "a text is too long, or a number has too many digits before the point",
    "required": "a required field has no source",
    "schema": "the record does not fit its schema",
    "type": "the value is of another kind than its field needs",
    "unknown_value": "the value is not in the field's table",
}


def _mapping_codes() -> dict[str, str]:
    """Meanings by code. Raises ValueError where the code has others than are explained here."""
    found: set[str] = set()
    for path in sorted((ROOT / "hub" / "mapping").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                position = {"Unusable": 0, "MappingError": 1}.get(call.func.id)
                if position is not None and len(call.args) > position and isinstance(call.args[position], ast.Constant):
                    found.add(str(call.args[position].value))
    if found != set(CODES):
        raise ValueError(f"explain {sorted(found - set(CODES))}, forget {sorted(set(CODES) - found)}")
    return CODES


# Metrics, mapping.


def metrics() -> str:
    from hub.api.metrics import BUCKET_SECONDS, CATALOGUE

    return (
        "# Metrics\n\n`GET /metrics` gives these in the Prometheus text format. Buckets of histograms, in seconds: "
        + ", ".join(f"{bound:g}" for bound in BUCKET_SECONDS)
        + ".\n\n"
        + table(
            ("metric", "kind", "labels", "what"), [(code(m.name), m.kind, codes(m.labels), m.help) for m in CATALOGUE]
        )
    )


def mapping_functions() -> str:
    from hub.mapping import examples
    from hub.mapping.conversions import OPTIONS
    from hub.mapping.functions import FUNCTIONS

    def shown(name: str) -> str:
        given = examples.TYPES[name]
        options = "".join(f", {key}: {json.dumps(value)}" for key, value in given.options.items())
        return f"{code(given.given)} with {code(f'{{ as: {name}{options} }}')}"

    types = [
        (code(name), codes(sorted(options)), examples.TYPES[name].about, shown(name), code(examples.TYPES[name].gives))
        for name, options in OPTIONS.items()
    ]
    intro = (
        "# Mapping types and functions\n\nEvery example on this page is run by a test.\n\n## Types\n\nWhat a field's"
        " `as:` can say, with its options. Without `as:` it is the one that fits the target field.\n\n"
    )
    functions = (
        "\n## Functions of expressions\n\nThe closed library of `expr:`; of JMESPath's own functions none can be"
        " reached. Numbers are exact, and the text of a number will do where one is wanted. A literal with a point is"
        " refused: write it as text, as in ``round('2.345', `2`)``. An argument that is null makes the result null,"
        " unless the table says that null counts; `if` and `not_null` look only at the arguments they need. `root()`,"
        " `parent()` and `context()` leave the present node.\n\n"
    )
    rows = [(code(f.signature()), f.about, f.takes_null) for f in FUNCTIONS.values()]
    shows = [(code(expression), code(gives)) for cases in examples.FUNCTIONS.values() for expression, gives in cases]
    parts = [
        intro,
        table(("type", "options", "makes", "of", "this"), types),
        functions,
        table(("function", "gives", "null counts"), rows),
        f"\n## Examples\n\nAll over this record:\n\n```json\n{examples.RECORD}\n```\n\n",
        table(("expression", "gives"), shows),
    ]
    return "".join(parts)


# The API.


def api() -> str:
    from hub.actions.keys import INCLUDES, SCOPES
    from hub.api.document import document, operations
    from hub.api.problems import KINDS, PAGES, PROBLEM_TYPE

    whole = document()
    about = (
        "# API\n\nMade from `openapi/hub.yaml`, which a running hub serves at `/openapi.json` and shows at `/docs`. How"
        " to use it: [](../how-to/use-the-api.md).\n\n## Scopes\n\nWhat a key may do.\n\n"
    )
    problems = (
        f"\n## Problems\n\nEverything that is no success is `{PROBLEM_TYPE}` (RFC 9457). `type` is `{PAGES}` and one of"
        " these; the hub serves a page there.\n\n"
    )
    parts = [
        about,
        table(
            ("scope", "lets its holder", "includes"),
            [(code(name), words.split(";")[0], codes(INCLUDES.get(name, ()))) for name, words in SCOPES.items()],
        ),
    ]
    for tag in whole["tags"]:
        parts.append(f"\n## {tag['name'].capitalize()}\n\n{tag['description']}.\n")
        for operation in operations().values():
            node = whole["paths"][operation.path][operation.method.lower()]
            if tag["name"] in node["tags"]:
                parts.append(_operation(operation, node))
    parts += [
        problems,
        table(
            ("type", "status", "what", "remedy"),
            [(code(name), k.status, k.what, k.remedy) for name, k in KINDS.items()],
        ),
    ]
    return "".join(parts)


def _operation(operation: Any, node: Mapping[str, Any]) -> str:
    words = [f"\n### {operation.method} {operation.path}\n\n{node['summary']}. Scope {code(operation.scope)}.\n"]
    if "description" in node:
        words.append(f"\n{' '.join(node['description'].split())}\n")
    given = [
        (
            code(one["name"]),
            one["in"],
            one.get("required", False),
            _plain(one.get("description", "")),
            _form(one["schema"]),
        )
        for one in operation.parameters
        if one["in"] != "path"
    ]
    if given:
        words.append("\n" + table(("parameter", "in", "required", "what", "form"), given))
    if operation.body is not None:
        title = operation.body.get("title")
        if title:
            words.append(f"\nBody: {'' if operation.body_required else 'optional, '}an [{title}](records.md).\n")
        else:
            required = operation.body.get("required", ())
            fields = [
                (code(name), name in required, _form(schema), _plain(schema.get("description", "")))
                for name, schema in operation.body["properties"].items()
            ]
            words.append("\n" + table(("field of the body", "required", "form", "what"), fields))
    return "".join(words)


def _form(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return codes(schema["enum"])
    if schema.get("title"):
        return str(schema["title"])
    if "allOf" in schema:
        return _form(schema["allOf"][0])
    if schema["type"] == "array":
        return f"list of {_form(schema['items'])}"
    if schema["type"] == "object" and "properties" not in schema:
        return f"{_form(schema['additionalProperties'])} by name"
    if schema["type"] == "object":
        return f"object of {codes(schema['properties'])}"
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}" + (
            f", else {schema['default']}" if "default" in schema else ""
        )
    return "text" + (f", at most {schema['maxLength']}" if "maxLength" in schema else "")


PAGES: dict[str, Callable[[], str]] = {
    "api.md": api,
    "commands.md": commands,
    "configuration.md": configuration,
    "connector-yaml.md": connector_yaml,
    "lint.md": lint_rules,
    "records.md": records,
    "streams.md": streams,
    "states.md": states,
    "events.md": events,
    "exceptions.md": exceptions,
    "metrics.md": metrics,
    "mapping-functions.md": mapping_functions,
}


def pages() -> dict[str, str]:
    """Every page by file name."""
    return {name: NOTICE + make().rstrip() + "\n" for name, make in PAGES.items()}


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
