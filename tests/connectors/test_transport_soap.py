"""SOAP: envelopes from a WSDL on disk, bytes through the HTTP port, and nothing fetched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import etree

from hub.sdk.errors import ConfigurationError, DataError
from hub.sdk.ports import HttpResponse
from hub.transport.soap import open_soap

WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/{soap}/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:example:sales" targetNamespace="urn:example:sales">
  <types>
    <xsd:schema targetNamespace="urn:example:sales" elementFormDefault="qualified">
      {imports}
      <xsd:element name="Post"><xsd:complexType><xsd:sequence>
        <xsd:element name="Reference" type="xsd:string"/>
        <xsd:element name="Amount" type="xsd:decimal"/>
      </xsd:sequence></xsd:complexType></xsd:element>
      <xsd:element name="Posted"><xsd:complexType><xsd:sequence>
        <xsd:element name="Number" type="xsd:string"/>
      </xsd:sequence></xsd:complexType></xsd:element>
    </xsd:schema>
  </types>
  <message name="In"><part name="body" element="t:Post"/></message>
  <message name="Out"><part name="body" element="t:Posted"/></message>
  <portType name="Sales"><operation name="Post"><input message="t:In"/><output message="t:Out"/></operation></portType>
  <binding name="SalesBinding" type="t:Sales">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Post"><soap:operation soapAction="urn:example:sales/Post"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
  <service name="SalesService"><port name="Sales" binding="t:SalesBinding">
    <soap:address location="http://vendor.example/sales"/></port></service>
</definitions>"""


class Recorder:
    """An HttpPort that answers with a fault and remembers what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes, dt.datetime | None, str, bool]] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        deadline: dt.datetime | None = None,
        operation: str = "default",
        reuse_idle: bool = True,
    ) -> HttpResponse:
        self.calls.append((method, url, dict(headers or {}), body, deadline, operation, reuse_idle))
        return HttpResponse(500, {"content-type": "text/xml"}, b"<fault/>")


def wsdl(folder: Path, *, soap: str = "soap", imports: str = "") -> Path:
    path = folder / "sales.wsdl"
    path.write_text(WSDL.format(soap=soap, imports=imports), encoding="utf-8")
    return path


def test_a_call_is_the_wsdls_envelope_sent_to_the_configured_endpoint(tmp_path: Path) -> None:
    http = Recorder()
    deadline = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    port = open_soap(http, wsdl(tmp_path), "https://erp.example/sales", headers={"authorization": "Basic eA=="})
    answer = port.call("Post", {"Reference": "a<b", "Amount": "19.90"}, deadline=deadline)
    ((method, url, headers, body, at, operation, reuse_idle),) = http.calls
    assert (method, url, at, operation, reuse_idle) == ("POST", "https://erp.example/sales", deadline, "Post", False)
    assert headers["soapaction"] == '"urn:example:sales/Post"'
    assert headers["content-type"] == "text/xml; charset=utf-8"
    assert headers["authorization"] == "Basic eA=="
    tree = etree.fromstring(body)
    assert tree.findtext(".//{urn:example:sales}Reference") == "a<b"
    assert tree.findtext(".//{urn:example:sales}Amount") == "19.90"
    assert (answer.status, answer.body) == (500, b"<fault/>")


def test_soap_1_2_names_the_action_in_the_content_type(tmp_path: Path) -> None:
    http = Recorder()
    open_soap(http, wsdl(tmp_path, soap="soap12"), "https://erp.example/").call(
        "Post", {"Reference": "r", "Amount": "1"}
    )
    headers = http.calls[0][2]
    assert headers == {"content-type": 'application/soap+xml; charset=utf-8; action="urn:example:sales/Post"'}


def test_a_username_token_stands_in_the_envelopes_header(tmp_path: Path) -> None:
    http = Recorder()
    port = open_soap(http, wsdl(tmp_path), "https://erp.example/", username_token=("hub", "geheim"))
    body = port.envelope("Post", {"Reference": "r", "Amount": "1"})
    assert etree.fromstring(body).findtext(".//{*}Username") == "hub"


@pytest.mark.parametrize(
    "payload",
    [{"Reference": "r", "Amount": "1", "Colour": "red"}, {"Reference": "r", "Amount": "1", "Post": {}}, ["r"]],
)
def test_a_payload_that_does_not_fit_is_a_data_error_and_nothing_is_sent(tmp_path: Path, payload: object) -> None:
    http = Recorder()
    with pytest.raises(DataError, match="Post"):
        open_soap(http, wsdl(tmp_path), "https://erp.example/").call("Post", payload)
    assert http.calls == []


def test_a_missing_part_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Amount"):
        open_soap(Recorder(), wsdl(tmp_path), "https://erp.example/").call("Post", {"Reference": "r"})


def test_an_unknown_operation_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cancel"):
        open_soap(Recorder(), wsdl(tmp_path), "https://erp.example/").call("Cancel", {})


@pytest.mark.parametrize(
    "location",
    ["http://vendor.example/types.xsd", "https://vendor.example/types.xsd", "../outside.xsd", "/etc/hostname"],
)
def test_a_wsdl_that_reaches_beyond_its_folder_is_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.xsd").write_text('<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema"/>')
    path = wsdl(folder, imports=f'<xsd:import namespace="urn:other" schemaLocation="{location}"/>')
    with pytest.raises(ConfigurationError):
        open_soap(Recorder(), path, "https://erp.example/")


def test_a_wsdl_with_a_document_type_is_refused(tmp_path: Path) -> None:
    path = wsdl(tmp_path)
    text = path.read_text().replace("?>\n", '?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>\n', 1)
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        open_soap(Recorder(), path, "https://erp.example/")


def test_a_service_the_wsdl_does_not_have_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sales\.wsdl"):
        open_soap(Recorder(), wsdl(tmp_path), "https://erp.example/", service="Other")
