"""The rules of pictures: each has a reason, none hides configuration or data, and each explains no more than it says."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.filesystem.picture import Entry, Head, Picture, compare
from rollback.disk.rules import Judgement, Rule, judge, load, meanings, shipped, with_more

RULES = shipped()
PLAIN = tuple(rule for rule in RULES if not rule.condition and not rule.kinds)
"""The rules that look at nothing but the path."""

KEPT = (
    *(
        "/etc",
        "/home",
        "/root",
        "/srv",
        "/opt",
        "/boot",
        "/usr/local",
        "/usr/bin",
        "/usr/lib",
        "/usr/sbin",
        "/usr/share",
    ),
    *(
        "/var/lib/postgresql",
        "/var/lib/mysql",
        "/var/lib/redis",
        "/var/mail",
        "/var/spool/cron",
        "/var/spool/exim4/input",
        "/var/www",
        "/var/local",
    ),
    *("/var/lib/dpkg/info", "/var/lib/dpkg/alternatives", "/var/lib/ucf", "/var/lib/pam", "/var/lib/polkit-1"),
    *("/var/lib/systemd/deb-systemd-helper-enabled", "/var/lib/systemd/deb-systemd-helper-masked"),
)
"""Where configuration, data and programs are."""
MADE = {
    *("/usr/lib/sysimage/rpm/*", "/etc/.etckeeper", "/var/lib/ucf/hashfile.?", "/var/lib/ucf/registry.?"),
    *("/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"),
}
HISTORY = "/etc/.git/"
"""What lies there and is a list that is made anew, each by its exact pattern; and etckeeper's history of /etc."""

FILE = Entry("f", "0644", "0:0", "a" * 64)
OTHER = Entry("f", "0644", "0:0", "b" * 64)
parts = st.text("abz._-~09", min_size=1, max_size=8).filter(lambda text: text not in (".", ".."))


def picture(files: dict[str, Entry]) -> Picture:
    return Picture(Head(roots=("/",), xattrs="x"), {path: entry.record() for path, entry in files.items()})


def judged(before: dict[str, Entry], after: dict[str, Entry], rules: tuple[Rule, ...] = RULES) -> Judgement:
    one, other = picture(before), picture(after)
    return judge(compare(one, other).changes, rules, one, other)


def counts(found: Judgement) -> dict[str, int]:
    return {rule.name: count for rule, count in found.explained}


# ---------------------------------------------------------------------- the rules that are shipped


def test_every_rule_has_a_name_of_its_own_and_a_reason_in_words() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) > 10
    assert all(len(rule.reason.split()) >= 4 and rule.reason.endswith(".") for rule in RULES)


@given(st.sampled_from(KEPT), st.lists(parts, min_size=0, max_size=5))
def test_no_rule_is_about_a_place_of_configuration_data_or_programs(root: str, below: list[str]) -> None:
    path = "/".join((root, *below))
    assert [rule.name for rule in PLAIN if rule.matches(path)] == []


def test_no_rule_begins_in_such_a_place_or_above_it() -> None:
    for rule in PLAIN:
        for glob in {glob for glob in rule.paths if not glob.startswith(HISTORY)} - MADE:
            plain = re.split(r"[*?]", glob)[0]
            held = [root for root in KEPT if f"{plain}/".startswith(f"{root}/") or f"{root}/".startswith(plain)]
            assert held == [], f"{rule.name}: {glob}"


def test_no_rule_hides_modes_owners_attributes_or_targets_of_data_and_configuration() -> None:
    for rule in RULES:
        assert set(rule.aspects) <= {"presence", "content"} or rule.name in ("apt-sandbox", "journal"), rule.name


def test_what_debconf_was_told_is_no_cache() -> None:
    path = "/var/cache/debconf/config.dat"
    assert [one.path for one in judged({path: FILE}, {path: OTHER}).unexplained] == [path]
    assert [one.path for one in judged({path: FILE}, {}).unexplained] == [path]


# ---------------------------------------------------------------------- what a rule explains


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/log/nginx/access.log.1", "logs"),
        ("/var/log/a\nb", "logs"),
        ("/var/cache/apt/archives/a_1_all.deb", "apt-cache"),
        ("/var/lib/apt/lists/x_InRelease", "apt-indexes"),
        ("/var/lib/dpkg/status-old", "dpkg-previous"),
        ("/var/cache/man/de/index.db", "manual-index"),
    ],
)
def test_each_difference_counts_under_its_rule(path: str, name: str) -> None:
    for before, after in (({path: FILE}, {path: OTHER}), ({}, {path: FILE}), ({path: FILE}, {})):
        found = judged(before, after)
        assert (counts(found), found.unexplained) == ({name: 1}, ())


def test_an_aspect_that_no_rule_is_about_stays_and_it_alone() -> None:
    found = judged({"/var/log/x": FILE}, {"/var/log/x": Entry("f", "0666", "0:0", "b" * 64)})
    assert ([one.aspects for one in found.unexplained], found.explained) == ([("mode",)], ())


def test_a_wildcard_stays_within_its_directory_but_two_do_not() -> None:
    rule = Rule("r", "for this test alone", ("/a/*.x", "/b/**/c", "/d?"), ("content",))
    yes, no = ("/a/1.x", "/b/1/2/c", "/d1"), ("/a/1/2.x", "/a/1.xx", "/b/c", "/d", "/d/", "x/a/1.x", "/b/1/c/2")
    assert [path for path in (*yes, *no) if rule.matches(path)] == list(yes)


def test_a_list_in_another_order_is_explained_and_another_list_is_not() -> None:
    path = "/var/lib/dpkg/status"
    same, other = (Entry("f", "0644", "0:0", digit * 64, meaning=digit * 63) for digit in "12")
    reordered = Entry("f", "0644", "0:0", "9" * 64, meaning=same.meaning)
    assert counts(judged({path: same}, {path: reordered})) == {"dpkg-status-order": 1}
    assert len(judged({path: same}, {path: other}).unexplained) == 1
    assert (path, "stanzas") in meanings(RULES)


def test_bytecode_is_explained_by_its_source_unchanged() -> None:
    made, source, place = (
        "/usr/lib/python3/x/__pycache__/m.cpython-311.pyc",
        "/usr/lib/python3/x/m.py",
        "/usr/lib/python3/x",
    )
    directory = {place: Entry("d", "0755", "0:0"), f"{place}/__pycache__": Entry("d", "0755", "0:0")}
    whole = directory | {source: FILE, made: FILE}
    assert counts(judged(whole, whole | {made: OTHER})) == {"python-bytecode": 1}
    assert counts(judged({place: directory[place], source: FILE}, whole)) == {"python-bytecode": 2}
    changed = judged(whole, whole | {source: OTHER, made: OTHER})
    assert {one.path for one in changed.unexplained} == {source, made}
    left = judged(directory | {source: FILE}, directory | {made: FILE})
    assert {one.path for one in left.unexplained} == {source, made}


def test_commits_of_etckeeper_come_and_are_packed_and_none_changes() -> None:
    commit = "/etc/.git/objects/01/23"
    assert counts(judged({}, {commit: FILE})) == counts(judged({commit: FILE}, {})) == {"etckeeper-objects": 1}
    assert len(judged({commit: FILE}, {commit: OTHER}).unexplained) == 1


def test_new_mail_is_explained_and_mail_that_changed_or_went_is_not() -> None:
    assert counts(judged({}, {"/var/mail/root": FILE})) == {"new-mail": 1}
    for after in ({"/var/mail/root": OTHER}, {}):
        assert len(judged({"/var/mail/root": FILE}, after).unexplained) == 1


def test_a_socket_is_explained_and_a_file_in_its_place_is_not() -> None:
    socket = Entry("s", "0666", "0:0")
    assert counts(judged({}, {"/var/spool/postfix/private/x": socket})) == {"sockets": 1}
    assert len(judged({"/srv/x": socket}, {"/srv/x": FILE}).unexplained) == 1
    assert len(judged({}, {"/srv/x": FILE}).unexplained) == 1


# ---------------------------------------------------------------------- files of rules

GOOD = """\
format: "1.0"
rules:
  - name: shop-cache
    reason: The shop makes its cache again when it starts.
    paths: [/srv/shop/cache/**]
    aspects: [presence, content]
    kinds: [file, directory]
"""


def test_rules_of_ones_own_come_after_the_others(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    assert with_more(None) == RULES
    rules = with_more(file)
    assert rules[:-1] == RULES
    assert counts(judged({}, {"/srv/shop/cache/a/b": FILE}, rules)) == {"shop-cache": 1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"1.0"', '"2.0"', "line 1: format: must be a format"),
        ("    reason: The shop makes its cache again when it starts.\n", "", r"line 3: rules\[0\]: lacks reason"),
        ("The shop makes its cache again when it starts.", "cache", r"line 4: rules\[0\].reason: must be a reason"),
        ("[/srv/shop", "[srv/shop", r"line 5: .*must be an absolute path"),
        ("presence, content", "times", r"line 6: .*must be one of presence, kind"),
        ("[file, directory]", "[door]", r"line 7: .*must be one of file"),
        ("kinds: [file, directory]", "condition: same-stanzas", "needs paths without wildcards"),
        ("kinds:", "sort:", "there is no key 'sort'"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_line_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(InvalidInput, match=said):
        load(file, "rules.yaml")
