"""What belongs to a way back, and what it leads to, from manifests made by hand."""

from dataclasses import replace

import pytest

from nornir_upgrade.core.facts.gather import Conffile, Database, HostFacts, SourceFile
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.state import RestoreState
from rollback.manifest.model import Change, Manifest
from rollback.plan.expected import foretell
from rollback.plan.scope import Scope, scope
from rollback.plan.undo_log import Trail
from rollback.verify import verify
from tests.builders import facts, package, running


def conffiles(of: HostFacts, *paths: str) -> HostFacts:
    """`of`, with conffiles, each of the package that its directory is called like."""
    files = tuple(Conffile(path, path.split("/")[2], f"{of.packages[0].version}{path}") for path in paths)
    return replace(of, conffiles=files)


THEN = conffiles(
    facts("h", (package("a", "1"), package("b", "1")), running("a", "b"), (Database("a", "1"), Database("b", "1"))),
    *("/etc/a/conf", "/etc/b/conf"),
)
NOW = conffiles(
    facts(
        "h",
        (package("a", "2"), package("b", "2"), package("new", "2")),
        running("a", "b", "new"),
        (Database("a", "2"), Database("b", "2")),
    ),
    *("/etc/a/conf", "/etc/a/more", "/etc/b/conf"),
)


def change(name: str, action: str, installed: str, target: str) -> Change:
    return Change(name, "all", action, installed, name, target)  # type: ignore[arg-type]


WHOLE = Manifest(
    "h", "deb", {}, (change("a", "downgrade", "2", "1"), change("b", "keep", "2", "2"), change("new", "keep", "2", "2"))
)
PART = replace(WHOLE, to={"only": "a*"})


def entry(path: str) -> FileState:
    return FileState(path, "file", "0644", "root", "root", "a" * 64)


def left(*roots: str) -> Trail:
    files = RestoreFiles(roots, tuple(entry(f"{root}/conf") for root in roots))
    sources = (SetRepository("/etc/apt/old", "deb old"), SetRepository("/etc/apt/new"))
    return Trail(sources, (), (files,), (), (), ("a", "b"))


def test_configuration_follows_its_package() -> None:
    about = scope(WHOLE, THEN, NOW)
    assert about.whole and about.staying == {"b", "new"} and about.outside == {"/etc/b/conf"}
    (found,) = about.trail(left("/etc/a", "/etc/b", "/etc/c")).captures
    assert found.roots == ("/etc/a", "/etc/c") and {one.path for one in found.entries} == {"/etc/a/conf", "/etc/c/conf"}
    assert about.trail(left("/etc/b")).captures == ()
    assert about.trail(left("/etc/a")).services == ("a", "b")


def test_a_tree_that_is_shared_goes_back_file_by_file() -> None:
    (found,) = scope(WHOLE, THEN, NOW).trail(left("/etc")).captures
    assert found.roots == ("/etc/a/conf", "/etc/a/more")


def test_a_part_is_what_its_packages_are_called_or_configured_by() -> None:
    about = scope(PART, THEN, NOW)
    found = about.trail(left("/etc/a", "/etc/b", "/etc/c"))
    assert [step.path for step in found.repositories] == ["/etc/apt/old"]
    assert found.services == ("a",) and found.captures[0].roots == ("/etc/a",)
    assert about.trail(left("/srv/abc")).captures[0].roots == ("/srv/abc",)
    assert about.names("abc") and not about.names("b")


def test_what_dpkg_laid_beside_a_conffile_goes_back_with_it() -> None:
    """An edited conffile has the package's own beside it, as `.dpkg-dist`: that is of the version that goes."""
    state = RestoreState((entry("/etc/a/conf"), entry("/etc/a/conf.dpkg-dist")))
    found = scope(PART, THEN, NOW).trail(replace(left(), state=state)).state
    assert found and found.only
    assert {"/etc/a/conf", "/etc/a/conf.dpkg-dist", "/etc/a/more.dpkg-old"} <= set(found.only)
    assert not [path for path in found.only if path.startswith("/etc/b")]


def test_records_stay_of_packages_that_leave_data_and_all_where_nobody_asked_whose_they_are() -> None:
    kept = replace(change("new", "remove", "2", "2"), data=("/var/lib/new",), holds=("/etc/new", "user _new"))
    part = replace(WHOLE, changes=(*WHOLE.changes[:1], change("b", "downgrade", "2", "1"), kept))
    state = RestoreState(())
    found = scope(part, THEN, NOW).trail(replace(left(), state=state, changed=frozenset())).state
    assert found and (found.keep, found.keeps) == (False, ("_new", "new"))
    newer = scope(WHOLE, THEN, NOW).trail(replace(left(), state=state, changed=frozenset())).state
    assert newer and newer.keep


@pytest.mark.parametrize("before", [(), (Conffile("/etc/a/more", "b", "1"),)])
def test_what_became_a_packages_conffile_goes_out_of_dpkgs_way(before: tuple[Conffile, ...]) -> None:
    """dpkg goes on listing it as obsolete where the file stands when the older version comes."""
    moving = replace(WHOLE, changes=(*WHOLE.changes[:1], change("b", "downgrade", "2", "1")))
    then = replace(THEN, conffiles=(*THEN.conffiles, *before))
    found = scope(moving, then, NOW).trail(replace(left(), state=RestoreState(()), changed=frozenset())).state
    assert found and (found.fresh, found.only) == (("/etc/a/more",), ())


def test_the_exact_way_is_about_everything() -> None:
    exact = replace(WHOLE, changes=(change("a", "downgrade", "2", "1"), change("b", "downgrade", "2", "1")))
    whole = left("/etc/a", "/etc/b")
    assert scope(exact, THEN, NOW).trail(whole) == whole
    assert foretell(THEN, NOW, exact) == THEN
    assert isinstance(scope(exact, THEN, NOW), Scope)


def test_what_is_foretold_is_as_before_but_for_what_stays() -> None:
    end = foretell(THEN, NOW, WHOLE)
    assert {one.name: one.version for one in end.packages} == {"a": "1", "b": "2", "new": "2"}
    assert {(one.path, one.digest[0]) for one in end.conffiles} == {("/etc/a/conf", "1"), ("/etc/b/conf", "2")}
    assert [one.name for one in end.services] == ["a", "b", "new"] and end.databases == THEN.databases


def test_what_is_foretold_of_a_part_is_as_now_but_for_the_part() -> None:
    sources = (
        replace(THEN, sources=(SourceFile("/etc/apt/old", "1"),)),
        replace(NOW, sources=(SourceFile("/etc/apt/new", "2"),)),
    )
    end = foretell(*sources, PART)
    assert {one.name: one.digest for one in end.databases} == {"a": "1", "b": "2"}
    assert {one.path for one in end.sources} == {"/etc/apt/old", "/etc/apt/new"}
    assert {(one.path, one.digest[0]) for one in end.conffiles} == {("/etc/a/conf", "1"), ("/etc/b/conf", "2")}


@pytest.mark.parametrize("after", [package("b", "2", "config-files"), None])
def test_a_removed_package_may_leave_nothing(after: object) -> None:
    gone = replace(WHOLE, changes=(change("a", "downgrade", "2", "1"), change("b", "remove", "2", "2")))
    end = foretell(THEN, NOW, gone)
    assert [one.name for one in end.services] == ["a"]
    packages = tuple(one for one in (package("a", "1"), after) if one)
    verification = verify({"h": THEN}, {"h": replace(end, packages=packages)}, foretold={"h": end})  # type: ignore[arg-type]
    assert verification.equal and {one.name for one in verification.expected} >= {"b:all"}


def test_what_was_not_foretold_is_a_difference_though_it_is_near() -> None:
    end = foretell(THEN, NOW, WHOLE)
    other = replace(end, packages=(package("a", "1"), package("b", "3"), package("new", "2")))
    verification = verify({"h": THEN}, {"h": other}, foretold={"h": end})
    assert [(one.name, one.after) for one in verification.differences] == [("b:all", "3 installed")]
