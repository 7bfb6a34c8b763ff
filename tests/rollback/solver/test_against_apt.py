"""The rules against apt's own: any set of packages is consistent for both or for neither.

What apt does that the rules do not follow, each met by this test; no archive makes use of it:

- A relation with an architecture and a version (`v:native (<< 2)`, `v:amd64 (= 1)`) to something provided is held by apt
  against the version of the package that provides it, not against the version in its Provides, nor is it let pass where
  that has none. The worlds of these tests have no such relation.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.deb import rules
from nornir_upgrade.core.packaging.deb.dependencies import Deb
from rollback.packaging.deb.clauses import DebRules
from rollback.solver.encoding import encode
from tests.conftest import Say
from tests.rollback.apt_oracle import AptOracle
from tests.rollback.worlds import NATIVE, debs

MANY = 20_000
ARCHS = (NATIVE, "i386", "all")
QUALIFIERS = ("", "", "", "any", "native", "amd64", "i386")
SHARED = [HealthCheck.function_scoped_fixture]


def _slot(one: Deb) -> tuple[str, str]:
    return one.name, rules.effective(one.arch, NATIVE)


SINGLE = st.lists(debs(), min_size=1, max_size=5, unique_by=_slot)
MULTI = st.lists(debs(ARCHS, QUALIFIERS), min_size=1, max_size=6, unique_by=_slot)


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> AptOracle:
    return AptOracle(tmp_path_factory.mktemp("apt"))


def agree(apt: AptOracle, found: list[Deb]) -> bool:
    """Whether both call the set consistent, or neither does; returns which."""
    encoding = encode(found, (), DebRules(NATIVE), ())
    broken = encoding.violated(range(1, len(found) + 1))
    event("broken" if broken else "consistent")
    assert apt.consistent(found) == (not broken), [str(clause.reason) for clause in broken]
    return not broken


@settings(max_examples=120, deadline=None, suppress_health_check=SHARED)
@given(SINGLE)
def test_apt_agrees_on_hosts_of_one_architecture(apt: AptOracle, found: list[Deb]) -> None:
    agree(apt, found)


@settings(max_examples=180, deadline=None, suppress_health_check=SHARED)
@given(MULTI)
def test_apt_agrees_on_hosts_of_several(apt: AptOracle, found: list[Deb]) -> None:
    agree(apt, found)


@pytest.mark.lab
@settings(max_examples=4000, deadline=None, suppress_health_check=[*SHARED, HealthCheck.too_slow])
@given(st.one_of(SINGLE, MULTI))
def test_apt_agrees_on_thousands(apt: AptOracle, found: list[Deb]) -> None:
    agree(apt, found)


@pytest.mark.soak
def test_apt_agrees_on_all_of_many(apt: AptOracle, say: Say) -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=MANY, deadline=None, database=None, suppress_health_check=[*SHARED, HealthCheck.too_slow])
    @given(st.one_of(SINGLE, MULTI))
    def asked(found: list[Deb]) -> None:
        seen[agree(apt, found)] += 1

    asked()
    assert seen.total() == MANY
    say(f"deb: {MANY} random sets, {seen[True]} of them consistent: apt-get check agrees on all")
