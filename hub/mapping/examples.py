"""What each type and function does, shown: the reference page prints these, and a test runs every one.

Results are written as JSON, with numbers digit for digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.config.source import Plain

RECORD = """\
{
  "id": 4200001234567890123,
  "total": "19.90",
  "tip": null,
  "paid": true,
  "name": " Zoë Meyer ",
  "email": "",
  "created": "2026-11-03",
  "address": {"city": "Ghent", "country": "BE"},
  "tags": ["gift", "", "rush", "gift"],
  "lines": [{"sku": "A-1", "price": "10.00", "n": 2}, {"sku": "B-7", "price": "3.30", "n": 1}],
  "notes": [{"name": "gift", "value": "yes"}, {"name": "floor", "value": "3"}]
}"""
"""The record that every example of a function looks at."""


@dataclass(frozen=True, slots=True)
class TypeExample:
    """One type: what it makes of a value."""

    about: str
    given: str
    gives: str
    options: dict[str, Plain] = field(default_factory=dict)


TYPES: dict[str, TypeExample] = {
    "text": TypeExample(
        "as written; numbers and booleans digit for digit", "820982911946154508", '"820982911946154508"'
    ),
    "trimmed": TypeExample("text without white space at both ends; absent if nothing is left", '" a b "', '"a b"'),
    "lower": TypeExample("trimmed, in lower case", '" Kim@Example.com"', '"kim@example.com"'),
    "upper": TypeExample("trimmed, in upper case", '"de "', '"DE"'),
    "decimal": TypeExample(
        "decimal text, 12 digits before and 6 behind the point at most; further ones are rounded half-even and noted",
        '"1.234,50"',
        '"1234.50"',
        {"decimal_point": ",", "grouping": "."},
    ),
    "number": TypeExample("the same as a number, for systems that want one", '"19.90"', "19.90"),
    "integer": TypeExample("a whole number", '"2.0000"', "2"),
    "boolean": TypeExample("true, 1, yes, y and their opposites, in any case", '"Yes"', "true"),
    "country": TypeExample(
        "ISO 3166-1 alpha-2, of codes and names; unknown ones are kept and noted", '"Germany"', '"DE"'
    ),
    "currency": TypeExample("three letters", '"eur"', '"EUR"'),
    "tree": TypeExample("whatever it is, verbatim", '{"a": [1]}', '{"a": [1]}'),
    "money": TypeExample(
        "`currency` is a path, or `{const: EUR}`",
        '"19.90"',
        '{"amount": "19.90", "currency": "EUR"}',
        {"currency": {"const": "EUR"}},
    ),
    "instant": TypeExample(
        "RFC 3339 in UTC with microseconds; `format` says how it is read (several are tried in turn), `zone` where a"
        " time without an offset is meant, `write` how it is written for others",
        '"03.11.2026 09:15"',
        '"2026-11-03T08:15:00.000000Z"',
        {"format": "%d.%m.%Y %H:%M", "zone": "Europe/Brussels"},
    ),
    "date": TypeExample("YYYY-MM-DD", '"20261103"', '"2026-11-03"', {"format": "%Y%m%d"}),
    "texts": TypeExample(
        "a list of texts, or one text cut at `separator`", '"VIP, Gift"', '["VIP", "Gift"]', {"separator": ","}
    ),
}

FUNCTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "decimal": (("decimal(total)", "19.90"), ("decimal('1e2')", "100"), ("decimal(tip)", "null")),
    "to_number": (("to_number(total)", "19.90"), ("to_number(name)", "null")),
    "sum": (("sum(lines[].price)", "13.30"), ("sum(`[]`)", "0")),
    "add": (("add(total, '0.10')", "20.00"), ("add(total, tip)", "null")),
    "subtract": (("subtract(total, '20')", "-0.10"),),
    "multiply": (("lines[].multiply(price, n)", "[20.00, 3.30]"),),
    "divide": (("divide(total, `3`, `2`)", "6.63"), ("divide('1', '8', `2`)", "0.12")),
    "round": (("round('2.345', `2`)", "2.34"), ("round('2.355', `2`)", "2.36")),
    "negate": (("negate(total)", "-19.90"),),
    "abs": (("abs('-3.30')", "3.30"),),
    "ceil": (("ceil(total)", "20"),),
    "floor": (("floor(total)", "19"),),
    "max": (("max(lines[].price)", "10.00"), ("max(`[]`)", "null")),
    "min": (("min(lines[].price)", "3.30"), ("min(['b', 'a'])", '"a"')),
    "concat": (("concat('order ', id)", '"order 4200001234567890123"'), ("concat('tip ', tip)", "null")),
    "join": (("join(', ', tags)", '"gift, rush, gift"'),),
    "split": (("split(created, '-')", '["2026", "11", "03"]'),),
    "replace": (("replace(total, '.', ',')", '"19,90"'),),
    "trim": (("trim(name)", '"Zoë Meyer"'),),
    "lower": (("lower(address.city)", '"ghent"'),),
    "upper": (("upper(address.city)", '"GHENT"'),),
    "substring": (("substring(created, `5`)", '"11-03"'), ("substring(created, `0`, `4`)", '"2026"')),
    "before": (("before(created, '-')", '"2026"'), ("before(created, '/')", '"2026-11-03"')),
    "after": (("after(created, '-')", '"11-03"'), ("after(created, '/')", '""')),
    "pad_left": (("pad_left(`7`, `4`, '0')", '"0007"'),),
    "starts_with": (("starts_with(created, '2026')", "true"),),
    "ends_with": (("ends_with(created, '2026')", "false"),),
    "contains": (("contains(tags, 'rush')", "true"), ("contains(created, '-11-')", "true")),
    "length": (("length(lines)", "2"), ("length(address.city)", "5")),
    "to_string": (("to_string(id)", '"4200001234567890123"'), ("to_string(paid)", '"true"')),
    "sha256": (("sha256(total)", '"f4623a84d47eda3c5a9f371966301f2b25b800ad39c70e19c197b8156961f65c"'),),
    "at": (("at(lines, `1`).sku", '"B-7"'), ("at(lines, `9`)", "null")),
    "first": (("first(lines).sku", '"A-1"'), ("first(`[]`)", "null")),
    "last": (("last(lines).sku", '"B-7"'),),
    "compact": (("compact([email, total, tip])", '["19.90"]'),),
    "unique": (("unique(tags)", '["gift", "", "rush"]'),),
    "reverse": (("reverse(lines[].sku)", '["B-7", "A-1"]'), ("reverse('abc')", '"cba"')),
    "sort": (("sort(lines[].n)", "[1, 2]"),),
    "sort_by": (("sort_by(lines, &n)[].sku", '["B-7", "A-1"]'),),
    "max_by": (("max_by(lines, &n).sku", '"A-1"'),),
    "min_by": (("min_by(lines, &n).sku", '"B-7"'),),
    "map": (("map(&price, lines)", '["10.00", "3.30"]'),),
    "named": (("named(notes, 'floor')", '"3"'), ("named(lines, 'B-7', 'sku', 'price')", '"3.30"')),
    "lookup": (("lookup(address, 'city')", '"Ghent"'),),
    "keys": (("keys(address)", '["city", "country"]'),),
    "values": (("values(address)", '["Ghent", "BE"]'),),
    "merge": (("merge(address, {city: 'Bruges'})", '{"city": "Bruges", "country": "BE"}'),),
    "to_array": (("to_array(total)", '["19.90"]'), ("to_array(tags[:1])", '["gift"]')),
    "type": (("type(total)", '"string"'), ("type(tip)", '"null"')),
    "not_null": (("not_null(email, tip, total)", '"19.90"'),),
    "if": (("if(paid, 'paid', 'open')", '"paid"'), ("if(tip, tip)", "null")),
}
"""By function: expressions over RECORD and what they give."""
