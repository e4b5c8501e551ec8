"""Mapping files: data that turns a foreign tree into a canonical record, or a canonical one into a vendor's tree.

One language in three directions, told by the file's name below a folder of mappings:

    <connector>/<stream>.in.yaml           their record -> ours (a schema in openapi/schemas)
    <connector>/<capability>.out.yaml      our payload -> the vendor's tree
    <connector>/<capability>.reply.yaml    their answer -> Reply
    _lib/<name>.yaml, <connector>/_<name>.yaml    shared fields (`use:`) and tables (`table:`)

The head: `mapping` (its name), `version`, `target`, `kind` (state, fact, delta, snapshot; `in` only), `fact_key` (the
field whose value makes a fact unique; it is copied to the record's `fact_key` where no field sets that), `otherwise`
(what becomes of unusable values where a field does not say: hold for state records, else error), `schema` (a JSON
Schema file for a vendor's tree), `tables`, `fields` (or `use`), `keep_rest`, `extends`, `tests`.

A field is one of

    { from: path }            a dotted path, or a list of them: the first that is neither null nor empty text
    { expr: "..." }           JMESPath over exact numbers, with the functions of hub.mapping.functions
    { const: value }
    { fields: {...} }         an object; with `from` its fields are read from that node; absent when empty
    { from: path, use: name } an object whose fields stand in a shared file; `fields` beside it go before
    { each: path, fields: {...} }  a list; `where` picks elements; `use` instead of `fields`; or leaf keys for scalars
    { gather: [field, ...] }  one list out of several sources

A path is relative to the present node; `root.`, `parent.` and `context.` leave it, `.` is the node itself. In
expressions these are `root()`, `parent()`, `context()`. A leaf may carry `as` (a type of hub.mapping.conversions;
without it the one that fits the target field), the type's options, `table`, `required`, `default`,
`otherwise: hold | default | error`, `hold_if` (an expression that limits the hold), `rule`, `hint`; any field `when`
(an expression).

Null and empty text are absent; absent fields are left out. A value that is there but cannot be used becomes a hold, the
default or a MappingError, as `otherwise` says; a missing one is an error with `required`, a hold with an explicit
`otherwise: hold`. An element of a list that cannot be mapped is left out under a hold on the list.
`keep_rest: attributes.shop` puts whatever no `from` read, and what could not be used, into the record verbatim.

A site's file that says `extends` is laid over another one: see hub.mapping.overlay.
"""

from hub.mapping.cases import TestResult, run_tests, trace_lines
from hub.mapping.definition import Definition
from hub.mapping.errors import FileProblem, Hold, MappingError, MappingFileError, Note
from hub.mapping.library import MappingLibrary, compile_mapping, shipped_folder
from hub.mapping.mapping import Mapped, Mapping
from hub.mapping.schemas import SchemaProblem, schema, schema_folder, schema_names, validate
from hub.mapping.scope import TraceRow

__all__ = [
    "Definition",
    "FileProblem",
    "Hold",
    "Mapped",
    "Mapping",
    "MappingError",
    "MappingFileError",
    "MappingLibrary",
    "Note",
    "SchemaProblem",
    "TestResult",
    "TraceRow",
    "compile_mapping",
    "run_tests",
    "schema",
    "schema_folder",
    "schema_names",
    "shipped_folder",
    "trace_lines",
    "validate",
]
