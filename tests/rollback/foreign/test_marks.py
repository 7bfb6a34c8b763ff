"""Marks and holds that others set since a run: what no run touched keeps them, and nothing is dropped without a word."""

from collections.abc import Sequence

from tests.rollback.conftest import Site

HOST = "cmp1"


def mark(site: Site, name: str, *, hold: bool = False, auto: bool = False) -> None:
    host = site.fleet.hosts[HOST]
    package = host.state.packages[name]
    package.selection, package.auto = ("hold" if hold else "install"), auto
    host.save()


def marks(site: Site, name: str) -> tuple[bool, bool]:
    package = site.fleet.hosts[HOST].state.packages[name]
    return package.selection == "hold", package.auto


def told(site: Site, word: str, *argv: str) -> Sequence[str]:
    result = site.call("apply", "--restore-db", "--yes", *argv)
    return [line for line in result.stderr.splitlines() if word in line and line.startswith("Caution")]


def test_a_package_that_no_run_touched_keeps_what_others_marked(site: Site) -> None:
    site.go_forward()
    mark(site, "less", hold=True, auto=True)
    (caution,) = told(site, "marks that others set since stay")
    assert "less (held, auto)" in caution
    assert marks(site, "less") == (True, True)


def test_a_hold_of_a_package_that_goes_back_goes_and_is_told(site: Site) -> None:
    site.go_forward()
    mark(site, "nova-compute", hold=True)
    (caution,) = told(site, "holds that others set since go")
    assert "nova-compute" in caution
    assert marks(site, "nova-compute") == (False, False) and site.present == site.start


def test_without_runs_marks_are_as_in_the_snapshot(site: Site) -> None:
    site.call("snapshot")
    mark(site, "less", hold=True)
    assert told(site, "marks", "--snapshot", "last") == []
    assert marks(site, "less") == (False, False)
