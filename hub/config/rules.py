"""Every rule of the lint: what it finds, how grave that is, why it matters, what to do, and an example.

One table drives the findings, `hub config explain HUBnnn`, the page docs/reference/lint and the tests. An id never
changes its meaning.
"""

import enum
from dataclasses import dataclass

DOCS = "docs/reference/lint.md"


class Severity(enum.StrEnum):
    """error: the configuration is not taken. warning: it is taken, and hardly what was meant. info: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Example:
    """One file of a good configuration: ``broken`` in place of ``good`` triggers the rule."""

    file: str
    good: str
    broken: str


@dataclass(frozen=True, slots=True)
class Rule:
    """``title`` completes "this is ..."; ``why`` and ``remedy`` are sentences."""

    id: str
    severity: Severity
    title: str
    why: str
    remedy: str
    example: Example


_SHOP, _WMS, _ERP = "connections/shopify-us.yaml", "connections/wms-east.yaml", "connections/erp-soap.yaml"
_SITE_MAPPING = "mappings/shopify/orders.in.yaml"
_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

_ALL = (
    Rule(
        "HUB000",
        _ERROR,
        "a file that cannot be read as YAML (also: a key given twice, tags, merge keys, a second document, a tab)",
        "What cannot be read without doubt is not guessed: of a key given twice one value would silently win.",
        "Mend the place; two spaces indent, a tab never does.",
        Example("policies.yaml", "{ default: 10m, channels", "{ default: 10m, default: 5m, channels"),
    ),
    Rule(
        "HUB001",
        _ERROR,
        "an unknown key",
        "A misspelt key would be ignored, and its default would be in force without anybody noticing.",
        "Correct or remove it; `hub config explain KEY` tells what a key does.",
        Example(_SHOP, "location_map:", "locations_map:"),
    ),
    Rule(
        "HUB002",
        _ERROR,
        "a wrong type or value",
        "The value has no meaning for this key.",
        "Write it as the message says. Text that looks like a number needs quotes.",
        Example(_SHOP, "every: 10m", "every: 10 min"),
    ),
    Rule(
        "HUB003",
        _ERROR,
        "a secret written out instead of referred to",
        "Files are copied, committed and mailed; a secret in one is known to all who ever see it.",
        "Write ${env:NAME} or ${file:/path}, and take the value out of use.",
        Example(_SHOP, '"${env:SHOP_TOKEN}"', "shpat_0123456789abcdef"),
    ),
    Rule(
        "HUB004",
        _ERROR,
        "a variable that is not set, or a secret file that cannot be read",
        "The connection could not log in, or could not verify what it is sent.",
        "Set the variable where the hub runs. `hub config check --skip-env` leaves these out.",
        Example(_ERP, "${env:ERP_PASSWORD}", "${env:ERP_PASSWROD}"),
    ),
    Rule(
        "HUB005",
        _ERROR,
        "an unknown connector",
        "No code can talk to this kind of system.",
        "`hub connectors list` names them.",
        Example(_ERP, "connector: erp_soap", "connector: erp_soup"),
    ),
    Rule(
        "HUB006",
        _ERROR,
        "a stream that the connector does not have",
        "Nothing would ever be read.",
        "`hub connectors list` names each connector's streams.",
        Example(_WMS, "  stock:", "  stocks:"),
    ),
    Rule(
        "HUB007",
        _ERROR,
        "a capability that the connector does not offer",
        "What should be sent could not be sent.",
        "Take one that it offers, or another connector.",
        Example(_SHOP, "  push_shipment: {}", "  push_invoice: {}"),
    ),
    Rule(
        "HUB008",
        _ERROR,
        "an id given twice",
        "Orders, keys and cross-references hold the id; two things of one id could not be told apart.",
        "Give one of them another id; the id of a connection that ran already must stay.",
        Example("locations.yaml", "  - id: store-14", "  - id: dc-east"),
    ),
    Rule(
        "HUB009",
        _ERROR,
        "a stream of orders without start_from",
        "The first poll may bring years of old orders; without a date all of them would be shipped again.",
        "Write the moment you go live, or `always` for a shop that has no past.",
        Example(_SHOP, "start_from: 2026-11-01T00:00:00Z, push: true", "push: true"),
    ),
    Rule(
        "HUB010",
        _ERROR,
        "webhooks without a secret to verify them",
        "Anybody who knows the address could send orders.",
        "Add the secret as a reference, or take `push` away and poll.",
        Example(_WMS, '  webhook_secrets: ["${env:WMS_SECRET}"]\n', ""),
    ),
    Rule(
        "HUB011",
        _ERROR,
        "routing without a fallback",
        "An order for which no rule holds would go nowhere.",
        "Name a strategy for all the others.",
        Example("routing.yaml", "fallback: { use: cheapest, when_nothing: backorder }\n", ""),
    ),
    Rule(
        "HUB012",
        _ERROR,
        "a strategy that does not exist",
        "Orders of this rule could not be sourced.",
        "Name one of `strategies`, or chosen_store.",
        Example("routing.yaml", "use: together", "use: togehter"),
    ),
    Rule(
        "HUB013",
        _ERROR,
        "a location whose wms or stock authority cannot be one",
        "Its fulfilment requests would go nowhere, or its stock would never be known.",
        "Name a connection that exists and can do it.",
        Example("locations.yaml", "stock_authority: wms-east", "stock_authority: wms-eats"),
    ),
    Rule(
        "HUB014",
        _ERROR,
        "a required key that is missing",
        "Nothing sensible can stand in for it.",
        "Add it; `hub config explain KEY` gives an example.",
        Example("hub.yaml", "  base_currency: USD\n", ""),
    ),
    Rule(
        "HUB015",
        _ERROR,
        "a reference that is none",
        "It would be taken as text, and a password would be the words ${...}.",
        "Write ${env:NAME} or ${file:/path}.",
        Example(_ERP, "${env:ERP_PASSWORD}", "${vault:erp/password}"),
    ),
    Rule(
        "HUB016",
        _ERROR,
        "a connection, location, entity, partner or calendar that does not exist",
        "What is said about it is said about nothing.",
        "Correct the name, or write the thing it names.",
        Example("policies.yaml", "channels: { shopify-us: 5m }", "channels: { shopify-uk: 5m }"),
    ),
    Rule(
        "HUB017",
        _ERROR,
        "a condition that is no JMESPath, or compares with a literal that has a point",
        "The rule could not be evaluated, or would compare amounts as binary floating point.",
        "Compare with `==`, `<` and so on; numbers stand in backticks and are whole.",
        Example("routing.yaml", "method == 'pickup'", "method = 'pickup'"),
    ),
    Rule(
        "HUB018",
        _ERROR,
        "a file that is missing or in the wrong place",
        "It would not be read.",
        "`hub init DIR` writes a configuration to begin with.",
        Example("connections/shopify-us.yml", "", "id: shopify-us\n"),
    ),
    Rule(
        "HUB019",
        _ERROR,
        "a way of reading that the stream does not have",
        "The system sends no webhooks for it, or has no call that lists it.",
        "Use the other way; `hub connectors list` says which.",
        Example(_SHOP, "shipments: { push: true }", "shipments: { push: true, poll: { every: 5m } }"),
    ),
    Rule(
        "HUB020",
        _ERROR,
        "a stream or a capability that no mapping can be found for",
        "What arrives could not be read, or what should be sent could not be written.",
        "Write the mapping, or take the stream or capability out.",
        Example(
            "connections/kiosk.yaml",
            "",
            "id: kiosk\nconnector: kiosk\nstreams: { orders: { start_from: always, push: true } }\n",
        ),
    ),
    Rule(
        "HUB021",
        _ERROR,
        "a mapping file with a mistake",
        "A mapping that is only half understood would write half an order.",
        "Mend the place; `hub mapping try` shows what a mapping makes of a record.",
        Example(_SITE_MAPPING, "from: contact_email", "form: contact_email"),
    ),
    Rule(
        "HUB022",
        _ERROR,
        "polls that come faster than the limit lets them",
        "Every poll is at least one call. They would wait for each other, and all other calls for them.",
        "Poll more seldom, or raise the limit if the system allows more.",
        Example(_SHOP, "default: { rate: 2/s, burst: 40 }", "default: { rate: 1/h, burst: 40 }"),
    ),
    Rule(
        "HUB023",
        _ERROR,
        "a routing rule that can never be used",
        "A rule above takes all its orders, or its condition contradicts itself.",
        "Move it up, correct its condition, or remove it.",
        Example(
            "routing.yaml",
            "fallback:",
            "  - { id: tiny, when: \"total.amount < `10` && method != 'pickup'\", use: cheapest }\nfallback:",
        ),
    ),
    Rule(
        "HUB024",
        _WARNING,
        "two routing rules that can hold for the same order and say different things",
        "The upper one wins. Whoever changes their order changes where orders go.",
        "Make the conditions exclude each other, or say that the order is meant: `# hub: ignore[HUB024] why`.",
        Example(
            "routing.yaml",
            "when: \"total.amount < `30` && method != 'pickup'\"",
            'when: "total.amount < `30`"',
        ),
    ),
    Rule(
        "HUB025",
        _WARNING,
        "a path of a site's mapping that finds nothing in any of its fixtures",
        "It is misspelt, or nobody knows whether it works.",
        "Correct the path, or add a fixture that has it.",
        Example(_SITE_MAPPING, "from: contact_email", "from: contact_emial"),
    ),
    Rule(
        "HUB026",
        _WARNING,
        "a value table of a site's mapping that no fixture ever hits",
        "Its keys are not what the system sends, or nobody knows whether they are.",
        "Correct the keys, or add a fixture with one of the values.",
        Example(_SITE_MAPPING, "{ web: ship, pos: pickup }", "{ internet: ship, till: pickup }"),
    ),
    Rule(
        "HUB027",
        _WARNING,
        "a location that a channel's location_map does not have",
        "Its stock is never told there, so it is never sold there.",
        "Add the channel's id of the location, or say that it is meant: `# hub: ignore[HUB027] why`.",
        Example(_SHOP, '      "gid://shopify/Location/1014": store-14\n', ""),
    ),
    Rule(
        "HUB028",
        _INFO,
        "a key that is read and has no effect yet",
        "It is checked and kept, but nothing acts by it in this version.",
        "Nothing needs to be done; do not rely on it.",
        Example(
            "connections/erp-soap.yaml",
            "effects_out:\n",
            "limits: { default: { rate: 2/s, concurrent: 2 } }\neffects_out:\n",
        ),
    ),
    Rule(
        "HUB029",
        _WARNING,
        "a stock authority that reads no stock",
        "Nothing would ever say how much is there, so nothing could be sourced from it.",
        "Add the stream `stock` to that connection, or name another authority.",
        Example(_WMS, "  stock: { means: on_hand, push: true, poll: { every: 5m } }\n", ""),
    ),
    Rule(
        "HUB030",
        _INFO,
        "an ignore comment that ignores nothing",
        "What it excused is gone, or its rule cannot be ignored; left here it would hide the next one.",
        "Remove it.",
        Example("routing.yaml", "rules:\n", "rules: # hub: ignore[HUB024] pickup comes first\n"),
    ),
    Rule(
        "HUB031",
        _WARNING,
        "a mapping file that no connection uses",
        "It was meant to replace one, and does not.",
        "Correct its name or its folder: mappings/<connector>/<stream>.in.yaml, <capability>.out.yaml or .reply.yaml.",
        Example("mappings/shopify/order.in.yaml", "", "extends: shopify/orders.in\n"),
    ),
    Rule(
        "HUB032",
        _ERROR,
        "a site's mapping that fails one of its tests, or one of its base's",
        "It does something else than its author said, or loses what the mapping under it promises.",
        "Mend it, or change the test; one of the base is replaced by a test of its name, or left out: `skip: why`.",
        Example(_SITE_MAPPING, 'expect: { external_id: "1" }', 'expect: { external_id: "2" }'),
    ),
    Rule(
        "HUB033",
        _ERROR,
        "shares of the channels that sum above 1",
        "Together they would be told more than there is, and the same goods sold twice.",
        "Lower them, or declare how far it is meant: `promise.oversell_allowance`.",
        Example(
            "policies.yaml",
            "validation: { unknown_sku: hold_line }\n",
            "validation: { unknown_sku: hold_line }\npromise: { share: { shopify-us: 0.7, erp-soap: 0.5 } }\n",
        ),
    ),
    Rule(
        "HUB034",
        _ERROR,
        "a notification that shows a field it has not, or a lone dollar sign",
        "Buyers would read a gap, or the field's name.",
        "Write one of the fields that the message lists; a dollar sign is written twice.",
        Example(
            "notifications/shipped.yaml",
            "",
            'notification: shipped\nsubject: "Order $order_nummer is on its way"\ntext: It has left.\n',
        ),
    ),
    Rule(
        "HUB035",
        _ERROR,
        "mails to the buyers of a channel that forbids them, or that no connection sends",
        "Marketplaces write to their buyers themselves and close shops that do so beside them; and a mail that nobody"
        " sends is never missed here.",
        "Take the channel out of `notify.channels`, or add a connection with `effects_out: { notify: {} }`.",
        Example(
            "policies.yaml",
            "grace: { default: 10m, channels",
            "notify: { channels: { shopify-us: { templates: [shipped] } } }\ngrace: { default: 10m, channels",
        ),
    ),
    Rule(
        "HUB036",
        _ERROR,
        "a channel's name that means two items at one time",
        "An order that says it could be filled with either, and one of them would be wrong.",
        "End the first with `to` where the second begins with `from`, or take one out.",
        Example(
            _SHOP,
            "limits:",
            "listings:\n  - { theirs: MUG, ours: MUG-RED, to: 2026-12-01T00:00:00Z }\n"
            "  - { theirs: MUG, ours: MUG-BLUE, from: 2026-11-01T00:00:00Z }\nlimits:",
        ),
    ),
)  # fmt: skip

RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}
"""Every rule by its id."""
