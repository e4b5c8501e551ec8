"""The types of fields: exact, and strict about what they do not understand."""

from decimal import Decimal

import pytest

from hub.mapping.conversions import OPTIONS, OptionError, conversion
from hub.mapping.errors import Unusable
from hub.mapping.scope import Scope


def convert(kind: str, value: object, **options: object) -> object:
    return convert_noting(kind, value, **options)[0]


def convert_noting(kind: str, value: object, **options: object) -> tuple[object, list[str]]:
    scope = Scope({}, {})
    result = conversion(kind, options, lambda _path: lambda _node, _scope: None)(value, scope)
    return result, [note.code for note in scope.notes]


def refusal(kind: str, value: object, **options: object) -> str:
    with pytest.raises(Unusable) as caught:
        convert(kind, value, **options)
    if isinstance(value, str) and len(value) > 3:
        assert value not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (820982911946154508, "820982911946154508"),
        ("00123", "00123"),
        (" as written ", " as written "),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
    ],
)
def test_text_is_what_was_written_digit_for_digit(value: object, text: str) -> None:
    assert convert("text", value) == text


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], 1.5, pytest.param(10**5000, id="5000 digits")])
def test_text_is_never_made_of_objects_lists_or_floats(value: object) -> None:
    assert refusal("text", value) == "type"


def test_a_nul_character_which_no_database_takes_is_replaced_and_noted() -> None:
    assert convert_noting("text", "a\x00b") == ("a\ufffdb", ["control_character"])


def test_trimmed_lower_and_upper_cut_white_space_and_give_nothing_for_nothing() -> None:
    assert [convert(kind, "  aB ") for kind in ("trimmed", "lower", "upper")] == ["aB", "ab", "AB"]
    assert [convert(kind, "  ") for kind in ("trimmed", "lower", "upper")] == [None, None, None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("19.90", "19.90"),
        ("-0.00", "0.00"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        (" 7 ", "7"),
        ("007.50", "7.50"),
        ("1.5E3", "1500"),
        (Decimal("-89.64"), "-89.64"),
        (12, "12"),
        ("12.7500000", "12.750000"),
        ("999999999999.999999", "999999999999.999999"),
    ],
)
def test_decimals_come_out_canonical(value: object, text: str) -> None:
    assert convert_noting("decimal", value) == (text, [])


@pytest.mark.parametrize(
    ("value", "text"), [("0.0000005", "0.000000"), ("0.0000015", "0.000002"), ("0.62125049", "0.621250")]
)
def test_digits_beyond_the_sixth_are_rounded_half_even_and_noted(value: str, text: str) -> None:
    assert convert_noting("decimal", value) == (text, ["precision_lost"])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2,329.86", "format"),
        ("1 000", "format"),
        ("12,5", "format"),
        ("NaN", "format"),
        ("Infinity", "format"),
        ("1_000", "format"),
        ("١٢", "format"),
        ("0x10", "format"),
        ("", "format"),
        ("9" * 61, "format"),
        ("1E99", "overflow"),
        ("1000000000000", "overflow"),
        ("999999999999.9999999", "overflow"),
        pytest.param(10**5000, "overflow", id="5000 digits"),
        (Decimal("NaN"), "format"),
        (Decimal("1E+5000"), "overflow"),
        (True, "type"),
        (1.5, "type"),
        ({"amount": "1"}, "type"),
        (None, "type"),
    ],
)
def test_what_is_no_exact_number_within_range_is_refused(value: object, code: str) -> None:
    assert refusal("decimal", value) == code


def test_other_separators_are_read_where_the_mapping_declares_them() -> None:
    assert convert("decimal", "12,598", decimal_point=",") == "12.598"
    assert convert("decimal", "2.329,86", decimal_point=",", grouping=".") == "2329.86"
    assert convert("decimal", "2,329.86", grouping=",") == "2329.86"
    assert refusal("decimal", "2.329", decimal_point=",") == "format"
    with pytest.raises(OptionError):
        convert("decimal", "1", decimal_point=",", grouping=",")


def test_whole_numbers_may_be_written_with_zeros_behind_the_point() -> None:
    assert [convert("integer", value) for value in ("2.0000", 2, "-3", Decimal("4.0"))] == [2, 2, -3, 4]
    assert refusal("integer", "1.5") == "format"
    assert refusal("integer", True) == "type"


def test_a_number_for_systems_that_want_one_stays_exact() -> None:
    assert convert("number", "19.90") == Decimal("19.90")
    assert convert("number", "2.00") == 2
    assert isinstance(convert("number", "2.00"), int)


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        ("false", False),
        ("TRUE", True),
        ("1", True),
        ("0", False),
        (0, False),
        ("No", False),
        ("y", True),
        (False, False),
    ],
)
def test_booleans_in_any_dress(value: object, truth: bool) -> None:
    assert convert("boolean", value) is truth


@pytest.mark.parametrize("value", ["perhaps", 2, [], {}, 0.0])
def test_anything_else_is_no_boolean(value: object) -> None:
    assert refusal("boolean", value) in ("format", "type")


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2025-04-02T11:31:25-05:00", "2025-04-02T16:31:25.000000Z"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000000Z"),
        ("2026-11-01T10:00:00.123456789Z", "2026-11-01T10:00:00.123456Z"),
        ("2020-06-09 14:00:00Z", "2020-06-09T14:00:00.000000Z"),
        ("2020-06-09 14:00:00 +0200", "2020-06-09T12:00:00.000000Z"),
        ("2020-06-09T14:00:00+0200", "2020-06-09T12:00:00.000000Z"),
        ("2021-02-19+01:00", "2021-02-18T23:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        (" 2026-11-01T10:00:00Z ", "2026-11-01T10:00:00.000000Z"),
    ],
)
def test_iso_times_of_every_spelling_become_utc_with_microseconds(value: str, utc: str) -> None:
    assert convert("instant", value) == utc


@pytest.mark.parametrize(
    ("value", "options", "utc"),
    [
        (1569521782, {"format": "epoch"}, "2019-09-26T18:16:22.000000Z"),
        ("1.569521782042E9", {"format": "epoch"}, "2019-09-26T18:16:22.042000Z"),
        ("1569521782042", {"format": "epoch_ms"}, "2019-09-26T18:16:22.042000Z"),
        ("Tue, 03 Nov 2026 09:15:00 -0500", {"format": "rfc2822"}, "2026-11-03T14:15:00.000000Z"),
        (
            "03.11.2026 09:15:00",
            {"format": "%d.%m.%Y %H:%M:%S", "zone": "Europe/Berlin"},
            "2026-11-03T08:15:00.000000Z",
        ),
        ("20261103091500", {"format": "%Y%m%d%H%M%S", "zone": "UTC"}, "2026-11-03T09:15:00.000000Z"),
        (20261103, {"format": "%Y%m%d", "zone": "UTC"}, "2026-11-03T00:00:00.000000Z"),
        ("2026-11-03 09:15:00", {"zone": "UTC"}, "2026-11-03T09:15:00.000000Z"),
        ("2026-11-03T09:15:00", {"zone": "America/New_York"}, "2026-11-03T14:15:00.000000Z"),
        ("2026-11-03T09:15:00Z", {"format": ["epoch", "iso"]}, "2026-11-03T09:15:00.000000Z"),
    ],
)
def test_other_formats_are_read_where_the_mapping_names_them(
    value: object, options: dict[str, object], utc: str
) -> None:
    assert convert("instant", value, **options) == utc


@pytest.mark.parametrize(
    "value",
    ["2026-11-03T09:15:00", "yesterday", "2026-02-30T00:00:00Z", "", "20261103T091500Z", "9" * 200, "0000-00-00"],
)
def test_a_time_without_offset_or_sense_is_refused(value: str) -> None:
    assert refusal("instant", value) == "format"


@pytest.mark.parametrize("value", [5, None, True, {"time": 1}])
def test_a_time_is_text_unless_an_epoch_is_declared(value: object) -> None:
    assert refusal("instant", value) == "type"


def test_years_that_cannot_be_meant_are_noted_not_refused() -> None:
    assert convert_noting("instant", "1970-01-19T03:58:30Z") == ("1970-01-19T03:58:30.000000Z", ["implausible_time"])


def test_an_hour_that_comes_twice_is_the_earlier_one_and_noted() -> None:
    assert convert_noting("instant", "2026-10-25 02:30:00", zone="Europe/Berlin") == (
        "2026-10-25T00:30:00.000000Z",
        ["ambiguous_time"],
    )


def test_times_at_the_edge_of_the_calendar_are_refused_not_crashed() -> None:
    assert refusal("instant", "0001-01-01T00:00:00+14:00") == "format"
    assert refusal("instant", "9E11", format="epoch") == "format"
    assert refusal("instant", 10**30, format="epoch") == "format"


def test_versions_written_as_instants_sort_as_text() -> None:
    moments = ["2026-11-01T10:00:00Z", "2026-11-01T10:00:00.5Z", "2026-11-01T10:00:01Z", "2026-11-01T12:00:02+01:00"]
    written = [str(convert("instant", moment)) for moment in moments]
    assert written == sorted(written)


def test_dates_are_the_day_as_written() -> None:
    assert convert("date", "2021-02-19+01:00") == "2021-02-19"
    assert convert("date", "19.02.2021", format="%d.%m.%Y") == "2021-02-19"


@pytest.mark.parametrize(
    ("value", "code"), [("us", "US"), ("USA", "US"), ("England", "GB"), ("Deutschland", "Deutschland"), (" jpn ", "JP")]
)
def test_countries_by_code_or_name(value: str, code: str) -> None:
    result, notes = convert_noting("country", value)
    assert (result, notes) == (code, ["unknown_country"] if code == "Deutschland" else [])


def test_currencies_are_three_letters() -> None:
    assert convert("currency", "usd") == "USD"
    assert refusal("currency", "US Dollar") == "format"
    assert refusal("currency", "€") == "format"


def test_texts_are_a_list_or_one_text_cut() -> None:
    assert convert("texts", "VIP, Gift, ", separator=",") == ["VIP", "Gift"]
    assert convert("texts", [1, "a", None, ""]) == ["1", "a"]
    assert refusal("texts", "VIP, Gift") == "type"


def test_every_type_is_made_with_its_options() -> None:
    needed = {"money": {"currency": {"const": "EUR"}}}
    for kind in OPTIONS:
        assert callable(conversion(kind, needed.get(kind, {}), lambda _path: lambda _node, _scope: None))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("instant", {"zone": "Mars/Olympus"}),
        ("instant", {"format": "whenever"}),
        ("instant", {"format": []}),
        ("money", {}),
        ("money", {"currency": {"const": "Euro"}}),
        ("decimal", {"decimal_point": "::"}),
        ("texts", {"separator": 5}),
    ],
)
def test_options_that_make_no_sense_are_found_when_compiling(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        convert(kind, "1", **options)
