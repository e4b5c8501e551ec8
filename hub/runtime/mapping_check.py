"""Which mappings a configuration needs, and what is wrong with them, as findings like any other."""

from __future__ import annotations

from hub.config.findings import Finding
from hub.mapping.errors import MappingFileError
from hub.runtime.configuration import Loaded

MISSING = "HUB020"
BROKEN = "HUB021"
RULES = {
    MISSING: "a stream or a capability that no mapping can be found for",
    BROKEN: "a mapping file with a mistake",
}
"""As hub.config.findings.RULES, for what only the whole tree can tell."""


def mapping_findings(loaded: Loaded) -> list[Finding]:
    """A stream or capability without a mapping, and every mistake in a mapping file that is used."""
    findings: list[Finding] = []
    for connection in loaded.bundle.connections.values():
        wanted = [(connection.mapping_of(stream), f"the stream {stream}") for stream in connection.streams]
        wanted += [(f"{connection.connector}/{name}.out", f"the capability {name}") for name in connection.effects_out]
        for name, what in wanted:
            try:
                if loaded.library.find(name) is None:
                    text = f"{connection.id}: there is no mapping {name} for {what}"
                    findings.append(
                        Finding(f"connections/{connection.id}.yaml", 1, 1, MISSING, text, f"write mappings/{name}.yaml")
                    )
            except MappingFileError as error:
                findings += [Finding(p.file, p.line, p.column, BROKEN, p.message) for p in error.problems]
    return sorted(set(findings))
