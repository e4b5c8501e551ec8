"""A mail server on a real socket and the connector that writes through it."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import replace
from typing import Any

from connectors.mail.connector import Mail
from connectors.mail.emulator import MailEmulator
from hub.config.notifications import chosen, written
from hub.mapping.library import MappingLibrary
from hub.runtime.files import real_mail
from hub.sdk.emulator import EmulatedRequest, Faults, Ledger
from hub.sdk.records import Effect
from tests.connectors.shopify_shop import Clock, context_for

MAPPINGS = MappingLibrary()
KEY = "mail/notify/notify/sh_1/shipped/buyer"


def notification(**changes: Any) -> dict[str, Any]:
    """A canonical Notification with its words."""
    record: dict[str, Any] = {
        "key": "notify/sh_1/shipped/buyer",
        "template": "shipped",
        "channel": "shop",
        "to": {"email": "buyer@shop.example", "name": "Zoë Buyer"},
        "order_number": "#1001",
        "lines": [{"title": "Blue mug", "quantity": "2"}],
        "data": {"carrier": "Parcel Co", "tracking_number": "TN1"},
        **changes,
    }
    said = written(chosen((), record["template"], "shop", "", "en"), record)
    return {"subject": said.subject, "text": said.text, **record}


class MailWorld:
    def __init__(self, faults: Faults | None = None, **config: str) -> None:
        self.clock = Clock()
        self.emulator = MailEmulator(
            ledger=Ledger(":memory:"),
            clock=self.clock,
            source=random.Random(5),
            faults=faults or Faults(),
            config=config,
        )
        self.emulator.open()

    def connect(self, *, options: dict[str, Any] | None = None, **config: Any) -> Mail:
        address = self.emulator.details()
        given = {"host": address["smtp_host"], "port": address["smtp_port"], "security": "none"}
        given["sender"] = "Acme <orders@acme.example>"
        context = context_for(None, self.clock, {**given, **config})
        context = replace(context, mail=real_mail(self.clock), effect_options={"notify": options or {}})
        return Mail(context)

    def effect(self, key: str = KEY, **changes: Any) -> Effect:
        payload = MAPPINGS.get("mail/notify.out").run(notification(**changes)).record
        return Effect(payload, key, {}, self.clock.now() + dt.timedelta(seconds=5))

    def control(self, verb: str, **asked: Any) -> Any:
        request = EmulatedRequest("POST", f"/_control/{verb}", {}, {}, json.dumps(asked).encode())
        answer = self.emulator.handle(request)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    @property
    def mails(self) -> list[dict[str, Any]]:
        return list(self.control("mails")["mails"])

    def kinds(self) -> list[str]:
        return [str(kind) for kind in ("mail", "repeated", "refused") for _ in self.emulator.ledger.entries(kind)]

    def close(self) -> None:
        self.emulator.close()
        self.emulator.ledger.close()
