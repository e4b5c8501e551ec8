"""The operations sent to the GraphQL Admin API, written for version 2026-07 (shopify.dev/docs/api/admin-graphql)."""

from __future__ import annotations

MAX_LINES = 50
"""Lines of an order in a page; an order with more is read by itself, page by page."""

_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"

_ADDRESS = """{
  firstName lastName name company address1 address2 city province provinceCode zip country countryCodeV2 phone
  latitude longitude
}"""

_LINES = f"""
  pageInfo {{ hasNextPage endCursor }}
  nodes {{
    id sku title variantTitle name quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard taxable
    vendor variant {{ id }} product {{ id }}
    customAttributes {{ key value }}
    originalUnitPriceSet {_MONEY}
    totalDiscountSet {_MONEY}
    discountAllocations {{ allocatedAmountSet {_MONEY} discountApplication {{ index }} }}
    taxLines {{ title rate channelLiable priceSet {_MONEY} }}
  }}
"""

_DISCOUNTS = """
  __typename index allocationMethod targetSelection targetType
  value { __typename ... on MoneyV2 { amount } ... on PricingPercentageValue { percentage } }
  ... on DiscountCodeApplication { code }
  ... on ManualDiscountApplication { title }
  ... on AutomaticDiscountApplication { title }
  ... on ScriptDiscountApplication { title }
"""

_REFUNDS = f"""
  id legacyResourceId createdAt updatedAt note
  totalRefundedSet {_MONEY}
  refundLineItems(first: 50) {{
    nodes {{ id quantity restockType lineItem {{ id }} location {{ id }} subtotalSet {_MONEY} totalTaxSet {_MONEY} }}
  }}
  transactions(first: 10) {{ nodes {{ id kind status gateway amountSet {_MONEY} }} }}
"""

_FULFILMENTS = """
  id legacyResourceId status createdAt updatedAt
  location { id }
  trackingInfo(first: 10) { company number url }
  fulfillmentLineItems(first: 50) { nodes { id quantity lineItem { id } } }
"""

_ORDER = f"""
  id legacyResourceId name createdAt processedAt updatedAt cancelledAt cancelReason closedAt confirmed test
  email phone note tags poNumber sourceName sourceIdentifier customerLocale taxesIncluded
  currencyCode presentmentCurrencyCode displayFinancialStatus displayFulfillmentStatus
  customAttributes {{ key value }}
  customer {{ id email phone firstName lastName locale }}
  billingAddress {_ADDRESS}
  shippingAddress {_ADDRESS}
  totalPriceSet {_MONEY}
  subtotalPriceSet {_MONEY}
  totalTaxSet {_MONEY}
  totalDiscountsSet {_MONEY}
  totalShippingPriceSet {_MONEY}
  totalOutstandingSet {_MONEY}
  totalTipReceivedSet {_MONEY}
  originalTotalDutiesSet {_MONEY}
  currentTotalPriceSet {_MONEY}
  currentSubtotalPriceSet {_MONEY}
  currentTotalTaxSet {_MONEY}
  currentTotalDiscountsSet {_MONEY}
  taxLines {{ title rate channelLiable priceSet {_MONEY} }}
  discountApplications(first: 20) {{ nodes {{ {_DISCOUNTS} }} }}
  shippingLines(first: 5) {{
    nodes {{
      id title code source carrierIdentifier
      originalPriceSet {_MONEY}
      discountedPriceSet {_MONEY}
      discountAllocations {{ allocatedAmountSet {_MONEY} discountApplication {{ index }} }}
      taxLines {{ title rate channelLiable priceSet {_MONEY} }}
    }}
  }}
  transactions(first: 20) {{
    id kind status gateway authorizationCode authorizationExpiresAt amountSet {_MONEY}
  }}
  refunds(first: 10) {{ {_REFUNDS} }}
  fulfillments(first: 10) {{ {_FULFILMENTS} }}
"""

ORDER_PAGE = f"""query OrderPage($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ {_ORDER} lineItems(first: {MAX_LINES}) {{ {_LINES} }} }}
  }}
}}"""

ORDER_BY_ID = f"""query OrderById($id: ID!) {{
  order(id: $id) {{ {_ORDER} lineItems(first: 250) {{ {_LINES} }} }}
}}"""

MORE_LINES = f"""query MoreLines($id: ID!, $after: String!) {{
  order(id: $id) {{ lineItems(first: 250, after: $after) {{ {_LINES} }} }}
}}"""

ORDER_IDS = """query OrderIds($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { legacyResourceId updatedAt }
  }
}"""

REFUND_PAGE = f"""query RefundPage($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ id legacyResourceId updatedAt currencyCode refunds(first: 50) {{ {_REFUNDS} }} }}
  }}
}}"""

REFUND_BY_ID = f"""query RefundById($id: ID!) {{
  refund(id: $id) {{ {_REFUNDS} order {{ id legacyResourceId currencyCode }} }}
}}"""

FULFILMENT_STATE = f"""query FulfilmentState($id: ID!) {{
  order(id: $id) {{
    id
    fulfillmentOrders(first: 50) {{
      nodes {{
        id status
        assignedLocation {{ location {{ id }} }}
        lineItems(first: 100) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} }}
      }}
    }}
    fulfillments(first: 100) {{ {_FULFILMENTS} }}
  }}
}}"""

FULFILMENT_CREATE = f"""mutation FulfilmentCreate($fulfillment: FulfillmentInput!) {{
  fulfillmentCreate(fulfillment: $fulfillment) {{
    fulfillment {{ {_FULFILMENTS} }}
    userErrors {{ field message }}
  }}
}}"""

INVENTORY_ITEM = """query InventoryItem($query: String!) {
  inventoryItems(first: 2, query: $query) { nodes { id sku } }
}"""

INVENTORY_LEVEL = """query InventoryLevel($item: ID!, $location: ID!) {
  inventoryItem(id: $item) {
    inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
  }
}"""

INVENTORY_LEVELS = """query InventoryLevels($first: Int!, $after: String) {
  inventoryItems(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      sku
      inventoryLevels(first: 50) { nodes { location { id } quantities(names: ["available"]) { name quantity } } }
    }
  }
}"""

INVENTORY_SET = """mutation InventorySet($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta quantityAfterChange } }
    userErrors { code field message }
  }
}"""

SHOP = """query Shop {
  shop { name myshopifyDomain currencyCode }
  currentAppInstallation { accessScopes { handle } }
}"""

ORDER_DESK = f"""query OrderDesk($id: ID!) {{
  order(id: $id) {{
    id legacyResourceId cancelledAt currencyCode tags
    lineItems(first: 250) {{ nodes {{ id currentQuantity refundableQuantity }} }}
    refunds(first: 100) {{ {_REFUNDS} }}
    suggestedRefund(suggestFullRefund: true) {{
      suggestedTransactions {{ gateway parentTransaction {{ id }} maximumRefundableSet {_MONEY} }}
    }}
    fulfillmentOrders(first: 50) {{
      nodes {{
        id status
        assignedLocation {{ location {{ id }} }}
        lineItems(first: 100) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} }}
      }}
    }}
    fulfillments(first: 100) {{ {_FULFILMENTS} }}
    returns(first: 50) {{
      nodes {{ id status returnLineItems(first: 50) {{ nodes {{ id ... on ReturnLineItem {{ returnReasonNote }} }} }} }}
    }}
  }}
}}"""

SUGGESTED_REFUND = f"""query SuggestedRefund($id: ID!, $lines: [RefundLineItemInput!]!) {{
  order(id: $id) {{ suggestedRefund(refundLineItems: $lines) {{ amountSet {_MONEY} }} }}
}}"""

REFUND_CREATE = f"""mutation RefundCreate($input: RefundInput!, $key: String!) {{
  refundCreate(input: $input) @idempotent(key: $key) {{
    refund {{ {_REFUNDS} }}
    userErrors {{ field message }}
  }}
}}"""

ORDER_CANCEL = """mutation OrderCancel(
  $orderId: ID!, $reason: OrderCancelReason!, $refundMethod: OrderCancelRefundMethodInput!, $restock: Boolean!,
  $notifyCustomer: Boolean, $staffNote: String
) {
  orderCancel(
    orderId: $orderId, reason: $reason, refundMethod: $refundMethod, restock: $restock,
    notifyCustomer: $notifyCustomer, staffNote: $staffNote
  ) {
    job { id done }
    orderCancelUserErrors { code field message }
  }
}"""

PREPARED_FOR_PICKUP = """mutation PreparedForPickup($input: FulfillmentOrderLineItemsPreparedForPickupInput!) {
  fulfillmentOrderLineItemsPreparedForPickup(input: $input) { userErrors { code field message } }
}"""

TAGS_ADD = """mutation TagsAdd($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } }
}"""

RETURN_CREATE = """mutation ReturnCreate($returnInput: ReturnInput!) {
  returnCreate(returnInput: $returnInput) { return { id status } userErrors { code field message } }
}"""

RETURN_CLOSE = """mutation ReturnClose($id: ID!) {
  returnClose(id: $id) { return { id status } userErrors { code field message } }
}"""

RETURN_CANCEL = """mutation ReturnCancel($id: ID!) {
  returnCancel(id: $id) { return { id status } userErrors { code field message } }
}"""
