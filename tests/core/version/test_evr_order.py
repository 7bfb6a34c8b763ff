"""The order of versions: the real tools' answers in tables, and the laws that hold for any versions."""

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import deb, evr, rpm
from tests.core import referees
from tests.core.versions import DEB, DEB_VERSIONS, FOUND_VERSIONS, INVALID, RPM_VERSIONS, pairs

EITHER = st.one_of(
    st.tuples(st.just("deb"), st.lists(st.one_of(DEB_VERSIONS, FOUND_VERSIONS), min_size=3, max_size=3)),
    st.tuples(st.just("rpm"), st.lists(RPM_VERSIONS, min_size=3, max_size=3)),
)
"""A flavour, and three versions of it."""
TEXTS = {"deb": deb.compare, "rpm": rpm.compare}


# ---------------------------------------------------------------------- the real tools


@pytest.mark.parametrize("flavour", ["deb", "rpm"])
def test_the_order_is_the_tools(flavour: evr.Flavour) -> None:
    rows = referees.table(flavour)
    assert len(rows) > 1000
    for way in (by_compare, by_key):
        wrong = [(one, other, told) for one, other, told in rows if way(one, other, flavour) != told]
        assert not wrong, way.__name__


def test_what_is_valid_is_what_dpkg_validates() -> None:
    rows = referees.table("deb_validity")
    assert {told for *_, told in rows} == {"0", "1", "2"}
    assert not [(text, told) for text, _, told in rows if _standing(text) != told]


def test_dpkg_agrees_today() -> None:
    """With this machine's dpkg, whatever version that is: the tables are one version's answers."""
    asked = [pair for pair in pairs(5, 150, DEB + INVALID) if all(text and text[0] != "-" for text in pair)]
    told = ["refused" if order is None else str(order) for order in referees.dpkg(asked)]
    assert [by_key(*pair, "deb") for pair in asked] == told


# ---------------------------------------------------------------------- laws


@given(EITHER)
@example(("rpm", ["1", "1-1", "1-2"]))
def test_the_order_is_an_order(drawn: tuple[evr.Flavour, list[str]]) -> None:
    """Total, antisymmetric and transitive: three versions in order, each is not newer than any after it."""
    flavour, texts = drawn
    versions = [evr.found(text, flavour) for text in texts]
    for one, other in itertools.product(versions, repeat=2):
        assert sign(evr.compare(one, other)) == -sign(evr.compare(other, one))
    for older, newer in itertools.combinations(sorted(versions, key=evr.key), 2):
        assert evr.compare(older, newer) <= 0


@settings(max_examples=300)
@given(EITHER)
def test_keys_order_as_compare_does(drawn: tuple[evr.Flavour, list[str]]) -> None:
    flavour, texts = drawn
    for one, other in itertools.product(texts, repeat=2):
        assert by_key(one, other, flavour) == by_compare(one, other, flavour)


@pytest.mark.parametrize("flavour", ["deb", "rpm"])
def test_keys_order_near_misses_as_compare_does(flavour: evr.Flavour) -> None:
    for one, other in pairs(random.randrange(2**32), 3000, DEB):
        assert by_key(one, other, flavour) == by_compare(one, other, flavour), (one, other)


@given(DEB_VERSIONS, DEB_VERSIONS)
def test_an_epoch_of_zero_and_a_revision_of_zero_change_nothing(one: str, other: str) -> None:
    if ":" not in one:
        assert deb.compare(f"0:{one}", one) == 0
    if "-" not in one:
        assert deb.compare(f"{one}-0", one) == 0
    assert sign(deb.compare(one, other)) == -sign(deb.compare(other, one))


@given(RPM_VERSIONS)
def test_a_tilde_goes_back_and_a_caret_forward(text: str) -> None:
    for older, newer in itertools.pairwise((f"{text}~", text, f"{text}^")):
        assert rpm.compare(older, newer) < 0


# ---------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        (None, None, 0),
        (None, "", -1),
        ("1", None, 1),
        ("", "~", 1),
        ("", "^", -1),
        ("1\n2", "1.2", 0),
        ("1é2", "1.2", 0),
        ("1\udcff2", "1.2", 0),
        ("1^1", "1.1", -1),
        ("1^", "1", 1),
        ("1^^", "1^", 1),
        ("1^~", "1^", -1),
        ("1.0^2016", "1.0.1", -1),
        ("Ω", "β", 0),
    ],
)
def test_what_rpm_vercmp_does_not_know(one: str | None, other: str | None, order: int) -> None:
    assert rpm.compare_parts(one, other) == order
    assert rpm.compare_parts(other, one) == -order


def test_bytes_beyond_ascii_stand_between_letters_and_punctuation() -> None:
    """As dpkg on amd64 has it. Byte B2 alone is a digit to `str.isdigit`, were it taken for a character."""
    for older, newer in itertools.pairwise(("1~", "1", "1z", "1\udcb2", "1\udcb2a", "1\udcff", "1!")):
        assert by_key(older, newer, "deb") == by_compare(older, newer, "deb") == "-1"
    assert by_key("1\udcb2", "1\udcb20", "deb") == "0"


def test_no_version_is_older_than_any() -> None:
    for text in ("0~~", "~", "0"):
        assert evr.sort_key("", "deb") < evr.sort_key(text, "deb")
        assert deb.compare("", text) < 0 < deb.compare(text, "")


@pytest.mark.parametrize("flavour", ["deb", "rpm"])
def test_numbers_have_no_limit(flavour: evr.Flavour) -> None:
    """Beyond what Python's `int` reads, which python-debian asks, in every place but Debian's epoch."""
    long = "1" + "0" * 6000
    for shape in ("{}", "1-{}", "1:{}a"):
        assert by_compare(shape.format(long), shape.format(long + "0"), flavour) == "-1"
        assert by_compare(shape.format("00" + long), shape.format(long), flavour) == "0"
        assert by_key(shape.format(long), shape.format(long + "0"), flavour) == "-1"


@pytest.mark.parametrize(("epoch", "good"), [("2147483647", True), ("2147483648", False), ("9" * 6000, False)])
def test_an_epoch_of_debian_is_a_c_int(epoch: str, good: bool) -> None:
    assert by_key(f"{epoch}:1", "1", "deb") == by_compare(f"{epoch}:1", "1", "deb") == ("1" if good else "refused")


# ---------------------------------------------------------------------- ways to an order


def by_key(one: str, other: str, flavour: evr.Flavour) -> str:
    """-1, 0, 1 or refused."""

    def order() -> int:
        mine, its = evr.sort_key(one, flavour), evr.sort_key(other, flavour)
        return (mine > its) - (mine < its)

    return _told(order)


def by_compare(one: str, other: str, flavour: evr.Flavour) -> str:
    """-1, 0, 1 or refused."""
    return _told(lambda: sign(TEXTS[flavour](one, other)))


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _told(order: Callable[[], int]) -> str:
    try:
        return str(order())
    except InvalidInput:
        return "refused"


def _standing(text: str) -> str:
    """As `dpkg --validate-version` has it: 0 valid, 1 to be found on a host at most, 2 neither."""
    for status, reader in (("0", evr.parse), ("1", evr.found)):
        try:
            reader(text)
        except InvalidInput:
            continue
        return status
    return "2"
