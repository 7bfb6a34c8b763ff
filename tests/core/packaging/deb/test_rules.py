"""What packages demand: the grammar of relations, and the rules of Debian Policy 7 and Multi-Arch, each by example."""

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.dependencies import Relation, deb, relations
from nornir_upgrade.core.packaging.deb.rules import excluded, satisfies, together
from tests.rollback.worlds import NATIVE, made


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("a", ((Relation("a"),),)),
        ("a, b | c", ((Relation("a"),), (Relation("b"), Relation("c")))),
        ("a(>=1)", ((Relation("a", "", ">=", "1"),),)),
        ("a:any ( << 1:2~rc1-3 )", ((Relation("a", "any", "<<", "1:2~rc1-3"),),)),
        ("libstdc++6 (= 1), memtest86+", ((Relation("libstdc++6", "", "=", "1"),), (Relation("memtest86+"),))),
        ("a (< 1), b (> 2)", ((Relation("a", "", "<=", "1"),), (Relation("b", "", ">=", "2"),))),
        ("a,, b,", ((Relation("a"),), (Relation("b"),))),
    ],
)
def test_relations_are_read_as_policy_writes_them(text: str, found: object) -> None:
    assert relations(text) == found


@pytest.mark.parametrize("text", ["a (1)", "a (>= )", "a b", "a | ", "-a", "a (>= 1", "a (=> 1)", "a:any:any", "ä"])
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="here"):
        relations(text, "here")


def test_a_package_with_a_field_of_no_meaning_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="a=1: Multi-Arch"):
        deb("a", "all", "1", (("Multi-Arch", "maybe"),))
    with pytest.raises(InvalidInput, match="a=1: Conflicts: alternatives"):
        deb("a", "all", "1", (("Conflicts", "b | c"),))
    with pytest.raises(InvalidInput, match="a=1: Depends"):
        deb("a", "all", "1", (("Depends", "b ("),))


OWNER = {arch: made("owner=1", arch=arch) for arch in ("amd64", "i386", "all")}


# apt-get check says so of each row: the provider's architecture and Multi-Arch, the relation, the owner's architecture.
@pytest.mark.parametrize(
    ("arch", "multi_arch", "relation", "owner", "fits"),
    [
        ("amd64", "no", "x", "amd64", True),
        ("i386", "no", "x", "amd64", False),
        ("i386", "same", "x", "amd64", False),
        ("i386", "allowed", "x", "amd64", False),
        ("i386", "foreign", "x", "amd64", True),
        ("all", "no", "x", "amd64", True),
        ("all", "no", "x", "i386", False),
        ("all", "foreign", "x", "i386", True),
        ("i386", "allowed", "x:any", "amd64", True),
        ("amd64", "no", "x:any", "amd64", False),
        ("amd64", "foreign", "x:any", "amd64", False),
        ("amd64", "no", "x:native", "i386", True),
        ("i386", "no", "x:native", "i386", False),
        ("i386", "no", "x:i386", "amd64", True),
        ("amd64", "foreign", "x:i386", "amd64", False),
        ("all", "no", "x:amd64", "i386", True),
    ],
)
def test_the_architecture_of_a_provider(arch: str, multi_arch: str, relation: str, owner: str, fits: bool) -> None:
    ((wanted,),) = relations(relation)
    assert satisfies(made("x=1", arch=arch, multi_arch=multi_arch), wanted, OWNER[owner], NATIVE) == fits


@pytest.mark.parametrize(
    ("provides", "relation", "fits"),
    [
        ("v", "v", True),
        ("v (= 2)", "v", True),
        ("v", "v (>= 1)", False),
        ("v (= 2)", "v (>= 1)", True),
        ("v (= 1)", "v (>> 1)", False),
        ("v (= 1.0)", "v (= 1.0-0)", True),
        ("w", "v", False),
    ],
)
def test_what_is_provided(provides: str, relation: str, fits: bool) -> None:
    ((wanted,),) = relations(relation)
    provider = made("x=1", provides=provides)
    assert satisfies(provider, wanted, OWNER["amd64"], NATIVE) == fits
    assert excluded(provider, wanted, OWNER["amd64"], NATIVE) == fits


def test_a_conflict_means_every_architecture_and_never_the_own_name() -> None:
    ((x,), (x_any,)) = relations("x, x:any")
    assert excluded(made("x=1", arch="i386"), x, OWNER["amd64"], NATIVE)
    assert not excluded(made("x=1", arch="i386"), x_any, OWNER["amd64"], NATIVE)
    assert excluded(made("x=1", arch="i386", multi_arch="allowed"), x_any, OWNER["amd64"], NATIVE)
    ((v,),) = relations("v")
    assert not excluded(made("x=1", provides="v"), v, made("x=2", arch="i386"), NATIVE)


@pytest.mark.parametrize(
    ("one", "other", "fine"), [("1", "1", True), ("1.0", "1.0-0", True), ("1", "2", False), ("1", "1+b1", False)]
)
def test_two_architectures_stand_together_in_lockstep(one: str, other: str, fine: bool) -> None:
    pair = made(f"x={one}", multi_arch="same"), made(f"x={other}", arch="i386", multi_arch="same")
    assert together(*pair, NATIVE) == fine
    assert not together(made("x=1"), made("x=1", arch="i386"), NATIVE)
    assert not together(made("x=1", multi_arch="same"), made("x=1", arch="all", multi_arch="same"), NATIVE)
