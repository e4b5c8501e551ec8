"""Notifications over real SMTP: what arrives, what each reply means, and what is known when the line breaks."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution, TransportError
from hub.sdk.records import Effect, Unsure
from tests.connectors.mail_world import KEY, MAPPINGS, MailWorld

Open = Callable[..., MailWorld]


@pytest.fixture
def open_world() -> Iterator[Open]:
    opened: list[MailWorld] = []

    def make(*arguments: Any, **options: Any) -> MailWorld:
        opened.append(MailWorld(*arguments, **options))
        return opened[-1]

    yield make
    for world in opened:
        world.close()


@pytest.fixture
def world(open_world: Open) -> MailWorld:
    return open_world()


def test_a_notification_arrives_as_it_was_frozen(world: MailWorld) -> None:
    reply = world.connect().notify(world.effect())
    (mail,) = world.mails
    assert mail["to"] == "buyer@shop.example"
    assert mail["sender"] == "Acme <orders@acme.example>"
    assert mail["subject"] == "Your order #1001 is on its way"
    assert "Hello Zoë Buyer," in mail["text"]
    assert "2 x Blue mug" in mail["text"]
    assert "Tracking number: TN1" in mail["text"]
    assert "Follow it" not in mail["text"], "a line without its field is left out"
    assert reply.external_id == mail["id"]
    record = MAPPINGS.get("mail/notify.reply").run(json.loads(reply.raw)).record
    assert record == {"external_id": mail["id"], "number": "250"}


def test_a_page_and_an_attachment_travel_beside_the_text(world: MailWorld) -> None:
    attached = [{"name": "label.pdf", "content_type": "application/pdf", "content": "JVBERi0="}]
    world.connect().notify(world.effect(html="<p>Hello</p>", attachments=attached))
    (mail,) = world.mails
    assert (mail["html"].strip(), mail["attachments"]) == ("<p>Hello</p>", ["label.pdf"])
    assert mail["text"]


def test_lines_that_begin_with_a_dot_arrive_whole(world: MailWorld) -> None:
    world.connect().notify(world.effect(text=".first\n..second\nend"))
    (mail,) = world.mails
    assert mail["text"].splitlines() == [".first", "..second", "end"]


def test_the_same_key_gives_the_same_id_and_a_mailbox_knows_the_repeat(world: MailWorld) -> None:
    connector = world.connect()
    first, again = connector.notify(world.effect()), connector.notify(world.effect())
    other = connector.notify(world.effect(key=KEY + "2"))
    assert first.external_id == again.external_id != other.external_id
    assert world.kinds() == ["mail", "mail", "repeated"]
    assert "sh_1" not in str(first.external_id), "the id tells nobody our key"


def test_a_brand_has_its_own_sender(world: MailWorld) -> None:
    connector = world.connect(senders={"outlet": "Outlet <hello@outlet.example>"})
    connector.notify(world.effect(brand="outlet"))
    connector.notify(world.effect(key="k2", brand="another"))
    assert [mail["sender"] for mail in world.mails] == ["Outlet <hello@outlet.example>", "Acme <orders@acme.example>"]


@pytest.mark.parametrize(
    ("recipient", "resolution", "code"),
    [
        ("nobody@shop.example", Resolution.REJECTED, "550"),
        ("later@shop.example", Resolution.RETRY, "450"),
        ("full@shop.example", Resolution.REJECTED, "552"),
    ],
)
def test_a_reply_that_is_no_yes_means_what_its_code_says(
    world: MailWorld, recipient: str, resolution: Resolution, code: str
) -> None:
    with pytest.raises(CallFailed) as caught:
        world.connect().notify(world.effect(to={"email": recipient}))
    assert (caught.value.resolution, caught.value.code) == (resolution, code)
    assert caught.value.words.startswith(code)
    assert world.mails == []


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
@pytest.mark.parametrize(("kind", "resolution"), [("refuse", Resolution.REJECTED), ("closing", Resolution.RETRY)])
def test_each_stage_can_say_no(world: MailWorld, stage: str, kind: str, resolution: Resolution) -> None:
    world.control("fault", stage=stage, kind=kind)
    with pytest.raises(CallFailed) as caught:
        world.connect().notify(world.effect())
    assert caught.value.resolution is resolution
    assert world.mails == []


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
def test_a_line_that_breaks_before_the_message_left_is_tried_again(world: MailWorld, stage: str) -> None:
    world.control("fault", stage=stage, kind="cut")
    with pytest.raises(TransportError) as caught:
        world.connect().notify(world.effect())
    assert caught.value.before_first_byte
    assert world.mails == []


@pytest.mark.parametrize("happened", [True, False])
def test_a_line_that_breaks_after_the_message_left_proves_nothing(open_world: Open, happened: bool) -> None:
    world = open_world(Faults(script={1: "drop_after" if happened else "late_commit"}))
    connector = world.connect()
    with pytest.raises(TransportError) as caught:
        connector.notify(world.effect())
    assert not caught.value.before_first_byte
    assert len(world.mails) == int(happened)
    assert isinstance(connector.lookup(Capability.NOTIFY, world.effect()), Unsure)


def test_a_connection_may_rather_write_twice_than_never(world: MailWorld) -> None:
    world.control("fault", stage="data", kind="lost")
    connector = world.connect(options={"repeat_unknown": True})
    with pytest.raises(CallFailed) as caught:
        connector.notify(world.effect())
    assert caught.value.resolution is Resolution.RETRY
    connector.notify(world.effect())
    assert world.kinds() == ["mail", "repeated"]


def test_nobody_listens_is_tried_again(world: MailWorld) -> None:
    with pytest.raises(TransportError) as caught:
        world.connect(port=1).notify(world.effect())
    assert caught.value.before_first_byte


@pytest.mark.parametrize(
    "to",
    [
        {"email": "not an address"},
        {"email": "a@b.example\r\nBcc: x@y.example"},
        {"email": "@b.example"},
        {"email": "ü@b.example"},
        {"email": "a,b@c.example"},
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(world: MailWorld, to: dict[str, str]) -> None:
    with pytest.raises(CallFailed) as caught:
        world.connect().notify(world.effect(to=to))
    assert (caught.value.resolution, caught.value.code) == (Resolution.REJECTED, "no_message")
    assert world.mails == []


def test_a_subject_or_a_name_adds_no_header(world: MailWorld) -> None:
    to = {"email": "buyer@shop.example", "name": "A\r\nBcc: x@y.example"}
    world.connect().notify(world.effect(to=to, subject="Hello\r\nBcc: x@y.example"))
    (mail,) = world.mails
    assert mail["subject"] == "Hello Bcc: x@y.example"
    assert mail["to"] == "buyer@shop.example"


def test_a_message_that_is_too_large_is_not_sent(open_world: Open) -> None:
    world = open_world(max_bytes="2000")
    with pytest.raises(CallFailed) as caught:
        world.connect(max_bytes=1500).notify(world.effect(text="x" * 1600))
    assert caught.value.code == "too_large"
    with pytest.raises(CallFailed) as caught:
        world.connect().notify(world.effect(text="x" * 3000))
    assert caught.value.code == "552", "the server's own bound, told before the message"
    assert world.mails == []


def test_a_payload_that_is_none_is_refused(world: MailWorld) -> None:
    with pytest.raises(CallFailed, match="no object"):
        world.connect().notify(Effect("text", KEY, {}, world.clock.now() + dt.timedelta(seconds=5)))


def test_a_sender_that_is_no_address_is_a_fault_of_the_configuration(world: MailWorld) -> None:
    with pytest.raises(ConfigurationError):
        world.connect(sender="Acme")


# -- login and encryption ------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_goes_encrypted_to_a_server_that_is_trusted(
    open_world: Open, certificate: Path, security: str
) -> None:
    world = open_world(security=security, certificate=str(certificate), username="hub", password="secret-1")
    login: dict[str, Any] = {"username": "hub", "password": "secret-1"}
    connector = world.connect(security=security, ca=str(certificate), **login)
    assert connector.check().ok
    connector.notify(world.effect())
    assert len(world.mails) == 1
    with pytest.raises(TransportError, match="not trusted") as caught:
        world.connect(security=security, **login).notify(world.effect(key="k2"))
    assert caught.value.before_first_byte
    assert len(world.mails) == 1


def test_a_server_without_encryption_is_written_nothing(world: MailWorld) -> None:
    with pytest.raises(CallFailed) as caught:
        world.connect(security="starttls").notify(world.effect())
    assert caught.value.resolution is Resolution.AUTH_FAILED
    assert world.mails == []


def test_a_wrong_password_pauses_the_connection(open_world: Open) -> None:
    world = open_world(username="hub", password="secret-1")
    connector = world.connect(username="hub", password="wrong")
    with pytest.raises(CallFailed) as caught:
        connector.notify(world.effect())
    assert caught.value.resolution is Resolution.AUTH_FAILED
    assert "wrong" not in caught.value.words
    assert not connector.check().ok
    with pytest.raises(CallFailed) as caught:
        world.connect().notify(world.effect())
    assert (caught.value.resolution, caught.value.code) == (Resolution.AUTH_FAILED, "530")
