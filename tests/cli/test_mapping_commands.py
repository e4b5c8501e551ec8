"""`hub mapping`: what there is, what is wrong with it, what it makes, and an override from first to last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.site import ROOT, SHOP, Site

OVERRIDE = """\
mapping: shopify/orders.in
extends: shopify/orders.in
version: 2
fields:
  note: { from: note, as: upper }
  buyer: { fields: { phone: null } }
tests:
  - name: notes in capitals
    input: { id: 1, currency: USD, note: at the door }
    expect: { note: at the door }   # wrong on purpose
  - { name: "two lines, ids beyond 2^53, discount shared over lines", skip: our notes are in capitals }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write(site: Site, name: str, text: str) -> Path:
    path = site.config / "mappings" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def row(site: Site, name: str) -> dict[str, object]:
    return next(item for item in site.good("mapping", "list", "--json").items if item["name"] == name)


def test_the_list_says_where_a_mapping_lies_what_it_extends_and_who_uses_it(site: Site) -> None:
    shipped = row(site, "shopify/orders.in")
    assert (shipped["kind"], shipped["target"], shipped["over"], shipped["used_by"]) == ("state", "Order", [], [SHOP])
    path = write(site, "shopify/orders.in", OVERRIDE)
    mine = row(site, "shopify/orders.in")
    assert (mine["version"], mine["file"]) == (2, str(path))
    assert mine["over"] == [f"shopify/orders.in 1 ({Path('mappings/shopify/orders.in.yaml')})"]
    assert row(site, "carrier_rest/rate.out")["used_by"] == []


def test_a_mapping_that_cannot_be_used_is_listed_with_its_fault(site: Site) -> None:
    write(site, "shopify/orders.in", OVERRIDE.replace("as: upper", "as: uper"))
    done = site.good("mapping", "list")
    assert "shopify/orders.in cannot be used: line 5" in done.err


def test_check_finds_mistakes_at_their_place(site: Site) -> None:
    path = write(
        site,
        "shopify/orders.in",
        "extends: shopify/orders.in\nfields:\n  nte: note\n  note: { expr: uper(note) }\n"
        "  test: { from: test, as: text }\n",
    )
    done = site.hub("mapping", "check")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{path}:3:3: HUB021 Order has no field nte; did you mean `note`?")
    assert lines[1].startswith(f"{path}:4:17: HUB021 there is no function uper(); did you mean `upper`?")
    assert lines[2].startswith(f"{path}:5:27: HUB021 `as: text` gives a string, but the field takes a boolean")
    assert "3 faults in 1 file" in done.err
    items = site.hub("mapping", "check", "--json").items
    assert [(one["rule"], one["line"], one["column"]) for one in items] == [
        ("HUB021", 3, 3), ("HUB021", 4, 17), ("HUB021", 5, 27),
    ]  # fmt: skip
    assert site.hub("mapping", "check", "--format", "github").out.startswith(f"::error file={path},line=3,col=3")


def test_check_finds_paths_and_tables_that_no_fixture_hits(site: Site) -> None:
    path = write(
        site,
        "shopify/orders.in",
        "extends: shopify/orders.in\nfields:\n  note: { from: noot }\n"
        "  number: { from: name, table: { '#1': one }, otherwise: default, default: none }\n",
    )
    done = site.good("mapping", "check")
    assert f'{path}:3:17: HUB025 warning: the path "noot" finds nothing' in done.out
    assert f"{path}:4:32: HUB026 warning: no value in any fixture" in done.out


def test_check_judges_a_shipped_mapping_when_it_is_named(site: Site) -> None:
    assert "nothing found" in site.good("mapping", "check").out
    assert "1 mapping checked, nothing found" in site.good("mapping", "check", "wms_rest/stock.in").out


def test_an_unknown_name_is_answered_with_the_nearest(site: Site) -> None:
    for command in ("check", "test"):
        done = site.hub("mapping", command, "shopify/order.in")
        assert done.code == 1
        assert "did you mean `shopify/orders.in`?" in done.err


def test_a_trace_says_of_each_field_where_it_came_from(site: Site) -> None:
    fixture = ROOT / "mappings" / "shopify" / "fixtures" / "yen.json"
    (found,) = site.good("mapping", "try", "shopify/orders.in", fixture, "--trace", "--json").items
    assert found["mapping"] == "shopify/orders.in 1"
    rows = {one["target"]: one for one in found["trace"]}
    assert rows["payment_state"]["steps"] == "table payment_state"
    assert rows["currency"] == {
        "target": "currency", "source": "currency", "raw": "JPY", "steps": "as currency", "result": "JPY",
    }  # fmt: skip
    assert rows["lines.0.quantity"]["source"] == "quantity"
    assert "TARGET" in site.good("mapping", "try", "shopify/orders.in", fixture, "--trace").out


def test_a_file_is_tried_before_it_is_anywhere_else(site: Site, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text("mapping: shopify/wholesale.in\nextends: shopify/orders.in\nfields: { note: { const: draft } }\n")
    fixture = ROOT / "mappings" / "shopify" / "fixtures" / "yen.json"
    done = site.good("mapping", "try", draft, fixture)
    assert json.loads(done.out)["note"] == "draft"


def test_an_override_is_held_to_the_tests_of_its_base_and_updated(site: Site) -> None:
    path = write(site, "shopify/orders.in", OVERRIDE)
    done = site.hub("mapping", "test", "shopify/orders.in")
    assert done.code == 1
    assert f"FAILED shopify/orders.in: notes in capitals ({path}:8)" in done.out
    assert "note: AT THE DOOR instead of at the door" in done.out
    assert "skipped shopify/orders.in: two lines" in done.out
    done = site.good("mapping", "test", "shopify/orders.in", "--update")
    assert "1 place rewritten" in done.out
    assert path.read_text() == OVERRIDE.replace("{ note: at the door }   #", "{ note: AT THE DOOR }   #")


def test_ends_of_lines_stay_what_they_are(site: Site) -> None:
    text = OVERRIDE.replace("\n", "\r\n")
    path = write(site, "shopify/orders.in", "")
    path.write_bytes(text.encode())
    site.good("mapping", "test", "shopify/orders.in", "--update")
    assert path.read_bytes().decode() == text.replace("{ note: at the door }   #", "{ note: AT THE DOOR }   #")


def test_a_test_of_the_base_is_never_rewritten(site: Site) -> None:
    shipped = ROOT / "mappings" / "shopify" / "orders.in.yaml"
    before = shipped.read_bytes()
    write(site, "shopify/orders.in", "extends: shopify/orders.in\nfields: { currency: null }\n")
    done = site.hub("mapping", "test", "shopify/orders.in", "--update")
    assert done.code == 1
    assert "it stands in the base: give a test of this name here" in done.out
    assert shipped.read_bytes() == before


def test_coverage_over_a_folder_of_bodies(site: Site, tmp_path: Path) -> None:
    bodies = tmp_path / "bodies"
    shutil.copytree(ROOT / "mappings" / "shopify" / "fixtures", bodies)
    (bodies / "broken.json").write_text("{")
    done = site.good("mapping", "coverage", "shopify/orders.in", bodies, "--json")
    (found,) = done.items
    assert found["records"] == len(list(bodies.iterdir())) - 1
    assert "line_items[].sku" in found["read"]
    assert "line_items[].vendor" in found["kept"]
    assert found["left"] == {}
    assert "buyer.phone" in found["never_filled"]
    assert len(done.data["unreadable"]) == 1
    told = site.good("mapping", "coverage", "shopify/orders.in", bodies).out
    assert "\n  buyer.phone\n" in told.partition("never filled:")[2]


def test_a_second_connection_chooses_a_mapping_of_its_own(site: Site) -> None:
    write(site, "shopify/wholesale.in", "extends: shopify/orders.in\nfields: { order_type: { const: b2b } }\n")
    first = site.config / "connections" / f"{SHOP}.yaml"
    second = (
        first.read_text().replace(f"id: {SHOP}", "id: shopify-b2b").replace("push: true", "push: true, mapping: M", 1)
    )
    (site.config / "connections" / "shopify-b2b.yaml").write_text(
        second.replace("mapping: M", "mapping: shopify/wholesal.in")
    )
    done = site.hub("config", "check")
    assert "HUB020 there is no mapping shopify/wholesal.in for the stream orders" in done.out
    assert done.out.count('did you mean "shopify/wholesale.in"?') == 1
    assert "no connection uses the mapping shopify/wholesale.in; no connection has such" in done.out
    assert 'did you mean "shopify/wholesal.in"?' not in done.out
    (site.config / "connections" / "shopify-b2b.yaml").write_text(
        second.replace("mapping: M", "mapping: shopify/wholesale.in")
    )
    found = site.hub("config", "check", "--json")
    assert [one for one in found.items if one["rule"] in ("HUB002", "HUB020", "HUB031")] == []
    assert row(site, "shopify/wholesale.in")["used_by"] == ["shopify-b2b"]
    assert row(site, "shopify/orders.in")["used_by"] == [SHOP]


def test_a_mapping_of_other_records_cannot_be_chosen(site: Site) -> None:
    site.edit(f"connections/{SHOP}.yaml", "push: true, poll", "push: true, mapping: shopify/refunds.in, poll")
    done = site.hub("config", "check")
    assert done.code == 1
    assert "HUB002 streams.orders.mapping: shopify/refunds.in makes RefundEvent, but this stream is Order" in done.out


def test_a_mapping_that_writes_cannot_be_chosen_for_a_stream_and_is_told_once(site: Site) -> None:
    site.edit(f"connections/{SHOP}.yaml", "push: true, poll", "push: true, mapping: shopify/push_shipment.out, poll")
    lines = [line for line in site.hub("config", "check").out.splitlines() if "push_shipment.out" in line]
    assert len(lines) == 1
    assert lines[0].endswith(
        "HUB002 streams.orders.mapping: 'shopify/push_shipment.out' is no mapping that reads a stream; its name ends "
        "with .in, for example shopify/wholesale.in"
    )


def test_a_word_that_is_not_allowed_is_told_with_all_that_are(site: Site, tmp_path: Path) -> None:
    draft, body = tmp_path / "draft.yaml", tmp_path / "body.json"
    draft.write_text(
        "mapping: shopify/wholesale.in\nextends: shopify/orders.in\nfields: { order_type: { from: kind } }\n"
    )
    body.write_text(json.dumps({"id": 1, "currency": "USD", "kind": "w" * 50}))
    done = site.hub("mapping", "try", draft, body)
    assert done.code == 1
    assert f', it is "{"w" * 40}" (schema)' in done.err
    assert 'order_type: the value is none of "sale", "b2b", "' in done.err
    assert "other candidates" not in done.err


def test_a_configuration_whose_mapping_fails_a_test_is_not_taken(site: Site) -> None:
    write(site, "shopify/orders.in", OVERRIDE.replace("  - { name: ", "  # { name: "))
    found = [one for one in site.hub("config", "check", "--json").items if one["rule"] == "HUB032"]
    assert [(one["file"], one["line"]) for one in found] == [
        ("mappings/shopify/orders.in.yaml", 1), ("mappings/shopify/orders.in.yaml", 8),
    ]  # fmt: skip
    assert 'fails 1 test of its base: "two lines, ids beyond 2^53' in found[0]["message"]
    assert found[1]["message"] == 'shopify/orders.in fails its test "notes in capitals"'
    assert "DOOR" not in str(found)
    planned = site.hub("config", "plan")
    assert planned.code == 1
    assert "HUB032" in planned.err
    write(site, "shopify/orders.in", OVERRIDE.replace("{ note: at the door }", "{ note: AT THE DOOR }"))
    assert "HUB032" not in site.hub("config", "check").out


def test_an_interchange_is_tried_as_what_it_is(site: Site) -> None:
    isa = "ISA*00*          *00*          *ZZ*BIGBOX         *ZZ*ACME           *261103*1015*U*00401*000000007*0*T*>~"
    body = (
        f"{isa}GS*PO*BIGBOX*ACME*20261103*1015*7*X*004010~ST*850*0001~BEG*00*SA*PO-4711**20261103~"
        "PO1*1*3*EA*4.50**VN*MUG-BLUE~CTT*1~SE*5*0001~GE*1*7~IEA*1*000000007~"
    )
    done = site.good("mapping", "try", "sftp_files/orders.in", site.write("purchase.edi", body), "--trace", "--json")
    rows = {row["target"]: row for row in done.items[0]["trace"]}
    assert (rows["external_id"]["source"], rows["external_id"]["result"]) == ("BEG.BEG03", "PO-4711")
