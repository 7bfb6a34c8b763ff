"""Scenarios from YAML: what is right is read, what is wrong is refused with file, line and key."""

import re
from pathlib import Path

import pytest

from nornir_upgrade.config import yaml
from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario.model import Edit, Repositories, RepositoryFile

GOOD = """\
format: "1.0"
name: small
summary: one service
settings:
  new: {default: icehouse, text: the new release}
  serial: {default: "1", text: batches}
repositories:
  old: {path: /etc/apt/sources.list.d/old.list}
  new: {path: "/etc/apt/sources.list.d/${new}.list", text: "deb http://10.99.0.1/ ${new} main"}
services:
  keystone: {port: 5000, path: /}
stages:
  - name: identity
    groups: [control]
    packages: [keystone, "python-*"]
    services: [keystone]
    database: keystone
    sync: [keystone-manage, db_sync]
    outage: none
    way_back: the dump
  - name: after
    groups: [control]
    edits:
      - {file: /etc/a.conf, section: a, option: b}
    after: [identity]
    outage: none
    way_back: as it was
"""


SHIPPED = ("full-upgrade", "release-upgrade", "security-updates", "service-by-service")
PLAIN = """\
repositories:
  old: {path: /etc/apt/sources.list.d/old.list}
  new: {path: "/etc/apt/sources.list.d/${new}.list", text: "deb http://10.99.0.1/ ${new} main"}
"""
BOTH = """\
repositories:
  deb:
    old: {path: /etc/apt/sources.list.d/old.list}
    new: {path: "/etc/apt/sources.list.d/${new}.list", text: "deb http://10.99.0.1/ ${new} main"}
  rpm:
    old: {path: /etc/yum.repos.d/old.repo}
    new: {path: "/etc/yum.repos.d/${new}.repo", text: "[${new}]\\nbaseurl=http://10.99.0.1/$releasever/\\n"}
"""


def put(directory: Path, text: str = GOOD, name: str = "small.yaml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_shipped_and_local_ones_are_listed(tmp_path: Path) -> None:
    put(tmp_path)
    assert loader.names() == SHIPPED
    assert loader.names(tmp_path) == (*SHIPPED, "small")
    assert loader.names(tmp_path / "absent") == loader.names()


def test_a_local_one_is_read_by_name_and_by_path(tmp_path: Path) -> None:
    path = put(tmp_path)
    found = loader.load("small", directory=tmp_path)
    assert found == loader.load(str(path))
    assert found.repositories == (
        Repositories(
            "deb",
            RepositoryFile("/etc/apt/sources.list.d/old.list"),
            RepositoryFile("/etc/apt/sources.list.d/icehouse.list", "deb http://10.99.0.1/ icehouse main"),
        ),
    )
    assert [stage.name for stage in found.stages] == ["identity", "after"]
    assert found.stages[1].edits == (Edit("/etc/a.conf", "a", "b", None),)


def test_a_local_one_goes_before_a_shipped_one(tmp_path: Path) -> None:
    put(tmp_path, name="service-by-service.yaml")
    assert loader.load("service-by-service", directory=tmp_path).summary == "one service"


def test_settings_replace_defaults(tmp_path: Path) -> None:
    put(tmp_path)
    found = loader.load("small", loader.assigned_settings(["new=juno", "serial=2,50%"]), tmp_path)
    assert found.repositories[0].new.path.endswith("/juno.list")
    assert [(one.name, one.value) for one in found.settings] == [("new", "juno"), ("serial", "2,50%")]


def test_repositories_by_family(tmp_path: Path) -> None:
    plain = loader.load(str(put(tmp_path)))
    both = loader.load(str(put(tmp_path, GOOD.replace(PLAIN, BOTH))))
    assert both.families == ("deb", "rpm") and both.repositories_of("deb") == plain.repositories_of("deb")
    assert both.repositories_of("rpm").new == RepositoryFile(
        "/etc/yum.repos.d/icehouse.repo", "[icehouse]\nbaseurl=http://10.99.0.1/$releasever/\n"
    )
    with pytest.raises(InvalidInput, match="small names no repositories for rpm hosts"):
        plain.repositories_of("rpm")


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ("  rpm:\n", "  yum:\n", "line 11: repositories.yum: there is no key 'yum' here", "deb, rpm"),
        (
            "yum.repos.d/old.repo",
            "yum.repos.d/old.list",
            "line 12: repositories.rpm.old.path: must be a file that dnf",
            "",
        ),
        ("/etc/yum.repos.d/old.repo", "/etc/yum/old.repo", "line 12: repositories.rpm.old.path: must be a file", ""),
        ("d/old.list", "d/old.repo", "line 9: repositories.deb.old.path: must be a file that apt reads", ""),
        (
            "/$releasever/",
            "/\\npassword=canary",
            "line 13: repositories.rpm.new.text: holds a password",
            "/etc/dnf/vars",
        ),
        ('repo", text: "[', 'repo", txt: "[', "line 13: repositories.rpm.new.txt: there is no key 'txt'", "'text'"),
    ],
)
def test_what_is_wrong_of_a_family_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, says: str, hint: str
) -> None:
    good = GOOD.replace(PLAIN, BOTH)
    assert good.count(old) == 1
    with pytest.raises(InvalidInput) as refusal:
        loader.load(str(put(tmp_path, good.replace(old, new))))
    assert says in refusal.value.message and "canary" not in refusal.value.message
    assert hint in refusal.value.hint


def test_no_family_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="line 7: repositories: must hold old and new, or these for each family"):
        loader.load(str(put(tmp_path, GOOD.replace(PLAIN, "repositories: {}\n"))))


def test_a_package_that_is_not_called_as_its_unit(tmp_path: Path) -> None:
    path = put(tmp_path, GOOD.replace("keystone: {port", "keystone: {package: openstack-keystone, port"))
    (service,) = loader.load(str(path)).services
    assert service.packages == ("openstack-keystone", "keystone") and service.names == ("keystone",)
    path.write_text(GOOD.replace("keystone: {port", 'keystone: {package: "-x", port'))
    with pytest.raises(InvalidInput, match=r"line 11: services\.keystone\.package: must be the name of a package"):
        loader.load(str(path))


def test_what_does_not_exist_is_answered_with_what_does(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(UnknownName) as refusal:
        loader.load("smal", directory=tmp_path)
    assert "service-by-service, small" in refusal.value.hint
    with pytest.raises(UnknownName) as refusal:
        loader.load("small", {"nwe": "juno"}, tmp_path)
    assert "new, serial" in refusal.value.hint
    with pytest.raises(InvalidInput, match=r"gone\.yaml: No such file"):
        loader.load(str(tmp_path / "gone.yaml"))


@pytest.mark.parametrize("given", [["new"], ["=x"], ["new=a", "new=b"]])
def test_settings_that_are_none(given: list[str]) -> None:
    with pytest.raises(InvalidInput, match="--set"):
        loader.assigned_settings(given)


def test_a_setting_holds_one_line(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(InvalidInput, match="--set new: must be one line"):
        loader.load("small", {"new": "a\ndeb http://elsewhere/"}, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ("    packages: [k", "    package: [k", "line 15: stages[0].package: there is no key 'package'", "'packages'"),
        ("name: small\n", "", "line 1: the document: lacks name", "name: updates, stages: [{name: all"),
        ("name: small\nsummary:", "nam: small\nsumary:", "there is no key 'nam', 'sumary' here; lacks name", "'name'?"),
        ('format: "1.0"', "format: 1.0", "line 1: format: must be text, not 1.0", "quotes"),
        ('format: "1.0"', 'format: "2.0"', "line 1: format: is 2.0, and 1.0 is what", ""),
        ("name: small", "name: Small One", "line 2: name: must be a word", ""),
        ("name: small\n", "name: small\nname: other\n", 'line 3: not YAML: found duplicate key "name"', ""),
        ("  keystone: {port: 5000,", "  keystone: {port: 50000000,", "line 11: services.keystone.port: must be", ""),
        ("  keystone: {port: 5000,", "  keystone: {port: yes,", "line 11: services.keystone.port: must be", ""),
        (
            "services: [keystone]",
            "services: [keystne]",
            "line 16: stages[0].services[0]: there is no service",
            "'keystone'",
        ),
        ("after: [identity]", "after: [identitty]", "line 25: stages[1].after[0]: there is no stage", "'identity'"),
        ("after: [identity]", "after: [after]", "line 25: stages[1].after[0]: there is no stage", ""),
        ("- name: after", "- name: identity", "line 21: stages[1].name: there is a stage 'identity'", ""),
        ("    sync: [keystone-manage, db_sync]\n", "", "line 13: stages[0]: a database and the command", ""),
        ('    packages: [keystone, "python-*"]\n', "", "line 13: stages[0]: a stage has packages", ""),
        ('"python-*"]', '"-oDebug=1"]', "line 15: stages[0].packages[1]: must be a name or glob", ""),
        ('"python-*"]', "keystone]", "line 15: stages[0].packages[1]: 'keystone' is listed twice", ""),
        ("[control]\n    packages", "control\n    packages", "line 14: stages[0].groups: must be a list", ""),
        ("{file: /etc/a.conf", "{file: /etc/../a.conf", "line 24: stages[1].edits[0].file: must be an absolute", ""),
        (
            "path: /etc/apt/sources.list.d/old.list",
            "path: /etc/passwd",
            "line 8: repositories.old.path: must be a file",
            "",
        ),
        (
            "section: a, option: b}",
            'section: a, option: connection, value: "mysql://nova:canary@ctl1/nova"}',
            "line 24: stages[1].edits[0].value: holds a password",
            "on the hosts",
        ),
        (
            "section: a, option: b}",
            "section: a, option: admin_password, value: canary}",
            "line 24: stages[1].edits[0].value: holds a password",
            "on the hosts",
        ),
        (
            "${new} main",
            "${new} main\\ndeb http://user:canary@mirror.example/ x main",
            "line 9: repositories.new.text: holds a password",
            "apt_auth.conf(5)",
        ),
        ("${new} main", "${nex} main", "line 9: repositories.new.text: there is no setting 'nex'", "'new'"),
        (
            "    way_back: the dump",
            "    way_back: the dump\n    serial: 5,1",
            "line 21: stages[0].serial: serial '5,1'",
            "1,10%",
        ),
        ("stages:\n", "stages: [\n", "not YAML", ""),
        ("summary: one service", "summary: !!python/object/apply:os.system [id]", "line 3: summary: must be text", ""),
        ("summary: one service", "summary:", "line 3: summary: must be text, not nothing", ""),
        ("summary: one service", "1: x\nsummary: one service", "line 3: 1: the key must be text", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str, hint: str) -> None:
    assert GOOD.count(old) == 1
    path = put(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InvalidInput) as refusal:
        loader.load(str(path))
    assert re.match(rf"{re.escape(str(path))}[,:] ", refusal.value.message)
    assert says in refusal.value.message and "canary" not in refusal.value.message
    assert hint in refusal.value.hint


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00", b"#" * (yaml.LIMIT + 1), b"[" * 5000, b"", b"- a", b"---\na: 1\n---\nb: 2\n", b"a: \x00"],
)
def test_what_is_no_document_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"bad\.yaml"):
        loader.load(str(path))


def test_the_shipped_ones_are_right_and_say_how_to_go_back() -> None:
    for name in loader.names():
        found = loader.load(name)
        assert found.name == name
        for stage in found.stages:
            assert stage.outage and stage.way_back
            assert found.stage_of(f"{stage.name}: packages 1/2") is stage
            assert found.stage_of(f"{stage.name} 2/3") is stage
