"""The demo's story, told by the hub's commands and checked against the ledgers of the other systems."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.demo.systems import SYSTEMS
from tests.e2e.running import data, entries, environ, hub, memory, until

pytestmark = pytest.mark.timeout(400)


class Told:
    """One run of the demo and what it left behind."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "demo"
        done = hub(home, "demo", "--exit", "--json")
        self.said: dict[str, Any] = json.loads(done.stdout)
        self.orders: dict[str, dict[str, Any]] = {item["story"]: item for item in self.said["items"]}
        self.summary: dict[str, Any] = self.said["summary"]

    def shop(self, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
        return entries(self.folder / "shopify-us.ledger", kind)

    def wms(self, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
        return entries(self.folder / "wms-east.ledger", kind)

    def erp(self, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
        return entries(self.folder / "erp-soap.ledger", kind)

    def system(self, name: str, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
        return entries(self.folder / f"{name}.ledger", kind)

    def of(self, channel: str) -> dict[str, dict[str, Any]]:
        """The orders of one channel by their story."""
        return {story: item for story, item in self.orders.items() if item["channel"] == channel}

    def shop_orders(self) -> dict[str, dict[str, Any]]:
        """The shop's own present state of its orders, by id."""
        return {
            name.partition(":")[2]: order for name, order in memory(self.folder / "shopify-us.ledger", "order:").items()
        }

    def packages(self) -> dict[str, str]:
        """Tracking number -> fulfilment order, of every package the warehouse says it shipped."""
        found = {}
        for event in memory(self.folder / "wms-east.ledger", "event|").values():
            if event["type"] == "shipment.created":
                for package in event["data"]["packages"]:
                    assert package["tracking_number"] not in found
                    found[package["tracking_number"]] = event["data"]["client_order_id"]
        return found

    def show(self, story: str) -> dict[str, Any]:
        number = self.orders[story]["number"].removeprefix("#")
        (found,) = data(self.home, "--demo", "orders", "show", number, "--why")["items"]
        return dict(found)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("demo"))


def test_at_least_25_orders_settle_and_the_json_says_so(told: Told) -> None:
    assert told.said["hub_cli"] == "1.0"
    assert len(told.said["items"]) >= 25
    assert told.summary["settled"] is True
    assert [item["number"] for item in told.said["items"] if not item["settled"]] == []


def test_the_promises_hold_and_verify_can_tell_when_they_do_not(told: Told) -> None:
    found = data(told.home, "--demo", "verify")
    assert (found["ok"], found["items"]) == (True, [])
    assert found["checked"]["orders"] == len(told.orders)
    proof = data(told.home, "--demo", "verify", "--self-test")
    assert proof["corruptions"] >= 20
    assert [item for item in proof["items"] if not item["named"]] == []


@pytest.mark.parametrize(
    ("story", "outcome"),
    [
        ("plain", "shipped"),
        ("split", "shipped"),
        ("split-line", "shipped"),
        ("yen", "shipped"),
        ("digital-only", "shipped"),
        ("edited-before", "shipped"),
        ("edited-after", "shipped"),
        ("line-added", "shipped"),
        ("short-pick", "shipped"),
        ("rejected-by-store", "shipped"),
        ("restocked", "shipped"),
        ("cancelled-before", "cancelled"),
        ("cancelled-after", "cancelled"),
        ("cancelled-too-late", "shipped"),
        ("out-of-stock", "backordered"),
        ("unknown-sku", "held"),
        ("payment-pending", "held"),
        ("test-order", "captured only"),
        ("from-store", "shipped"),
        ("market", "shipped"),
        ("market-pending", "shipped"),
        ("market-fulfils", "captured only"),
        ("market-regret", "cancelled"),
        ("chain-store", "shipped"),
    ],
)
def test_each_kind_of_order_ends_as_it_should(told: Told, story: str, outcome: str) -> None:
    assert told.orders[story]["outcome"] == outcome


def test_an_order_is_split_when_no_place_has_it_all_and_says_why(told: Told) -> None:
    shown = told.show("split")
    assert {shipment["location"] for shipment in shown["shipments"]} == {"dc-east", "dc-west"}
    (decision,) = shown["sourcing"]
    assert {candidate["location"] for candidate in decision["document"]["candidates"]} == {"dc-east", "dc-west"}
    assert [exclusion["location"] for exclusion in decision["document"]["exclusions"]] == ["store-14"]


def test_a_short_pick_is_sourced_again_and_shipped_from_the_other_place(told: Told) -> None:
    shown = told.show("short-pick")
    assert [decision["document"]["plan"]["quantities"][0]["location"] for decision in shown["sourcing"]] == [
        "dc-east",
        "dc-west",
    ]
    (short,) = [one["id"] for one in shown["fulfilment_orders"] if one["location"] == "dc-east"]
    assert [subject for _, subject, _ in told.wms("short")] == [short]


def test_what_was_cancelled_in_time_reached_no_warehouse_or_left_none(told: Told) -> None:
    asked = {entry["order_number"] for _, _, entry in told.wms("fulfilment_request")}
    assert told.orders["cancelled-before"]["number"] not in asked
    assert told.orders["cancelled-after"]["number"] in asked
    shipped_work = set(told.packages().values())
    work = {one["id"] for one in told.show("cancelled-after")["fulfilment_orders"]}
    assert work.isdisjoint(shipped_work)
    cancelled = {told.orders[story]["id"] for story in ("cancelled-after", "market-regret")}
    assert {subject for _, subject, _ in told.erp("order_cancel")} == cancelled


def test_a_cancellation_that_came_too_late_needs_a_person(told: Told) -> None:
    kinds = {exception["kind"] for exception in told.show("cancelled-too-late")["exceptions"]}
    assert "cancel_refused" in kinds


def test_a_refusal_of_the_erp_is_one_exception_in_its_own_words_and_blocks_the_invoice(told: Told) -> None:
    order = told.orders["refused-by-erp"]["id"]
    (exception,) = [
        exception
        for exception in data(told.home, "--demo", "exceptions", "list")["items"]
        if order in {subject["order_id"] for subject in exception["subjects"]}
    ]
    assert exception["detail"] == "Item LAMP-1999 is blocked for sales"
    states = {row["capability"]: row["state"] for row in told.show("refused-by-erp")["deliveries"]}
    assert (states["submit_order"], states["post_invoice"]) == ("refused", "parked")
    assert [subject for _, subject, _ in told.erp("refused")] == [order]


def test_every_posting_reached_the_erp_once_though_answers_were_lost(told: Told) -> None:
    for kind in ("sales_order", "order_change", "order_cancel", "invoice"):
        doubled = [key for key, count in Counter(key for key, _, _ in told.erp(kind)).items() if count > 1]
        assert doubled == []
    faults = told.summary["systems"]["erp-soap"]["faults"]
    assert faults["error_after"] >= 1
    assert faults["drop_after"] >= 1
    (submitted,) = [row for row in told.summary["destinations"] if row["capability"] == "submit_order"]
    assert submitted["unknown_then_settled"] >= 2


def test_what_the_erp_booked_is_what_the_shop_sold(told: Told) -> None:
    """The first posting carries the total as it was when the order was confirmed; the last one what it came to."""
    shop = told.shop_orders()
    booked = {subject: Decimal(entry["amount"]) for _, subject, entry in told.erp("sales_order")}
    changed = {subject: Decimal(entry["amount"]) for _, subject, entry in told.erp("order_change")}
    placed = {key: Decimal(entry["total"]) for key, _, entry in told.shop("order_placed")}
    compared = 0
    for story, item in told.of("shopify-us").items():
        if item["id"] not in booked:
            continue
        theirs = shop[item["external_id"]]
        if item["id"] in changed:
            assert changed[item["id"]] == Decimal(theirs["current_total_price"]), story
        else:
            expected = placed[item["external_id"]] if story != "edited-before" else Decimal(theirs["total_price"])
            assert booked[item["id"]] == expected, story
        compared += 1
    assert compared >= 25


def test_invoices_of_an_order_add_up_to_what_was_sold(told: Told) -> None:
    shop = told.shop_orders()
    invoiced: dict[str, Decimal] = {}
    for _, subject, entry in told.erp("invoice"):
        invoiced[subject] = invoiced.get(subject, Decimal(0)) + Decimal(entry["amount"])
    for story, item in told.of("shopify-us").items():
        if item["outcome"] == "shipped" and story not in (
            "cancelled-too-late",
            "refused-by-erp",
            "digital-only",
            "refunded",
        ):
            assert invoiced[item["id"]] == Decimal(shop[item["external_id"]]["current_total_price"]), story


def test_every_package_that_left_was_told_to_its_channel_once(told: Told) -> None:
    late = {one["id"] for one in told.show("cancelled-too-late")["fulfilment_orders"]}
    left = {number for number, work in told.packages().items() if work not in late}
    numbers = Counter(key for key, _, _ in told.shop("fulfilment"))
    numbers.update(key for key, _, _ in told.system("amazon-eu", "fulfilment"))
    numbers.update(entry["tracking"] for _, _, entry in told.system("edi-acme", "shipment_notice"))
    assert set(numbers) == left
    assert set(numbers.values()) == {1}
    assert len(left) >= 30


def test_each_purchase_order_is_acknowledged_by_one_file_and_told_when_it_left(told: Told) -> None:
    placed = [key for key, _, _ in told.system("edi-acme", "order_placed")]
    assert len(placed) == len(told.of("edi-acme")) == 2
    assert len(told.system("edi-acme", "acknowledgement")) == len(placed)
    assert len(told.system("edi-acme", "shipment_notice")) == len(placed)
    assert told.system("edi-acme", "unreadable") == []


def test_the_store_s_parcel_has_one_label_that_the_hub_bought_and_its_customer_has_it(told: Told) -> None:
    labels = told.system("carrier", "label")
    assert len({key for key, _, _ in labels}) == len(labels) == 1
    assert told.orders["from-store"]["quantities"] == {"delivered": "2"}


def test_every_buyer_of_a_confirmed_order_is_known_to_the_crm(told: Told) -> None:
    (upserts,) = [row for row in told.summary["destinations"] if row["capability"] == "upsert_customer"]
    assert upserts["states"] == {"acknowledged": upserts["deliveries"]}
    assert len({subject for _, subject, _ in told.system("crm", "customer_put")}) >= 30


def test_the_hub_counts_what_lies_in_the_warehouse(told: Told) -> None:
    physical = {
        tuple(name.split("|")[1:]): Decimal(str(units))
        for name, units in memory(told.folder / "wms-east.ledger", "stock|").items()
    }
    believed = {
        (row["location"], row["sku"]): Decimal(row["on_hand"])
        for row in data(told.home, "--demo", "inventory", "list")["items"]
    }
    assert believed == physical


def test_the_shop_shows_no_more_than_can_be_sold(told: Told) -> None:
    """On hand, less what is reserved, less the store's safety stock; by location as the shop numbers them. Less is
    shown only where the shop booked a sale at another place than the one that shipped it."""
    theirs = {"dc-east": "1001", "dc-west": "1002", "store-14": "1014"}
    safety = {"dc-east": 0, "dc-west": 0, "store-14": 2}
    shown = memory(told.folder / "shopify-us.ledger", "level:")
    sold: dict[str, int] = {}
    for _, sku, entry in told.shop("sale"):
        sold[sku] = sold.get(sku, 0) + entry["quantity"]
    for row in data(told.home, "--demo", "inventory", "list")["items"]:
        free = max(Decimal(0), Decimal(row["free"]) - safety[row["location"]])
        level = shown[f"level:{row['sku']}@{theirs[row['location']]}"]
        assert free - sold.get(row["sku"], 0) <= level <= free, (row["sku"], row["location"])


def test_lists_and_status_tell_the_same_counts(told: Told) -> None:
    listed = data(told.home, "--demo", "orders", "list")["items"]
    assert {item["number"] for item in listed} == {item["number"] for item in told.said["items"]}
    status = {item["kind"]: item for item in data(told.home, "--demo", "status")["items"]}
    counted = Counter(item["status"] for item in listed)
    assert {name: count for name, count in status["orders"].items() if name != "kind"} == dict(counted)
    assert status["messages"].get("parked", 0) == 0
    waiting = data(told.home, "--demo", "deliveries", "list")["items"]
    assert {row["state"] for row in waiting} <= {"parked", "refused"}


def test_an_order_is_explained_in_words(told: Told) -> None:
    number = told.orders["short-pick"]["number"].removeprefix("#")
    words = hub(told.home, "--demo", "orders", "show", number, "--why").stdout
    for expected in ("KETTLE-1L", "dc-west", "Why", "Timeline", "submit_order"):
        assert expected in words


def test_nothing_the_hub_wrote_down_tells_a_secret(told: Told) -> None:
    secrets = [
        value
        for name, value in json.loads((told.folder / "environment.json").read_text(encoding="utf-8")).items()
        if not name.endswith(("_URL", "_CONTROL", "_HOST", "_PORT", "_KEY"))  # addresses, and a public key
    ]
    log = (told.folder / "hub.log").read_text(encoding="utf-8")
    assert secrets
    assert [value for value in secrets if value in log or value in json.dumps(told.said)] == []


# --- one demo at a time, and it ends cleanly ---


@pytest.fixture
def staying(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A demo that has been started and stays up, whatever it is at."""
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "demo"], env=environ(tmp_path), cwd=tmp_path, stdout=out, stderr=out
        )
    try:
        until(lambda: "url" in running(tmp_path), "the demo says where it is")
        yield tmp_path, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def running(home: Path) -> dict[str, Any]:
    lock = home / "demo.lock"
    try:
        return dict(json.loads(lock.read_text(encoding="utf-8") or "{}"))
    except (FileNotFoundError, ValueError):
        return {}


def test_a_second_demo_points_at_the_first_and_a_stop_ends_every_process(
    staying: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    home, process = staying
    facts = running(home)
    second = hub(home, "demo")
    assert facts["url"] in second.stdout
    children = [int(child) for child in _children(process.pid)]
    assert len(children) == len(SYSTEMS) + 1
    process.send_signal(signal.SIGTERM)
    process.wait(90)
    until(lambda: not any(_alive(child) for child in children), "every process of the demo has ended")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = hub(tmp_path, "demo", "--exit", "--port", str(port), check=5)
    assert f"Port {port} is taken" in done.stderr
    assert "--port" in done.stderr


def test_a_folder_that_no_demo_made_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("three years", encoding="utf-8")
    done = hub(tmp_path, "demo", "--exit", check=5)
    assert "no demo made" in done.stderr
    assert (tmp_path / "demo" / "thesis.txt").read_text(encoding="utf-8") == "three years"


def _children(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_buyers_of_the_shop_are_written_of_each_package_once_and_nobody_elses_are(told: Told) -> None:
    mails = told.system("mail", "mail")
    assert len({key for key, _, _ in mails}) == len(mails)
    of_packages = [mail for _, _, mail in mails if "on its way" in mail["subject"]]
    numbers = {order["name"] for order in told.shop_orders().values()}
    assert of_packages
    assert {next(name for name in numbers if name in mail["subject"]) for mail in of_packages} <= numbers
    for number in told.packages():
        assert sum(number in mail["text"] for mail in of_packages) <= 1, number
    assert told.summary["mail"]["subject"] in {mail["subject"] for _, _, mail in mails}
    market = {item["number"] for item in told.of("amazon-eu").values()}
    assert not [mail for _, _, mail in mails if any(number in mail["subject"] for number in market)]
