"""The emulated systems of a run, one row each: what it is told at its start, how it is connected, what it sells.

Whatever differs from system to system stands in its row, here, in its reader (ledgers) and in its check (checks).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.demo.processes import EmulatorProcess
from tests.chaos.scenario import LOCATIONS, SETTLE_SECONDS, Scenario
from tests.chaos.shelf import Shelf

SHOP, MARKET, EDI, WMS, ERP, CRM, CARRIER = "shop", "market", "edi", "wms", "erp", "crm", "carrier"
PAYMENT, MAIL = "payment", "mail"
CHECKOUT = "cards"
"""The gateway that authorises at the shop, where there is a payment provider."""
DOMAIN = "chaos.example"
SHOP_SECRET = "chaos-shop-secret-0001"
SHOP_LOCATION = "655441491"
MARKETPLACE = "ATVPDKIKX0DER"
SELLER = "CHAOSSELLER1"
PARTNER: Mapping[str, Any] = {
    "id": "bigbox",
    "name": "Big Box Stores",
    "ours": {"qualifier": "ZZ", "id": "ACME", "group": "ACME"},
    "theirs": {"qualifier": "01", "id": "049351117"},
    "currency": "USD",
}

CALL_DEADLINE = "3s"
POLL_EVERY = "15s"
POLLED_ONLY_EVERY = "1s"
LOOKBACK_SECONDS = 5
"""How far a poll reaches back: above the lag of the channels' searches."""
LABELLED = LOCATIONS[1]
"""The location whose labels the hub buys, where there is a carrier."""

Settings = Callable[[Scenario, Shelf], dict[str, str]]
Connection = Callable[[Scenario, EmulatorProcess], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class System:
    """`connection` is its file without what all have; `share` its part of the orders, 0 for what is no channel.

    `secrets` are named in the connection's file as variables, and told to the emulator by `emulated`.
    """

    name: str
    emulator: str
    emulated: Settings
    connection: Connection
    secrets: Mapping[str, str] = field(default_factory=dict)
    share: float = 0.0
    shows_stock: bool = False
    """A channel that sells against the level it was told last."""
    partner: Mapping[str, Any] | None = None
    untaken: Callable[[EmulatorProcess], int] = lambda _: 0
    """What it has for the hub beside webhooks."""


def _lookup() -> dict[str, Any]:
    return {"safety": {"mode": "lookup", "settle": f"{SETTLE_SECONDS}s"}}


def _lookback(scenario: Scenario) -> int:
    return 0 if scenario.deaf else LOOKBACK_SECONDS


def _hub_pays(scenario: Scenario) -> bool:
    """The hub handles the shop's money: people here and at the store change orders too."""
    return PAYMENT in scenario.systems


def _all_skus(shelf: Shelf) -> str:
    return ",".join((*shelf.guarded, *shelf.late))


# --- the channels ---------------------------------------------------------------------------------------------------


def _shop(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    poll = {"every": POLLED_ONLY_EVERY if scenario.deaf else POLL_EVERY}
    told = {name: _lookup() for name in ("push_cancellation", "push_order_status")} if _hub_pays(scenario) else {}
    return {
        "connector": "shopify",
        "config": {
            "shop": DOMAIN,
            "endpoint": emulator.url,
            "access_token": "${env:CHAOS_SHOP_TOKEN}",
            "webhook_secrets": ["${env:CHAOS_SHOP_SECRET}"],
            "location": SHOP_LOCATION,
            "lookback_seconds": _lookback(scenario),
            "page_size": 50,
        },
        "streams": {
            "orders": {"start_from": "always", "push": True, "poll": poll},
            "refunds": {"push": True, "poll": poll},
        },
        "effects_out": {"push_shipment": _lookup(), "push_inventory": {}, **told},
    }


def _market(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    return {
        "connector": "amazon_sp",
        "config": {
            "region": "na",
            "marketplaces": [MARKETPLACE],
            "client_id": "${env:CHAOS_MARKET_CLIENT}",
            "client_secret": "${env:CHAOS_MARKET_SECRET}",
            "refresh_token": "${env:CHAOS_MARKET_REFRESH}",
            "seller_id": SELLER,
            "endpoint": emulator.url,
            "token_endpoint": f"{emulator.url}/auth/o2/token",
            "lookback_seconds": _lookback(scenario),
        },
        "streams": {
            "orders": {"start_from": "always", "poll": {"every": POLLED_ONLY_EVERY}},
            "cancel_requests": {},
        },
        "effects_out": {"push_shipment": _lookup(), "push_inventory": _lookup()},
    }


def _edi(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    del scenario
    there = emulator.status()
    return {
        "connector": "sftp_files",
        "codec": "x12",
        "partner": PARTNER["id"],
        "config": {
            "host": there["sftp_host"],
            "port": there["sftp_port"],
            "host_keys": [there["host_key"]],
            "username": "hub",
            "password": "${env:CHAOS_EDI_PASSWORD}",
        },
        "streams": {
            "orders": {
                "start_from": "always",
                "poll": {"every": POLLED_ONLY_EVERY},
                "files": {"directory": "/out", "stable_for": "1s", "then": "archive"},
            }
        },
        "effects_out": {"acknowledge": {}, "push_shipment": {"directory": "/in"}},
    }


def _untaken_files(emulator: EmulatorProcess) -> int:
    return len(emulator.control("files", {"directory": "/out"})["files"])


# --- the others -----------------------------------------------------------------------------------------------------


def _wms(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    polled = {"push": True, "poll": {"every": POLL_EVERY}}
    labels: dict[str, Any] = {"send_label": {}} if CARRIER in scenario.systems else {}
    return {
        "connector": "wms_rest",
        "config": {
            "base_url": emulator.url,
            "api_key": "${env:CHAOS_WMS_KEY}",
            "webhook_secrets": ["${env:CHAOS_WMS_SECRET}"],
        },
        "streams": {
            "fulfilment_responses": polled,
            "shipments": polled,
            "stock": {"means": "on_hand", "push": True, "poll": {"every": POLL_EVERY}},
            **({"returns": polled} if PAYMENT in scenario.systems else {}),
        },
        "effects_out": {"send_fulfilment_request": {}, "cancel_fulfilment_request": {}, **labels},
    }


def _erp(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    owed: dict[str, Any] = {"post_credit_note": {}} if PAYMENT in scenario.systems else {}
    return {
        "connector": "erp_soap",
        "config": {
            "endpoint": emulator.url,
            "username": "hub",
            "password": "${env:CHAOS_ERP_PASSWORD}",
            "webhook_secrets": ["${env:CHAOS_ERP_SECRET}"],
        },
        "streams": {"acknowledgements": {"push": True}},
        "effects_out": {
            "submit_order": _lookup(),
            "update_order": _lookup(),
            "cancel_order": _lookup(),
            "post_invoice": {},
            **owed,
        },
    }


def _crm(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    del scenario
    return {
        "connector": "crm_rest",
        "config": {
            "base_url": emulator.url,
            "client_id": "order-hub",
            "client_secret": "${env:CHAOS_CRM_PASSWORD}",
            "webhook_secrets": ["${env:CHAOS_CRM_SECRET}"],
        },
        "streams": {"customers": {"push": True, "poll": {"every": POLL_EVERY}}},
        "effects_out": {"upsert_customer": {}},
    }


def _carrier(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    del scenario
    return {
        "connector": "carrier_rest",
        "config": {
            "base_url": emulator.url,
            "api_key": "${env:CHAOS_CARRIER_KEY}",
            "webhook_secrets": ["${env:CHAOS_CARRIER_SECRET}"],
        },
        "streams": {"tracking": {"push": True, "poll": {"every": POLL_EVERY}}},
        "effects_out": {"buy_label": {}, "void_label": {}},
    }


def _payment(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    del scenario
    polled = {"push": True, "poll": {"every": POLL_EVERY, "lookback": f"{LOOKBACK_SECONDS}s"}}
    return {
        "connector": "payment_rest",
        "config": {
            "base_url": emulator.url,
            "api_key": "${env:CHAOS_PAYMENT_KEY}",
            "webhook_secrets": ["${env:CHAOS_PAYMENT_SECRET}"],
        },
        "streams": {"payments": polled, "refunds": polled},
        "effects_out": {name: {} for name in ("authorise", "reauthorise", "capture", "refund", "void")},
    }


def _mail(scenario: Scenario, emulator: EmulatorProcess) -> dict[str, Any]:
    del scenario
    there = emulator.status()
    return {
        "connector": "mail",
        "config": {
            "host": there["smtp_host"],
            "port": there["smtp_port"],
            "security": "none",
            "username": "hub",
            "password": "${env:CHAOS_MAIL_PASSWORD}",
            "sender": f"Chaos <orders@{DOMAIN}>",
        },
        # A mailbox shows a Message-ID once: rather twice than never, also where a kill came in between.
        "effects_out": {"notify": {"repeat_unknown": True, "safety": {"mode": "idempotency_key"}}},
    }


SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        System(
            SHOP,
            "connectors.shopify.emulator:ShopifyEmulator",
            lambda scenario, shelf: {
                "access_token": "chaos-token",
                "webhook_secret": SHOP_SECRET,
                "shop": DOMAIN,
                "location": SHOP_LOCATION,
                "skus": _all_skus(shelf),
                "header_family": "both",
                "bucket": "1000000",
                "restore_rate": "100000",
                "checkout": CHECKOUT if PAYMENT in scenario.systems else "",
            },
            _shop,
            {"CHAOS_SHOP_TOKEN": "chaos-token", "CHAOS_SHOP_SECRET": SHOP_SECRET},
            share=0.7,
            shows_stock=True,
        ),
        System(
            MARKET,
            "connectors.amazon_sp.emulator:AmazonEmulator",
            lambda _, shelf: {
                "client_id": "chaos-client",
                "client_secret": "chaos-market-secret",
                "refresh_token": "chaos-refresh",
                "seller_id": SELLER,
                "marketplace": MARKETPLACE,
                "skus": _all_skus(shelf),
                "rates": json.dumps({"default": 2000}),
                "bursts": json.dumps({"default": 2000}),
            },
            _market,
            {
                "CHAOS_MARKET_CLIENT": "chaos-client",
                "CHAOS_MARKET_SECRET": "chaos-market-secret",
                "CHAOS_MARKET_REFRESH": "chaos-refresh",
            },
            share=0.2,
            shows_stock=True,
        ),
        System(
            EDI,
            "connectors.sftp_files.emulator:PartnerEmulator",
            lambda _scenario, _shelf: {
                "username": "hub",
                "password": "chaos-edi-password",
                "partner_qualifier": PARTNER["theirs"]["qualifier"],
                "partner_id": PARTNER["theirs"]["id"],
                "hub_qualifier": PARTNER["ours"]["qualifier"],
                "hub_id": PARTNER["ours"]["id"],
                "hub_group": PARTNER["ours"]["group"],
                "currency": "USD",
            },
            _edi,
            {"CHAOS_EDI_PASSWORD": "chaos-edi-password"},
            share=0.1,
            partner=PARTNER,
            untaken=_untaken_files,
        ),
        System(
            WMS,
            "connectors.wms_rest.emulator:WmsEmulator",
            lambda scenario, _: {
                "api_key": "chaos-wms-key",
                "webhook_secret": "chaos-wms-secret-00001",
                "warehouses": ",".join(LOCATIONS),
                "acknowledge_seconds": "0.3",
                "pack_seconds": "0.8",
                "ship_seconds": "1.4",
                "cancel_seconds": "0.5",
                **scenario.warehouse,
            },
            _wms,
            {"CHAOS_WMS_KEY": "chaos-wms-key", "CHAOS_WMS_SECRET": "chaos-wms-secret-00001"},
        ),
        System(
            ERP,
            "connectors.erp_soap.emulator:ErpEmulator",
            lambda _scenario, _shelf: {
                "username": "hub",
                "password": "chaos-erp",
                "webhook_secret": "chaos-erp-secret-00001",
            },
            _erp,
            {"CHAOS_ERP_PASSWORD": "chaos-erp", "CHAOS_ERP_SECRET": "chaos-erp-secret-00001"},
        ),
        System(
            CRM,
            "connectors.crm_rest.emulator:CrmEmulator",
            lambda _scenario, _shelf: {
                "client_secret": "chaos-crm-password",
                "webhook_secret": "chaos-crm-secret-00001",
            },
            _crm,
            {"CHAOS_CRM_PASSWORD": "chaos-crm-password", "CHAOS_CRM_SECRET": "chaos-crm-secret-00001"},
        ),
        System(
            CARRIER,
            "connectors.carrier_rest.emulator:CarrierEmulator",
            lambda _scenario, _shelf: {
                "api_key": "chaos-carrier-key",
                "webhook_secret": "chaos-carrier-secret-01",
                "scan_seconds": "5",
                "scan_every": "0.5",
            },
            _carrier,
            {"CHAOS_CARRIER_KEY": "chaos-carrier-key", "CHAOS_CARRIER_SECRET": "chaos-carrier-secret-01"},
        ),
        System(
            PAYMENT,
            "connectors.payment_rest.emulator:PaymentEmulator",
            lambda _scenario, _shelf: {"api_key": "chaos-payment-key", "webhook_secret": "chaos-payment-secret-01"},
            _payment,
            {"CHAOS_PAYMENT_KEY": "chaos-payment-key", "CHAOS_PAYMENT_SECRET": "chaos-payment-secret-01"},
        ),
        System(
            MAIL,
            "connectors.mail.emulator:MailEmulator",
            lambda _scenario, _shelf: {"username": "hub", "password": "chaos-mail-password"},
            _mail,
            {"CHAOS_MAIL_PASSWORD": "chaos-mail-password"},
        ),
    )
}


def systems_of(scenario: Scenario) -> list[System]:
    return [SYSTEMS[name] for name in scenario.systems]


def channels_of(scenario: Scenario) -> list[System]:
    return [system for system in systems_of(scenario) if system.share]
