"""What is looked for in each system's ledger: one module a system, one table for all."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.books import Check
from tests.chaos.checks import carrier, crm, erp, mail, market, partner, payment, shop, warehouse
from tests.chaos.systems import CARRIER, CRM, EDI, ERP, MAIL, MARKET, PAYMENT, SHOP, WMS

CHECKS: Mapping[str, Check] = {
    SHOP: shop.check,
    MARKET: market.check,
    EDI: partner.check,
    WMS: warehouse.check,
    ERP: erp.check,
    CRM: crm.check,
    CARRIER: carrier.check,
    PAYMENT: payment.check,
    MAIL: mail.check,
}
