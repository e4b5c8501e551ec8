"""The checked files of one configuration, and how the checks across files look into them."""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.config.findings import Finding, finding
from hub.config.source import Path_, Plain
from hub.config.validate import Checked


@dataclass(frozen=True, slots=True)
class Tree:
    """The checked files by kind; absent files are None. ``unread`` are the names of files that could not be read: what
    they say is not known, so nothing is said to be missing on their account."""

    hub: Checked | None
    connections: tuple[Checked, ...]
    locations: Checked | None
    routing: Checked | None
    policies: Checked | None
    partners: tuple[Checked, ...] = ()
    notifications: tuple[Checked, ...] = ()
    unread: frozenset[str] = frozenset()

    def files(self) -> Iterator[Checked]:
        """Every file that could be read."""
        single = (self.hub, self.locations, self.routing, self.policies)
        for checked in (*single[:1], *self.connections, *single[1:], *self.partners, *self.notifications):
            if checked is not None:
                yield checked

    def unread_in(self, folder: str) -> frozenset[str]:
        """The stems of the files of a folder that could not be read."""
        return frozenset(stem_of(name) for name in self.unread if name.startswith(f"{folder}/"))


def at(checked: Checked, rule: str, path: Path_, message: str, hint: str = "", *, key: bool = False) -> Finding:
    """A finding at a path of a file, or at the key there."""
    return finding(rule, file_of(checked), checked.document.mark(path, key=key), message, hint)


def file_of(checked: Checked) -> str:
    """The file's name as shown to people."""
    return checked.document.file


def stem_of(name: str) -> str:
    """A file's name without folder and ending."""
    return name.rpartition("/")[2].removesuffix(".yaml")


def get(checked: Checked | None, path: Path_) -> Plain:
    """The value as written (a schema finding may have been made about it), or None."""
    node: Plain = None if checked is None else checked.written
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def text(checked: Checked, name: str) -> str | None:
    """A text at the top of a file, or None."""
    value = get(checked, (name,))
    return value if isinstance(value, str) else None


def keys(checked: Checked | None, path: Path_) -> list[str]:
    """The keys of the object at a path, none of anything else."""
    value = get(checked, path)
    return list(value) if isinstance(value, dict) else []


def indexes(checked: Checked | None, path: Path_) -> range:
    """The indexes of the list at a path, none of anything else."""
    value = get(checked, path)
    return range(len(value)) if isinstance(value, list) else range(0)
