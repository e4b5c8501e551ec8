"""Which files are taken and when, what becomes of them, and what is written: against a real SFTP server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sftp_files.taking import archived_name, looks_complete
from hub.sdk.capabilities import Capability
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.records import Found, Missing, NotFound, Unsure
from tests.conftest import SettableClock
from tests.connectors.sftp_world import Hub, Partner, partner

ORDER = '{"order": 1}'


@pytest.fixture
def other(tmp_path: Path, clock: SettableClock) -> Iterator[Partner]:
    with partner(tmp_path, clock) as found:
        yield found


def test_a_file_is_taken_when_it_has_not_changed_for_long_enough(other: Partner) -> None:
    hub = Hub(other, stable_for_seconds=60)
    other.put("a.850", "one")
    assert hub.poll() == []
    other.clock.advance(59)
    assert hub.poll() == []
    other.put("a.850", "one and more")
    other.clock.advance(59)
    assert hub.poll() == []
    other.clock.advance(60)
    assert hub.poll() == ["/out/a.850"]
    assert [receipt.body for receipt in hub.stored.values()] == [b"one and more"]
    assert other.names("/out/archive") == ["a.850"]


def test_a_file_that_only_looks_the_same_size_again_has_changed(other: Partner) -> None:
    hub = Hub(other, stable_for_seconds=60)
    other.put("a.850", "one")
    hub.poll()
    other.clock.advance(90)
    other.put("a.850", "two")
    os.utime(other.root / "out/a.850", (1_000, 1_000))
    assert hub.poll() == []


@pytest.mark.parametrize(
    "name", ["a.850.tmp", "a.850.part", "a.850.filepart", "A.850.TMP", ".a.850", "a.850~", "a.txt"]
)
def test_what_is_not_whole_yet_by_its_name_or_not_ours_is_left_alone(other: Partner, name: str) -> None:
    hub = Hub(other, match="*.850*" if name != "a.txt" else "*.850")
    other.put(name, ORDER)
    other.put("folder.850/inside.850", ORDER)
    assert hub.poll() == []
    assert name in other.names("/out")


def test_an_interchange_without_its_end_waits_and_is_taken_as_it_is_in_the_end(other: Partner) -> None:
    hub = Hub(other, codec="x12", stable_for_seconds=60)
    placed = other.control("place", lines=[{"sku": "A", "quantity": "1", "price": "2.00"}])
    path = other.root / "out" / placed["name"]
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    hub.poll()
    other.clock.advance(300)
    assert hub.poll() == []
    path.write_bytes(whole)
    hub.poll()
    other.clock.advance(60)
    assert len(hub.poll()) == 1
    path.write_bytes(whole[:300])
    hub.poll()
    other.clock.advance(600)
    assert len(hub.poll()) == 1
    assert [receipt.body for receipt in hub.stored.values()] == [whole, whole[:300]]


def test_what_was_stored_and_not_moved_is_moved_after_a_crash_and_stored_once(other: Partner) -> None:
    hub = Hub(other)
    other.put("a.850", ORDER)
    assert hub.poll(dies_before_settling=True) == ["/out/a.850"]
    assert other.names("/out") == ["a.850"]
    assert hub.poll() == []
    assert other.names("/out") == []
    assert other.names("/out/archive") == ["a.850"]


def test_a_file_that_was_replaced_before_it_could_be_moved_is_read_anew(other: Partner) -> None:
    hub = Hub(other)
    other.put("a.850", "first")
    (batch,) = hub.batches()
    hub.store(batch)
    other.put("a.850", "second one")
    hub.connector.settle(batch)
    assert other.names("/out") == ["a.850"]
    assert hub.poll() == ["/out/a.850"]
    assert [receipt.body for receipt in hub.stored.values()] == [b"first", b"second one"]


def test_the_same_content_at_the_same_place_and_size_is_told_apart_by_its_hash_and_time(other: Partner) -> None:
    hub = Hub(other)
    for text in ("aaaa", "bbbb", "aaaa"):
        other.put("a.850", text)
        os.utime(other.root / "out/a.850", (len(hub.stored), len(hub.stored)))
        assert len(hub.poll()) == 1
    assert [receipt.body for receipt in hub.stored.values()] == [b"aaaa", b"bbbb", b"aaaa"]
    assert len(other.names("/out/archive")) == 3


def test_two_hubs_that_read_one_directory_store_each_file_once(other: Partner) -> None:
    one, two = Hub(other), Hub(other)
    two.stored = one.stored
    for number in range(6):
        other.put(f"{number}.850", f"{number}")
    first = next(one.batches())
    second = next(two.batches())
    one.store(first)
    two.store(second)
    one.connector.settle(first)
    two.connector.settle(second)
    assert sorted(receipt.body for receipt in one.stored.values()) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert other.names("/out") == []
    assert len(other.names("/out/archive")) == 6


def test_a_file_that_is_gone_when_we_come_to_it_stops_nobody(other: Partner) -> None:
    hub = Hub(other)
    for name in ("a.850", "b.850"):
        other.put(name, name)
    other.control("put", name="a.850", text="a.850", age_seconds=60)
    hub.through = lambda session: Vanishing(session, other.root / "out/a.850")
    assert hub.poll() == ["/out/b.850"]


class Vanishing:
    """A session during whose first read somebody else takes the file away."""

    def __init__(self, session: object, path: Path) -> None:
        self._session, self._path = session, path

    def __getattr__(self, name: str) -> object:
        if name == "read":
            self._path.unlink(missing_ok=True)
        return getattr(self._session, name)


def test_the_archive_keeps_every_file_of_one_name(other: Partner) -> None:
    hub = Hub(other, archive_directory="/done/2026")
    for number in range(3):
        other.put("orders.850", f"order {number}")
        hub.poll()
    archived = other.names("/done/2026")
    assert len(archived) == 3
    assert "orders.850" in archived
    assert all(name.startswith("orders.") and name.endswith(".850") for name in archived)


@given(st.text(alphabet="ab.", min_size=1, max_size=12), st.integers(0, 2**31), st.sets(st.integers(0, 50), min_size=2))
def test_archived_names_differ_and_keep_their_ending(name: str, modified_at: int, numbers: set[int]) -> None:
    made = {archived_name(name, modified_at, "0123456789abcdef", number) for number in numbers}
    assert len(made) == len(numbers)
    assert name.startswith(".") or all(one.endswith(name.rpartition(".")[2]) or "." not in name for one in made)


def test_what_is_too_large_is_told_with_its_size_and_lies_in_the_error_directory(other: Partner) -> None:
    hub = Hub(other, max_bytes=100)
    other.put("big.850", "x" * 101)
    other.put("small.850", ORDER)
    assert sorted(hub.poll()) == ["/out/big.850", "/out/small.850"]
    assert other.names("/out/error") == ["big.850"]
    assert other.names("/out/archive") == ["small.850"]
    (big,) = [receipt for receipt in hub.stored.values() if receipt.headers["x-file"] == "/out/big.850"]
    assert big.body == b""
    with pytest.raises(DataError, match="101 bytes"):
        hub.connector.parse(big)
    (small,) = [receipt for receipt in hub.stored.values() if receipt is not big]
    assert hub.connector.parse(small) is None


def test_what_we_may_not_read_is_told_once_and_is_read_when_we_may(other: Partner) -> None:
    hub = Hub(other)
    other.put("a.850", ORDER)
    other.fault("read", "permission_denied", times=2)
    other.fault("rename", "permission_denied", times=2)
    for _ in range(2):
        with pytest.raises(CallFailed, match="moved away"):
            hub.poll()
    assert [receipt.headers.get("x-file-problem", "")[:6] for receipt in hub.stored.values()] == ["denied"]
    assert hub.poll() == ["/out/a.850"]
    assert [receipt.body for receipt in hub.stored.values()] == [b"", ORDER.encode()]


def test_what_the_server_fails_to_give_is_told_and_holds_up_no_other(other: Partner) -> None:
    hub = Hub(other)
    other.control("put", name="locked.850", text="locked", age_seconds=60)
    other.put("free.850", "free")
    other.fault("read", "error_before")
    with pytest.raises(CallFailed, match=r"locked\.850"):
        hub.poll()
    assert [receipt.body for receipt in hub.stored.values()] == [b"free"]
    assert hub.poll() == ["/out/locked.850"]


def test_what_cannot_be_moved_is_told_and_holds_up_no_other(other: Partner) -> None:
    hub = Hub(other)
    other.control("put", name="old.850", text="old", age_seconds=60)
    other.put("new.850", "new")
    other.fault("rename", "permission_denied", times=2)
    with pytest.raises(CallFailed, match=r"\(2\): .* permission denied") as told:
        hub.poll()
    assert told.value.resolution is Resolution.RETRY
    assert len(hub.stored) == 2
    other.put("next.850", "next")
    assert hub.poll() == ["/out/next.850"]
    assert len(other.names("/out/archive")) == 3


def test_many_files_come_in_batches_oldest_first_and_the_rest_the_next_time(other: Partner) -> None:
    hub = Hub(other)
    now = time.time()
    for number in range(120):
        path = other.root / f"out/{(number * 77) % 120:03d}.850"
        path.write_text(f"{number}")
        os.utime(path, (now - 1000 + number, now - 1000 + number))
    batches = []
    for batch in hub.batches():
        hub.store(batch)
        hub.connector.settle(batch)
        batches.append(len(batch.receipts))
        if len(batches) == 2:
            break
    assert batches == [50, 50]
    assert [receipt.body for receipt in hub.stored.values()] == [str(number).encode() for number in range(100)]
    assert len(hub.poll()) == 20
    assert other.names("/out") == []


def test_a_slow_server_gives_smaller_batches(other: Partner) -> None:
    hub = Hub(other)
    for number in range(4):
        other.put(f"{number}.850", f"{number}")
    hub.through = lambda session: Slow(session, other.clock)
    assert [len(batch.receipts) for batch in hub.batches()] == [2, 2]


class Slow:
    """A session whose every read takes ten seconds."""

    def __init__(self, session: object, clock: SettableClock) -> None:
        self._session, self._clock = session, clock

    def __getattr__(self, name: str) -> object:
        if name == "read":
            self._clock.advance(10)
        return getattr(self._session, name)


def test_files_that_are_kept_are_read_once_and_again_when_they_change(other: Partner) -> None:
    hub = Hub(other, then="keep")
    other.put("a.850", "one")
    assert hub.poll() == ["/out/a.850"]
    reads = len(other.entries("file_read"))
    assert hub.poll() == []
    assert len(other.entries("file_read")) == reads
    other.put("a.850", "one more")
    assert hub.poll() == ["/out/a.850"]
    assert other.names("/out") == ["a.850"]


def test_files_are_deleted_where_the_connection_says_so(other: Partner) -> None:
    hub = Hub(other, then="delete")
    other.put("a.850", "one")
    hub.poll()
    assert other.names("/out") == []
    assert not (other.root / "out/archive").exists()


def test_the_cursor_forgets_what_is_gone(other: Partner) -> None:
    hub = Hub(other, stable_for_seconds=60)
    other.put("a.850", "one")
    hub.poll()
    assert hub.cursor is not None
    assert "a.850" in hub.cursor.value
    other.clock.advance(60)
    hub.poll()
    hub.poll()
    assert hub.cursor.value == '{"seen":{},"taken":{}}'


def test_a_file_can_be_had_again_by_its_name(other: Partner) -> None:
    hub = Hub(other)
    other.put("a.850", "one")
    hub.poll()
    again = hub.connector.fetch("orders", "a.850")
    assert not isinstance(again, Missing)
    assert again.body == b"one"
    for name in ("b.850", "../in/a.850", "..", ""):
        assert hub.connector.fetch("orders", name) == Missing(name)


def test_check_says_of_each_directory_whether_it_is_there(other: Partner) -> None:
    good = Hub(other).connector.check()
    assert good.ok
    assert [probe.name for probe in good.probes] == ["/out (orders)", "/in (push_shipment)"]
    bad = Hub(other, directory="/nowhere").connector.check()
    assert [probe.ok for probe in bad.probes] == [False, True]
    refused = Hub(other, config={"password": "wrong"}).connector.check()
    assert [probe.ok for probe in refused.probes] == [False]


def test_a_document_is_written_once_and_a_second_of_its_name_is_read_back(other: Partner) -> None:
    hub = Hub(other)
    reply = hub.connector.push_shipment(hub.effect(text="ISA~"))
    assert reply.external_id == "856-1.x12"
    with pytest.raises(CallFailed) as again:
        hub.connector.push_shipment(hub.effect(text="ISA~"))
    assert again.value.resolution is Resolution.DUPLICATE
    same = hub.connector.lookup(Capability.PUSH_SHIPMENT, hub.effect(text="ISA~"))
    assert isinstance(same, Found)
    assert same.same_content is True
    for text in ("ISB~", "longer"):
        differs = hub.connector.lookup(Capability.PUSH_SHIPMENT, hub.effect(text=text))
        assert isinstance(differs, Found)
        assert differs.same_content is False
    assert isinstance(hub.connector.lookup(Capability.PUSH_SHIPMENT, hub.effect("other.x12")), NotFound)
    other.fault("login", "refuse_login")
    other.control("drop")
    assert isinstance(hub.connector.lookup(Capability.PUSH_SHIPMENT, hub.effect()), Unsure)


def test_a_document_that_the_partner_has_taken_away_is_not_written_again(other: Partner) -> None:
    options = {"push_shipment": {"directory": "/in", "taken_directory": "/in/done"}}
    hub = Hub(other, effects=options)
    (other.root / "in/done").mkdir()
    other.fault("rename", "drop_after")
    with pytest.raises(TransportError) as cut:
        hub.connector.push_shipment(hub.effect())
    assert not cut.value.before_first_byte
    (other.root / "in/856-1.x12").rename(other.root / "in/done/856-1.x12")
    assert hub.connector.push_shipment(hub.effect(attempt=2)).status == 200
    assert other.names("/in") == []


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(other: Partner, name: str) -> None:
    hub = Hub(other)
    with pytest.raises(CallFailed) as refused:
        hub.connector.push_shipment(hub.effect(name))
    assert refused.value.resolution is Resolution.REJECTED


@pytest.mark.parametrize(
    ("body", "codec", "complete"),
    [
        (b"", "json", False),
        (b"{", "json", True),
        (b"ISA*00*~GS*PO~", "x12", False),
        (b"ISA*00*~IEA*1*1~", "x12", True),
        (b"\xef\xbb\xbf ISA|00|~IEA|1|1", "x12", True),
        (b"no interchange", "x12", True),
        (b"ISA", "x12", True),
    ],
)
def test_the_end_of_a_file_shows_whether_it_is_all_there(body: bytes, codec: str, complete: bool) -> None:
    assert looks_complete(body, codec) is complete
