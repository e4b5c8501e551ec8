"""Commands on a hub that runs, with emulated systems behind it: people's words on orders, calls and connections."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.demo.processes import call
from tests.cli.running import SKUS, Running, eventually
from tests.cli.site import ERP, SECRETS, SHOP, Site, edited, shop_order, signed
from tests.e2e.running import entries

SAFETY = "submit_order: { safety: { mode: lookup, settle: 2s } }"
NO_SAFETY = "submit_order: { safety: { mode: none } }"


def by_a_person(site: Site) -> None:
    """A posting whose outcome is unknown is for a person to settle."""
    site.edit("connections/erp-soap.yaml", SAFETY, NO_SAFETY)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("running"), prepare=by_a_person) as running:
        running.start()
        running.furnish()
        yield running


@pytest.fixture
def site(running: Running) -> Site:
    return running.site


@pytest.fixture
def doubtful(running: Running) -> Iterator[tuple[str, dict[str, Any]]]:
    """An order, and its posting whose answer was lost after the ERP had done the work."""
    running.erp.set_faults(drop_after=1.0)
    name = running.place()
    delivery = running.await_delivery(name, "submit_order", "unknown")
    running.erp.set_faults(drop_after=0.0)
    yield name, delivery
    running.erp.set_faults(drop_after=0.0)


def postings(running: Running, order: dict[str, Any]) -> list[str]:
    """What the ERP itself booked for an order."""
    booked = entries(running.folder / "system-2.ledger", "sales_order")
    return [key for key, subject, _ in booked if subject == order["id"]]


def test_an_edit_made_while_it_is_held_is_what_is_sent(running: Running, site: Site) -> None:
    name = running.place("SKU-404")
    held = running.await_order(name, "held")
    done = site.good(
        "orders", "edit", name, "--line", "1=0", "--add", f"{SKUS[0]}=2@7.50", "--reason", "out of print", "--json"
    )
    assert (done.items[0]["state"], done.items[0]["price_effect"]) == ("accepted", "5")
    stale = ("--line", "1=1", "--version", str(held["version"]), "--reason", "too late")
    refused = site.hub("orders", "edit", name, *stale)
    assert refused.code == 1
    assert "by now, not" in refused.err
    order = running.await_order(name, "closed")
    assert [(line["sku"], line["quantities"]) for line in order["lines"]] == [
        ("SKU-404", {"cancelled": "1"}),
        (SKUS[0], {"shipped": "2"}),
    ]
    assert "out of print" in site.good("orders", "show", name, "--json").out
    shown = site.good("orders", "show", name).out
    assert "accepted, 5.00 USD" in shown


def test_an_order_goes_from_the_shop_to_erp_and_warehouse_and_back(running: Running, site: Site) -> None:
    order = running.await_order(running.place(quantity=2), "closed")
    assert {call["capability"] for call in order["deliveries"]} >= {
        "submit_order",
        "send_fulfilment_request",
        "push_shipment",
        "post_invoice",
    }
    assert order["lines"][0]["quantities"] == {"shipped": "2"}
    why = site.good("orders", "show", order["number"], "--why").out
    assert "Why" in why
    assert "dc-east" in why


def test_the_status_names_the_process_that_owns_the_data(running: Running, site: Site) -> None:
    assert site.good("status", "--json").data["owner"] == running.hub.pid
    assert str(running.hub.pid) in site.good("status").out


def test_health_readiness_and_metrics(running: Running) -> None:
    running.await_order(running.place(), "closed")
    port = running.hub.port
    assert call(port, "GET", "/healthz") == (200, {"status": "alive"})
    status, readiness = call(port, "GET", "/readyz")
    assert (status, readiness["ready"]) == (200, True)
    status, text = call(port, "GET", "/metrics")
    assert status == 200
    for name in ("hub_receipts", "hub_messages", "hub_orders", "hub_deliveries", "hub_worker_rounds_total"):
        assert f"# TYPE {name} " in text


def test_a_second_hub_on_the_same_data_is_refused(site: Site) -> None:
    done = site.hub("run", "--port", "0")
    assert done.code == 5
    assert "Another hub runs on this data" in done.err


def test_a_webhook_over_the_wire_is_kept_once(running: Running, site: Site) -> None:
    import http.client
    import json

    body = json.dumps(shop_order(9001)).encode()
    answers = []
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", running.hub.port, timeout=10)
        connection.request("POST", f"/in/{SHOP}", body, signed(body))
        answer = connection.getresponse()
        answers.append((answer.status, json.loads(answer.read())))
        connection.close()
    (first, told), (second, again) = answers
    assert (first, second) == (202, 202)
    assert again == {"id": told["id"], "duplicate": True}
    assert told["duplicate"] is False
    held = eventually(lambda: running.order("#9001"), "the order is captured")
    assert held["status"] == "held", "its articles are unknown here"


def test_a_body_too_large_is_refused_before_it_is_sent(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.hub.port), timeout=10) as sender:
        sender.sendall(f"POST /in/{SHOP} HTTP/1.1\r\nHost: hub\r\nContent-Length: 9999999999\r\n\r\n".encode() + b"{")
        assert sender.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert call(running.hub.port, "GET", "/healthz")[0] == 200


def test_a_body_without_a_length_is_refused_where_it_grows_too_large(running: Running) -> None:
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = b""
    with socket.create_connection(("127.0.0.1", running.hub.port), timeout=10) as sender:
        sender.sendall(f"POST /in/{SHOP} HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(40):
                sender.sendall(piece)
        except OSError:
            pass  # the hub stopped listening, which is what is asked for
        try:
            answer = sender.recv(4096)
        except OSError:
            answer = b"HTTP/1.1 413 "  # closed while we were still sending
    assert answer.startswith(b"HTTP/1.1 413 ")
    with sqlite3.connect(f"{(running.site.home / 'hub.db').as_uri()}?mode=ro", uri=True) as connection:
        (largest,) = connection.execute("SELECT MAX(size_bytes) FROM bodies").fetchone()
    connection.close()
    assert largest < 10_000_000


def test_an_unknown_outcome_that_happened_is_not_made_again(
    running: Running, site: Site, doubtful: tuple[str, dict[str, Any]]
) -> None:
    name, delivery = doubtful
    refused = site.hub("deliveries", "retry", delivery["id"])
    assert refused.code == 1
    assert "did-not-happen" in refused.err
    assert site.good("deliveries", "show", delivery["id"], "--json").items[0]["due_at"] is None, "never by itself"
    exceptions = site.good("exceptions", "list", "--json").items
    assert delivery["id"] in {subject["id"] for row in exceptions for subject in row["subjects"]}
    said = site.good("deliveries", "happened", delivery["id"], "--external-id", "SO-4711", "--json").items[0]
    assert said["delivery"] == delivery["id"]
    assert running.await_delivery(name, "submit_order", "acknowledged")["external_id"] == "SO-4711"
    order = running.await_order(name, "closed")
    assert len(postings(running, order)) == 1
    assert site.hub("deliveries", "happened", delivery["id"], "--external-id", "SO-1").code == 1, "said once"


def test_an_unknown_outcome_that_did_not_happen_is_made_again(
    running: Running, site: Site, doubtful: tuple[str, dict[str, Any]]
) -> None:
    name, delivery = doubtful
    before = len(postings(running, running.await_order(name, "confirmed")))
    site.good("deliveries", "did-not-happen", delivery["id"], "--reason", "looked it up")
    running.await_delivery(name, "submit_order", "acknowledged", "sent")
    order = running.await_order(name, "closed")
    assert len(postings(running, order)) == before + 1, "the person was wrong, and that is what it costs"
    with sqlite3.connect(f"{(site.home / 'hub.db').as_uri()}?mode=ro", uri=True) as connection:
        kept = connection.execute("SELECT action, reason FROM audit WHERE subject = ?", (delivery["id"],)).fetchall()
    connection.close()
    assert kept == [("deliveries.did-not-happen", "looked it up")]


def test_an_unknown_outcome_can_be_given_up(running: Running, site: Site, doubtful: tuple[str, dict[str, Any]]) -> None:
    name, delivery = doubtful
    assert site.hub("deliveries", "abandon", delivery["id"]).code == 2, "not without a reason"
    site.good("deliveries", "abandon", delivery["id"], "--reason", "booked by hand")
    assert running.await_delivery(name, "submit_order", "abandoned")["id"] == delivery["id"]


def test_an_effect_is_made_a_second_time_only_on_purpose(running: Running, site: Site) -> None:
    name = running.place()
    running.await_order(name, "closed")
    delivery = running.await_delivery(name, "submit_order", "acknowledged")
    assert site.hub("deliveries", "resend", delivery["id"], "--reason", "lost over there").code == 2
    site.good("deliveries", "resend", delivery["id"], "--as-new", "--reason", "lost over there")

    def second() -> bool:
        order = running.order(name)
        assert order is not None
        return [row["state"] for row in order["deliveries"] if row["capability"] == "submit_order"] == [
            "acknowledged",
            "acknowledged",
        ]

    eventually(second, "the second posting is acknowledged")
    order = running.order(name)
    assert order is not None
    assert len(postings(running, order)) == 2


def test_an_order_is_held_and_released_by_a_person(running: Running, site: Site) -> None:
    site.good("connections", "pause", ERP, "--reason", "maintenance")
    try:
        name = running.place(sku=SKUS[1])
        running.await_order(name, "confirmed")
        assert "held" in site.good("orders", "hold", name, "--reason", "asked for it").out
        running.await_order(name, "held")
        site.good("orders", "release", name, "--reason", "never mind")
        running.await_order(name, "confirmed")
    finally:
        site.good("connections", "resume", ERP)
    running.await_order(name, "closed")


def test_an_order_is_cancelled_by_a_person(running: Running, site: Site) -> None:
    running.wms.control("behave", {"match": {"sku": SKUS[2]}, "mode": "silent"})
    name = running.place(sku=SKUS[2])
    running.await_delivery(name, "send_fulfilment_request", "acknowledged")
    assert site.hub("orders", "cancel", name).code == 2, "not without a reason"
    site.good("orders", "cancel", name, "--reason", "the customer called")
    order = running.await_order(name, "cancelled")
    assert order["lines"][0]["quantities"] == {"cancelled": "1"}


def test_quantities_of_a_line_are_cancelled_with_an_answer_each(running: Running, site: Site) -> None:
    running.wms.control("behave", {"match": {"sku": SKUS[2]}, "mode": "silent"})
    name = running.place(sku=SKUS[2])
    running.await_delivery(name, "send_fulfilment_request", "acknowledged")
    wanted = ("--line", SKUS[2], "--quantity", "1")
    assert site.hub("orders", "cancel", name, "--line", "1", "--reason", "how many?").code == 2
    assert site.hub("orders", "cancel", name, "--line", "7", "--quantity", "1", "--reason", "which?").code == 1
    (done,) = site.good("orders", "cancel", name, *wanted, "--reason", "one is enough", "--json").items
    (answer,) = done["lines"]
    assert (answer["sku"], answer["cancelled"], answer["asked"]) == (SKUS[2], "0", "1")
    order = running.await_order(name, "cancelled")
    assert order["lines"][0]["quantities"] == {"cancelled": "1"}


@pytest.mark.parametrize("verb", ["hold", "release", "cancel"])
def test_an_order_that_is_not_there_is_refused_plainly(site: Site, verb: str) -> None:
    done = site.hub("orders", verb, "#0", "--reason", "a slip")
    assert done.code == 1
    assert "There is no order" in done.err


def test_a_paused_connection_gets_nothing_and_resuming_says_what_waited(running: Running, site: Site) -> None:
    site.good("connections", "pause", ERP, "--reason", "maintenance")
    try:
        name = running.place()
        running.await_delivery(name, "submit_order", "pending")
        assert "erp-soap is paused: maintenance" in site.good("status").out
        assert [row["connection"] for row in site.good("status", "--json").data["paused"]] == [ERP]
    finally:
        said = site.good("connections", "resume", ERP, "--json").items[0]
    assert said["deliveries"] >= 1
    running.await_delivery(name, "submit_order", "acknowledged")


def test_a_connection_that_is_not_there_cannot_be_paused(site: Site) -> None:
    done = site.hub("connections", "pause", "nobody")
    assert done.code == 1
    assert ERP in done.err


def test_every_system_answers_its_check(site: Site) -> None:
    done = site.hub("connections", "check", "--json")
    assert done.code == 0, done
    assert {row["connection"] for row in done.items} == {"shopify-us", "wms-east", "erp-soap"}


def test_a_wrong_configuration_never_takes_the_running_hub_down(running: Running, site: Site) -> None:
    path = site.config / "policies.yaml"
    good = path.read_text(encoding="utf-8")
    before = call(running.hub.port, "GET", "/readyz")[1]["revision"]
    with edited(path, good.replace("hold_line", "hold_the_line")):
        done = site.hub("config", "apply")
        assert done.code == 1
        assert "policies.yaml:3:" in done.err + done.out
        (open_,) = site.good("exceptions", "list", "--kind", "configuration", "--json").items
        assert "policies.yaml:3:" in open_["detail"]
        assert call(running.hub.port, "GET", "/readyz")[1]["revision"] == before
        running.await_order(running.place(), "closed")
    assert "nothing changed" in site.good("config", "apply").out
    assert site.good("exceptions", "list", "--kind", "configuration", "--json").items == []


def test_a_folder_that_the_running_hub_does_not_read_is_refused_by_name(
    running: Running, site: Site, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(site.config, other)
    policies = other / "policies.yaml"
    good = policies.read_text(encoding="utf-8")
    before = call(running.hub.port, "GET", "/readyz")[1]["revision"]
    done = site.hub("--config", other, "config", "apply")
    assert done.code == 5
    assert f"The running hub reads {site.config.resolve()}, and {other.resolve()} was named." in done.err
    assert f"apply with --config {site.config.resolve()}" in done.err
    policies.write_text(good.replace("hold_line", "hold_the_line"))
    assert site.hub("--config", other, "config", "apply").code == 5
    policies.write_text(good.replace("hold_line", "hold_order"))
    told = site.good("--config", other, "config", "plan").out
    assert "hold_line -> hold_order" in told
    assert f"The running hub reads {site.config.resolve()}" in told
    assert "`hub config apply` does it" not in told
    assert call(running.hub.port, "GET", "/readyz")[1]["revision"] == before
    link = tmp_path / "link"
    link.symlink_to(site.config)
    assert "nothing changed" in site.good("--config", link, "config", "apply").out


def test_a_connection_and_its_new_variables_are_taken_while_the_hub_runs(running: Running, site: Site) -> None:
    first, second = (site.config / "connections" / f"{name}.yaml" for name in (SHOP, "shop-eu"))
    text = first.read_text(encoding="utf-8").replace(f"id: {SHOP}", "id: shop-eu")
    second.write_text(text.replace("DEMO_SHOP_TOKEN", "SHOP_EU_TOKEN"), encoding="utf-8")
    variables = site.write(".env", "")
    try:
        done = site.hub("config", "apply")
        assert done.code == 1
        assert "SHOP_EU_TOKEN is not set" in done.out + done.err
        variables.write_text(f"SHOP_EU_TOKEN={SECRETS['DEMO_SHOP_TOKEN']}\n", encoding="utf-8")
        assert "adopted" in site.good("config", "apply").out
        assert site.good("connections", "check", "shop-eu").code == 0
    finally:
        second.unlink()
        variables.unlink()
    assert "adopted" in site.good("config", "apply").out


def test_a_mapping_that_is_broken_is_not_taken_either(running: Running, site: Site) -> None:
    folder = site.config / "mappings" / "shopify"
    folder.mkdir(parents=True)
    file = folder / "orders.in.yaml"
    file.write_text("mapping: shopify/orders.in\nversion: 1\nextends: shopify/orders.in\nfields: { x: { as: z } }\n")
    try:
        done = site.hub("config", "apply")
        assert done.code == 1
        assert "orders.in.yaml" in done.err + done.out
        running.await_order(running.place(), "closed")
    finally:
        file.unlink()
    site.good("config", "apply")


def test_a_hangup_adopts_good_files_and_refuses_bad_ones(running: Running, site: Site) -> None:
    path = site.config / "policies.yaml"
    good = path.read_text(encoding="utf-8")

    def revision() -> str:
        return str(call(running.hub.port, "GET", "/readyz")[1]["revision"])

    def configuration() -> list[dict[str, Any]]:
        return site.good("exceptions", "list", "--kind", "configuration", "--json").items

    before = revision()
    with edited(path, good.replace("difference_up_to: 0.02", "difference_up_to: 0.03")):
        os.kill(running.hub.pid, signal.SIGHUP)
        eventually(lambda: revision() != before, "the new revision is adopted")
    with edited(path, good + "nonsense: true\n"):
        os.kill(running.hub.pid, signal.SIGHUP)
        eventually(configuration, "the exception tells of the fault")
        assert revision() != before
    os.kill(running.hub.pid, signal.SIGHUP)
    eventually(lambda: revision() == before, "the old one is back")
    eventually(lambda: not configuration(), "the exception is cleared")


def test_every_promise_holds(site: Site) -> None:
    done = site.hub("verify")
    assert done.code == 0, done.out
