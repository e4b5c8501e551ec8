"""SOAP: zeep builds the envelope from a WSDL on disk, the bytes go through the connection's HttpPort.

So a SOAP call has the same deadline, size cap, limits and guard as any other, and the simulation needs nothing of its
own. The answer is returned as bytes; a connector reads it with the safe XML codec, never with zeep, so what the other
side sends meets one parser only. Nothing is fetched: a WSDL that imports from the network is refused.
"""

from __future__ import annotations

import datetime as dt
import functools
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import zeep
import zeep.exceptions
import zeep.transports
import zeep.wsdl.bindings.soap
from lxml import etree
from zeep.wsse.username import UsernameToken

from hub.sdk.errors import ConfigurationError, DataError
from hub.sdk.ports import HttpPort, HttpResponse
from hub.sdk.records import Tree

LOAD_SECONDS = 10.0
_SETTINGS = {
    "strict": True,
    "forbid_dtd": True,
    "forbid_entities": True,
    "forbid_external": True,
    "xml_huge_tree": False,
    "force_https": False,
}


class _FolderOnly(zeep.transports.Transport):
    """Loads files of one folder; every other address is refused, and nothing can be posted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(timeout=LOAD_SECONDS, operation_timeout=LOAD_SECONDS)  # type: ignore[no-untyped-call]
        self._folder = folder

    def load(self, url: str) -> bytes:
        parts = urlsplit(url)
        if parts.scheme not in ("", "file"):
            raise ConfigurationError(f"the WSDL refers to {parts.scheme}://{parts.netloc}, and nothing is fetched")
        path = Path(unquote(parts.path)).resolve()
        if not path.is_relative_to(self._folder):
            raise ConfigurationError(f"the WSDL refers to {path.name} outside its folder")
        return path.read_bytes()

    def post(self, address: str, message: object, headers: object) -> object:
        raise ConfigurationError("SOAP calls go through the connection's HTTP port")

    get = post


class _Description:
    """A parsed WSDL, one per file and process: parsing takes hundreds of milliseconds."""

    def __init__(self, wsdl: Path) -> None:
        transport = _FolderOnly(wsdl.parent.resolve())
        settings = zeep.Settings(**_SETTINGS)
        try:
            self.client = zeep.Client(str(wsdl.resolve()), transport=transport, settings=settings)  # type: ignore[no-untyped-call]
        except (OSError, etree.LxmlError, zeep.exceptions.Error) as error:
            raise ConfigurationError(f"{wsdl.name} cannot be used: {error}") from error
        finally:
            transport.session.close()
        # zeep resolves types on first use, which is not safe for several threads at once.
        self.lock = threading.Lock()


@functools.lru_cache(maxsize=32)
def _description(wsdl: Path) -> _Description:
    return _Description(wsdl)


class ZeepSoap:
    """SoapPort of one connection."""

    def __init__(
        self,
        http: HttpPort,
        wsdl: Path,
        endpoint: str,
        *,
        service: str | None = None,
        port: str | None = None,
        headers: Mapping[str, str] | None = None,
        username_token: tuple[str, str] | None = None,
        reuse_idle: bool = False,
    ) -> None:
        """`headers` go with every call (an Authorization, say). `username_token` is (name, password) for WS-Security.

        `reuse_idle` may be set for a target that deduplicates; others get no connection that was idle for long.

        Raises ConfigurationError for a WSDL that cannot be read or has no such service or port.
        """
        self._http = http
        self._endpoint = endpoint
        self._headers = dict(headers or {})
        self._reuse_idle = reuse_idle
        self._wsdl = _description(wsdl)
        self._token = UsernameToken(*username_token) if username_token else None  # type: ignore[no-untyped-call]
        try:
            self._service = self._wsdl.client.bind(service, port)
        except ValueError as error:
            raise ConfigurationError(f"{wsdl.name}: {error}") from error
        self._soap12 = isinstance(self._service._binding, zeep.wsdl.bindings.soap.Soap12Binding)  # noqa: SLF001 - zeep offers no other way

    def envelope(self, operation: str, payload: Tree) -> bytes:
        """The request's bytes. Raises DataError where the payload does not fit the WSDL."""
        if not isinstance(payload, dict):
            raise DataError(f"{operation} takes named parts, not a {type(payload).__name__}")
        with self._wsdl.lock:
            try:
                root = self._wsdl.client.create_message(self._service, operation, **payload)  # type: ignore[no-untyped-call]
            except (zeep.exceptions.Error, ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(f"{operation} does not fit the WSDL: {error}") from error
        if self._token is not None:
            root, _ = self._token.apply(root, {})  # type: ignore[no-untyped-call]
        return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))

    def call(self, operation: str, payload: Tree, *, deadline: dt.datetime | None = None) -> HttpResponse:
        """Send `payload` as `operation` and return the raw answer: a SOAP fault is its bytes and status, no error.

        Raises DataError before anything is sent, TransportError and CallFailed as HttpPort does.
        """
        body = self.envelope(operation, payload)
        return self._http.request(
            "POST",
            self._endpoint,
            headers={**self._headers, **self._content_headers(operation)},
            body=body,
            deadline=deadline,
            operation=operation,
            reuse_idle=self._reuse_idle,
        )

    def _content_headers(self, operation: str) -> dict[str, str]:
        action = self._service._binding.get(operation).soapaction or ""  # noqa: SLF001
        if self._soap12:
            return {"content-type": f'application/soap+xml; charset=utf-8; action="{action}"'}
        return {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{action}"'}


def open_soap(
    http: HttpPort,
    wsdl: Path | str,
    endpoint: str,
    *,
    service: str | None = None,
    port: str | None = None,
    headers: Mapping[str, str] | None = None,
    username_token: tuple[str, str] | None = None,
    reuse_idle: bool = False,
) -> ZeepSoap:
    """What `Context.soap` is, once the connection's HttpPort is bound as its first argument."""
    return ZeepSoap(
        http,
        Path(wsdl),
        endpoint,
        service=service,
        port=port,
        headers=headers,
        username_token=username_token,
        reuse_idle=reuse_idle,
    )
