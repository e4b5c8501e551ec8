"""The SSRF guard: which addresses are public, and what configuration may pin."""

from __future__ import annotations

import pytest

from hub.transport.guard import AddressRefused, Guard


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "not an address",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"hooks\.example\.com"):
        Guard().check("hooks.example.com", address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_public_addresses_pass(address: str) -> None:
    Guard().check("hooks.example.com", address)


@pytest.mark.parametrize("host", ["erp.acme.example", "ERP.Acme.Example.", "10.0.0.7", "[fd00::7]"])
def test_a_host_named_in_configuration_may_be_anywhere(host: str) -> None:
    Guard(["erp.acme.example", "10.0.0.7", "fd00::7"]).check(host, "10.0.0.7")


def test_pinning_one_host_pins_no_other() -> None:
    with pytest.raises(AddressRefused):
        Guard(["erp.acme.example"]).check("evil.erp.acme.example", "10.0.0.7")
