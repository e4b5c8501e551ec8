"""The dotted path to the records inside a body (option ``items``)."""

from hub.formats.tree import FormatError, Tree


def split_items(tree: Tree, path: str) -> list[tuple[str, Tree]]:
    """The records at ``path`` with their positions; see :meth:`hub.formats.registry.Codec.split`."""
    here = tree
    walked: list[str] = []
    for name in path.split("."):
        if not isinstance(here, dict) or name not in here:
            where = ".".join(walked) or "the body"
            raise FormatError("items", f'no "{name}" in {where}, where the records of {path} should be')
        here = here[name]
        walked.append(name)
    if here is None:
        return []
    if isinstance(here, list):
        return [(f"{path}.{index}", item) for index, item in enumerate(here)]
    return [(path, here)]
