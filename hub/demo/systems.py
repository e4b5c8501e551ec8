"""The emulated systems of the demo: what each is told at its start, how it misbehaves, and how its ledger reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.demo.goods import CATALOGUE, LOCATIONS, SHOP_LOCATIONS

SHOP, MARKET, WMS, ERP = "shopify-us", "amazon-eu", "wms-east", "erp-soap"
CRM, CARRIER, PARTNER, PAYMENT, MAIL = "crm", "carrier", "edi-acme", "payment", "mail"
CALL_CENTRE = "call-centre"
"""No system of its own: its orders are written through the hub's API."""
SHOP_DOMAIN = "acme-demo.example"

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class System:
    """One emulated system and the connection of config/demo that talks to it."""

    connection: str
    emulator: str
    address: str
    """The variable of the environment that says where it listens."""
    settings: Callable[[Environment], dict[str, str]]
    secrets: tuple[str, ...]
    """Variables made up anew for each demo."""
    did: Mapping[str, str]
    """Kinds of entries in its ledger, in words."""
    faults: Mapping[int, str] = field(default_factory=dict)
    """By number of the call, counted from when misbehaviour begins."""
    webhooks: Mapping[str, float] = field(default_factory=dict)
    """Shares of its webhooks that are doubled, swapped or sent before our own call's answer."""
    tells: Mapping[str, str] = field(default_factory=dict)
    """Variables that take more of what its status says of itself."""


def _shop(environ: Environment) -> dict[str, str]:
    return {
        "access_token": environ["DEMO_SHOP_TOKEN"],
        "webhook_secret": environ["DEMO_SHOP_SECRET"],
        "shop": SHOP_DOMAIN,
        "location": SHOP_LOCATIONS[LOCATIONS[0]],
        "skus": ",".join(article.sku for article in CATALOGUE),
        "checkout": "cards",
    }


def _warehouse(environ: Environment) -> dict[str, str]:
    return {
        "api_key": environ["DEMO_WMS_TOKEN"],
        "webhook_secret": environ["DEMO_WMS_SECRET"],
        "warehouses": ",".join(LOCATIONS),
        "acknowledge_seconds": "0.2",
        "pack_seconds": "0.6",
        "ship_seconds": "1.0",
        "collect_seconds": "30",
    }


def _erp(environ: Environment) -> dict[str, str]:
    return {
        "username": "hub",
        "password": environ["DEMO_ERP_PASSWORD"],
        "webhook_secret": environ["DEMO_ERP_SECRET"],
    }


def _market(environ: Environment) -> dict[str, str]:
    return {
        "client_id": environ["DEMO_AMAZON_CLIENT"],
        "client_secret": environ["DEMO_AMAZON_SECRET"],
        "refresh_token": environ["DEMO_AMAZON_REFRESH"],
        "seller_id": "ACMEDEMO1",
    }


def _crm(environ: Environment) -> dict[str, str]:
    return {"client_secret": environ["DEMO_CRM_TOKEN"], "webhook_secret": environ["DEMO_CRM_SECRET"]}


def _carrier(environ: Environment) -> dict[str, str]:
    return {
        "api_key": environ["DEMO_CARRIER_TOKEN"],
        "webhook_secret": environ["DEMO_CARRIER_SECRET"],
        "scan_seconds": "1.0",
        "scan_every": "0.5",
    }


def _payment(environ: Environment) -> dict[str, str]:
    return {"api_key": environ["DEMO_PAYMENT_TOKEN"], "webhook_secret": environ["DEMO_PAYMENT_SECRET"]}


def _partner(environ: Environment) -> dict[str, str]:
    return {"username": "hub", "password": environ["DEMO_SFTP_PASSWORD"]}


def _mail(environ: Environment) -> dict[str, str]:
    return {"username": "hub", "password": environ["DEMO_MAIL_PASSWORD"]}


SYSTEMS: tuple[System, ...] = (
    System(
        SHOP,
        "connectors.shopify.emulator:ShopifyEmulator",
        "DEMO_SHOP_URL",
        _shop,
        ("DEMO_SHOP_TOKEN", "DEMO_SHOP_SECRET"),
        {
            "order_placed": "orders placed",
            "fulfilment": "fulfilments told",
            "stock_push": "stock levels told",
            "cancel": "cancelled",
            "refund": "refunds",
            "return": "returns told",
            "ready": "ready for pickup told",
            "tag": "tagged",
        },
        {4: "error_after", 9: "throttle", 14: "drop_after"},
        {"duplicate_webhook": 0.25, "reorder_webhook": 0.15, "echo_first": 0.5, "redeliver_seconds": 0.5},
    ),
    System(
        WMS,
        "connectors.wms_rest.emulator:WmsEmulator",
        "DEMO_WMS_URL",
        _warehouse,
        ("DEMO_WMS_TOKEN", "DEMO_WMS_SECRET"),
        {
            "fulfilment_request": "requests",
            "shipment": "shipments",
            "short": "shorts",
            "reject": "rejections",
            "cancel_request": "cancel requests",
            "duplicate_reference": "repeats recognised",
            "stock_snapshot": "counts told",
        },
        {3: "drop_after", 6: "error_after", 8: "throttle"},
        {"duplicate_webhook": 0.15, "echo_first": 0.3, "redeliver_seconds": 0.5},
    ),
    System(
        ERP,
        "connectors.erp_soap.emulator:ErpEmulator",
        "DEMO_ERP_URL",
        _erp,
        ("DEMO_ERP_PASSWORD", "DEMO_ERP_SECRET"),
        {
            "sales_order": "sales orders",
            "order_change": "changes",
            "order_cancel": "cancellations",
            "invoice": "invoices",
            "credit_note": "credit notes",
            "refused": "refusals",
        },
        {2: "error_after", 5: "throttle", 7: "drop_after", 9: "error_before"},
    ),
    System(
        MARKET,
        "connectors.amazon_sp.emulator:AmazonEmulator",
        "DEMO_AMAZON_URL",
        _market,
        ("DEMO_AMAZON_CLIENT", "DEMO_AMAZON_SECRET", "DEMO_AMAZON_REFRESH"),
        {
            "order_placed": "orders placed",
            "fulfilment": "shipments confirmed",
            "repeated": "repeats recognised",
            "stock_push": "stock levels told",
            "cancel_request": "buyers asked to cancel",
            "shipped_by_channel": "shipped by the marketplace",
        },
        {4: "throttle", 7: "error_before", 12: "drop_after"},
    ),
    System(
        CRM,
        "connectors.crm_rest.emulator:CrmEmulator",
        "DEMO_CRM_URL",
        _crm,
        ("DEMO_CRM_TOKEN", "DEMO_CRM_SECRET"),
        {"customer_put": "customers told", "customer_replay": "repeats recognised", "customer_change": "changed there"},
        {3: "error_after", 6: "throttle", 11: "drop_after"},
        {"duplicate_webhook": 0.2, "redeliver_seconds": 0.5},
    ),
    System(
        CARRIER,
        "connectors.carrier_rest.emulator:CarrierEmulator",
        "DEMO_CARRIER_URL",
        _carrier,
        ("DEMO_CARRIER_TOKEN", "DEMO_CARRIER_SECRET"),
        {
            "label": "labels sold",
            "void": "labels voided",
            "duplicate_key": "repeats recognised",
            "rate": "rates asked",
            "scan": "parcels scanned",
        },
        {2: "drop_after", 5: "error_after", 8: "throttle"},
        {"duplicate_webhook": 0.2, "reorder_webhook": 0.2, "redeliver_seconds": 0.5},
    ),
    System(
        PAYMENT,
        "connectors.payment_rest.emulator:PaymentEmulator",
        "DEMO_PAYMENT_URL",
        _payment,
        ("DEMO_PAYMENT_TOKEN", "DEMO_PAYMENT_SECRET"),
        {
            "authorise": "payments authorised",
            "capture": "captures",
            "refund": "refunds",
            "void": "authorisations let go of",
            "duplicate_key": "repeats recognised",
        },
        {2: "drop_after", 5: "error_after", 8: "throttle"},
        {"duplicate_webhook": 0.2, "reorder_webhook": 0.2, "echo_first": 0.3, "redeliver_seconds": 0.5},
    ),
    System(
        PARTNER,
        "connectors.sftp_files.emulator:PartnerEmulator",
        "DEMO_SFTP_CONTROL",
        _partner,
        ("DEMO_SFTP_PASSWORD",),
        {
            "order_placed": "purchase orders",
            "order_changed": "changes of them",
            "acknowledgement": "997 taken",
            "shipment_notice": "856 taken",
            "order_answer": "855 taken",
            "change_answer": "865 taken",
            "invoice": "810 taken",
            "acknowledged": "documents acknowledged",
        },
        tells={"DEMO_SFTP_HOST": "sftp_host", "DEMO_SFTP_PORT": "sftp_port", "DEMO_SFTP_KEY": "host_key"},
    ),
    System(
        MAIL,
        "connectors.mail.emulator:MailEmulator",
        "DEMO_MAIL_CONTROL",
        _mail,
        ("DEMO_MAIL_PASSWORD",),
        {"mail": "mails taken", "repeated": "repeats recognised", "refused": "recipients refused"},
        {2: "throttle", 4: "drop_after", 7: "error_before"},
        tells={"DEMO_MAIL_HOST": "smtp_host", "DEMO_MAIL_PORT": "smtp_port"},
    ),
)

GOOD: Mapping[str, object] = {"duplicate_webhook": 0.0, "reorder_webhook": 0.0, "echo_first": 0.0, "script": {}}
"""How every system behaves when the story is over."""
