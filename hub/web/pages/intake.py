"""What came in: one receipt with its messages, one message, their bytes, trying again."""

from __future__ import annotations

from hub.views.intake import body_of, show_message, show_receipt
from hub.web.pages.deliveries import bytes_of, saved
from hub.web.request import Answer, Page, Request, Stop, get, post

RECEIPT, MESSAGE = "(?P<receipt>[^/]{1,200})", "(?P<message>[^/]{1,200})"


def receipt(request: Request) -> Answer:
    owner = request.params["receipt"]
    with request.reading() as connection:
        found = show_receipt(connection, owner)
        body = body_of(connection, "receipt", owner)
    if found is None:
        raise Stop(404, "There is no such receipt.")
    return Page("receipt.html", {"receipt": found, "body": bytes_of(request, body["id"] if body else None)})


def message(request: Request) -> Answer:
    owner = request.params["message"]
    with request.reading() as connection:
        found = show_message(connection, owner)
        body = body_of(connection, "message", owner)
    if found is None:
        raise Stop(404, "There is no such message.")
    return Page("message.html", {"message": found, "body": bytes_of(request, body["id"] if body else None)})


def receipt_bytes(request: Request) -> Answer:
    return saved(request, "receipt", request.params["receipt"])


def message_bytes(request: Request) -> Answer:
    return saved(request, "message", request.params["message"])


def retry_receipt(request: Request) -> Answer:
    owner = request.params["receipt"]
    return request.do(f"/receipts/{owner}", "receipts.retry", receipt=owner)


def retry_message(request: Request) -> Answer:
    owner = request.params["message"]
    return request.do(f"/messages/{owner}", "messages.retry", message=owner)


ROUTES = (
    get(f"/receipts/{RECEIPT}", receipt, "monitor"),
    get(f"/receipts/{RECEIPT}/body", receipt_bytes, "bodies:read"),
    post(f"/receipts/{RECEIPT}/retry", retry_receipt, "operate"),
    get(f"/messages/{MESSAGE}", message, "monitor"),
    get(f"/messages/{MESSAGE}/body", message_bytes, "bodies:read"),
    post(f"/messages/{MESSAGE}/retry", retry_message, "operate"),
)
