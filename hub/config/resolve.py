"""A connection's configuration with the values behind its references: made when it is opened, kept by nobody."""

from hub.config.model import ConnectionConfig, ConnectorInfo
from hub.config.secrets import Secrets, resolve_tree
from hub.config.source import Plain


def resolve_config(connection: ConnectionConfig, connector: ConnectorInfo, secrets: Secrets) -> dict[str, Plain]:
    """``connection.config`` with every reference replaced; raises :class:`~hub.config.secrets.SecretError`.

    Call it again to see rotated secret files; the result must not be logged or stored.
    """
    resolved = resolve_tree(dict(connection.config), secrets, connector.config_schema)
    assert isinstance(resolved, dict)
    return resolved
