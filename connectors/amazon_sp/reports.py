"""The emulated marketplace's settlement reports: what it pays out for the orders it sold, as it writes that down."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections.abc import Mapping
from decimal import Decimal

from connectors.amazon_sp.orders import CURRENCIES, Orders, Refused, stamp
from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at

REPORT_TYPE = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
_HEADER = (
    "settlement-id settlement-start-date settlement-end-date deposit-date total-amount currency transaction-type"
    " order-id merchant-order-id adjustment-id shipment-id marketplace-name amount-type amount-description amount"
    " fulfillment-id posted-date posted-date-time order-item-code merchant-order-item-id merchant-adjustment-item-id"
    " sku quantity-purchased promotion-id"
)
COLUMNS = tuple(re.findall(r"\S+", _HEADER))
COMMISSION = Decimal("0.15")
CENT = Decimal("0.01")
ZERO = Decimal(0)


class Reports:
    """Each is kept as {report, text, plain}. Raise Refused for what cannot be done."""

    def __init__(self, ledger: Ledger, orders: Orders, marketplace: str) -> None:
        self._ledger = ledger
        self._orders = orders
        self._marketplace = marketplace
        kept = ((name.removeprefix("report|"), json.loads(data)) for name, data in ledger.recall_all("report|"))
        self._kept: dict[str, Node] = dict(kept)

    def settle(self, wish: Node, now: dt.datetime) -> Node:
        """A report over `orders` (ids; all without), `refunds` ({order, amount}) and `rows` as they are. `comma`:
        amounts with a decimal comma; `off`: by how much its total is not the sum of its rows; `plain`: not
        compressed."""
        number = len(self._kept) + 1
        settlement = text_at(wish, "settlement") or f"1800100{number:04d}"
        marketplace = text_at(wish, "marketplace") or self._marketplace
        rows = [row for order in self._wanted(wish) for row in _sold(order)]
        rows += [
            _row("Refund", text_at(entry, "order"), "ItemPrice", "Principal", -_amount(entry, "amount"))
            for entry in nodes_at(wish, "refunds")
        ]
        rows += [{**row, "amount": str(row.get("amount", "0"))} for row in nodes_at(wish, "rows")]
        total = sum((Decimal(str(row["amount"])) for row in rows), ZERO) + (decimal_at(wish, "off") or ZERO)
        head: Node = {
            "settlement-start-date": _time(now - dt.timedelta(days=14)),
            "settlement-end-date": _time(now),
            "deposit-date": _time(now + dt.timedelta(days=2)),
            "total-amount": str(total),
            "currency": CURRENCIES.get(marketplace, "EUR"),
        }
        comma = wish.get("comma") is True
        lines = ["\t".join(COLUMNS)]
        for row in (head, *rows):
            posted: Node = {"posted-date-time": _time(now)} if "amount" in row else {}
            lines.append(
                "\t".join(_cell({**posted, **row, "settlement-id": settlement}, name, comma) for name in COLUMNS)
            )
        report_id = f"{500_000 + number}020000"
        report: Node = {
            "reportId": report_id,
            "reportType": REPORT_TYPE,
            "createdTime": stamp(now),
            "processingStatus": "DONE",
            "reportDocumentId": f"amzn1.spdoc.1.4.eu.{report_id}",
            "marketplaceIds": [marketplace],
        }
        self._keep(report_id, {"report": report, "text": "\n".join(lines) + "\n", "plain": wish.get("plain") is True})
        return {"report": report_id, "settlement": settlement, "total": str(total), "rows": len(rows)}

    def listed(self, query: Mapping[str, str]) -> Node:
        """getReports; `nextToken` comes alone."""
        if "nextToken" in query:
            if len(query) > 1:
                raise Refused(400, "InvalidInput", "nextToken must be the only parameter")
            wanted, since, size, begin = json.loads(query["nextToken"])
        else:
            wanted, since = query.get("reportTypes", ""), query.get("createdSince", "")
            size, begin = int(query.get("pageSize", "10")), 0
        if not wanted:
            raise Refused(400, "InvalidInput", "reportTypes is missing")
        found = [node_at(kept, "report") for kept in self._kept.values()]
        found = [one for one in found if one["reportType"] in wanted.split(",") and str(one["createdTime"]) >= since]
        found.sort(key=lambda one: str(one["createdTime"]), reverse=True)
        page: Node = {"reports": found[begin : begin + size]}
        if len(found) > begin + size:
            page["nextToken"] = json.dumps([wanted, since, size, begin + size])
        return page

    def document(self, document: str, root: str) -> Node:
        kept = self._of(document)
        told: Node = {"reportDocumentId": document, "url": f"{root}/documents/{document}?X-Amz-Signature=emulated"}
        return told if kept["plain"] else {**told, "compressionAlgorithm": "GZIP"}

    def content(self, document: str) -> bytes:
        kept = self._of(document)
        body = str(kept["text"]).encode()
        return body if kept["plain"] else gzip.compress(body, mtime=0)

    def _of(self, document: str) -> Node:
        for kept in self._kept.values():
            if node_at(kept, "report")["reportDocumentId"] == document:
                return kept
        raise Refused(404, "NotFound", "There is no such document")

    def _wanted(self, wish: Node) -> list[Node]:
        named = wish.get("orders")
        ids = [str(one) for one in named] if isinstance(named, list) else None
        if ids is None:
            return [node_at(kept, "order") for kept in self._orders]
        return [node_at(self._orders.get(one), "order") for one in ids]

    def _keep(self, report_id: str, kept: Node) -> None:
        self._kept[report_id] = kept
        self._ledger.remember(f"report|{report_id}", json.dumps(kept))


def _sold(order: Node) -> list[Node]:
    """What was taken for an order, and what is kept of it."""
    order_id, rows = text_at(order, "orderId"), []
    taken = decimal_at(node_at(order, "proceeds", "grandTotal"), "amount") or ZERO
    rows.append(_row("Order", order_id, "ItemPrice", "Principal", taken))
    rows.append(_row("Order", order_id, "ItemFees", "Commission", -(taken * COMMISSION).quantize(CENT)))
    return rows


def _row(transaction: str, order: str | None, kind: str, description: str, amount: Decimal) -> Node:
    return {
        "transaction-type": transaction,
        "order-id": order or "",
        "amount-type": kind,
        "amount-description": description,
        "amount": str(amount),
    }


def _cell(row: Node, name: str, comma: bool) -> str:
    said = str(row.get(name, ""))
    return said.replace(".", ",") if comma and name in ("amount", "total-amount") else said


def _amount(entry: Node, name: str) -> Decimal:
    amount = decimal_at(entry, name)
    if amount is None:
        raise Refused(400, "InvalidInput", f"{name} is missing")
    return amount


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
