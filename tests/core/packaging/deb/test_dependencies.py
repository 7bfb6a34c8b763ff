"""Stanzas: one reader, lenient for what a host's own tools say, strict for a file that a person brought."""

import pytest

from nornir_upgrade.core.packaging.deb.dependencies import Malformed, fields_of, stanzas, strict_fields

TEXT = "\nPackage: a\nDepends: b,\n c\n\n\n\nPackage: d\n"


def test_stanzas_are_parted_by_empty_lines_and_know_their_line() -> None:
    assert list(stanzas(TEXT)) == [(1, "Package: a\nDepends: b,\n c"), (7, "Package: d")]
    assert list(stanzas("")) == []


def test_lines_that_continue_a_field_are_joined_by_a_blank() -> None:
    for read in (lambda stanza: dict(fields_of(stanza)), strict_fields):
        assert read("Depends:\n b,\n\tc\nSize:1") == {"Depends": "b, c", "Size": "1"}


def test_the_lenient_reader_takes_every_field_in_order_and_leaves_out_the_rest() -> None:
    assert list(fields_of("no field\n go: on\nA: 1\nA: 2")) == [("A", "1"), ("A", "2")]


@pytest.mark.parametrize(
    ("stanza", "offset", "reason"),
    [
        ("A: 1\nno field", 1, "no field of a package: 'no field'"),
        ("A: 1\nno field: 2", 1, "no field of a package: 'no field: 2'"),
        (" goes on", 0, "goes on where nothing began"),
        ("A: 1\n more\nA: 2", 2, "A stands twice"),
    ],
)
def test_the_strict_reader_refuses_a_line_by_its_offset(stanza: str, offset: int, reason: str) -> None:
    with pytest.raises(Malformed) as refused:
        strict_fields(stanza)
    assert refused.value.offset == offset
    assert reason in refused.value.reason
