"""The fleet, loaded from Nornir's configuration: which hosts, how they are reached, and what is wrong with a file."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.inventory import fleet
from nornir_upgrade.core.inventory.limit import chosen
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.lab.deb.fleet import FLEET
from nornir_upgrade.lab.rpm.fleet import RPM_FLEET

CONFIG = """\
inventory: {plugin: SimpleInventory}
user_defined: {state: .state}
"""
HOSTS = """\
a1: {hostname: 192.0.2.1, groups: [web]}
a2: {groups: [web, db]}
b1:
  port: 2222
  username: ops
  groups: [inner]
  connection_options:
    netmiko: {extras: {secret: hush, alt_key_file: keys/known}}
"""
GROUPS = """\
web: {}
db: {data: {kind: data}}
outer:
  username: root
  data: {region: north}
  connection_options:
    netmiko: {port: 10022, extras: {key_file: keys/id}}
inner: {groups: [outer]}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes config.yaml and the inventory beside it; returns the former's path."""

    def write(config: str = CONFIG, **files: str) -> Path:
        home = tmp_path / "site"
        home.mkdir(exist_ok=True)
        for name, text in ({"hosts": HOSTS, "groups": GROUPS} | files).items():
            (home / f"{name}.yaml").write_text(text)
        (home / "config.yaml").write_text(config)
        return home / "config.yaml"

    return write


def options(loaded: fleet.NornirFleet) -> dict[str, dict[str, object]]:
    """How each host would be reached, as its connection knows."""
    return dict(loaded.each(loaded.names, lambda host: host._options))  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- what is loaded


def test_hosts_come_in_order_with_inherited_groups_and_data(write: Write) -> None:
    loaded = fleet.load(write())
    assert loaded.names == ("a1", "a2", "b1")
    assert [host.groups for host in loaded.hosts] == [("web",), ("web", "db"), ("inner", "outer")]
    assert [dict(host.data) for host in loaded.hosts] == [{}, {"kind": "data"}, {"region": "north"}]
    assert loaded.settings == {"state": ".state"}


def test_the_options_are_those_of_the_netmiko_connection(write: Write, tmp_path: Path) -> None:
    known = options(fleet.load(write(), "b1"))["b1"]
    wanted = {
        "host": "b1",
        "username": "ops",
        "port": 10022,  # a connection's option goes before the host's own, as Nornir has it
        "secret": "hush",
        "alt_key_file": str(tmp_path / "site" / "keys" / "known"),
        "ssh_strict": True,
        "system_host_keys": True,
    }
    assert {key: known[key] for key in wanted} == wanted


def test_paths_are_relative_to_the_configuration_wherever_we_stand(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write(
        "inventory: {options: {host_file: inv/h.yaml, group_file: groups.yaml}}\nssh: {config_file: ssh/config}\n",
        hosts="{}",
        groups="g: {connection_options: {netmiko: {extras: {key_file: k, alt_key_file: ~/kh, ssh_config_file: c}}}}\n",
    )
    (config.parent / "inv").mkdir()
    (config.parent / "inv" / "h.yaml").write_text("h: {groups: [g]}\nplain: {}\n")
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    known = options(fleet.load(Path("../site/config.yaml")))
    home = f"{tmp_path}/else/../site"
    assert known["h"]["key_file"] == f"{home}/k"
    assert known["h"]["ssh_config_file"] == f"{home}/c"
    assert known["h"]["alt_key_file"] == os.path.expanduser("~/kh")  # noqa: PTH111
    assert known["plain"]["ssh_config_file"] == f"{home}/ssh/config"


def test_credentials_and_inventories_of_nornir_utils_work_by_configuration_alone(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORNIR_USERNAME", "from-environment")
    monkeypatch.setenv("NORNIR_PASSWORD", "hush")
    loaded = fleet.load(write("inventory: {plugin: YAMLInventory, transform_function: load_credentials}\n"))
    assert {(one["username"], one["password"]) for one in options(loaded).values()} == {("from-environment", "hush")}


def test_nornir_writes_no_log(write: Write, tmp_path: Path) -> None:
    config = write("logging: {enabled: true, log_file: nornir.log, loggers: [nornir, other]}\n")
    script = (
        "import sys, pathlib\nfrom nornir_upgrade.core.inventory import fleet\n"
        "f = fleet.load(pathlib.Path(sys.argv[1]))\nf.each(f.names, lambda host: 1 / 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(config)], cwd=tmp_path, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert [path.name for path in tmp_path.rglob("*") if path.suffix == ".log"] == []


# ---------------------------------------------------------------------- limits

GROUPS_OF = {"cmp1": ("compute",), "cmp2": ("compute", "spare"), "ctl1": ("control", "db"), "net1": ()}
ALL_GROUPS = ["compute", "control", "db", "spare", "nobody"]


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        ("", "cmp1 cmp2 ctl1 net1"),
        ("net1,cmp1", "cmp1 net1"),
        ("cmp*", "cmp1 cmp2"),
        ("c??[12]", "cmp1 cmp2 ctl1"),
        ("@compute", "cmp1 cmp2"),
        ("@co*", "cmp1 cmp2 ctl1"),
        ("!cmp*", "ctl1 net1"),
        ("!@db", "cmp1 cmp2 net1"),
        ("@compute, ctl1 ,!cmp2", "cmp1 ctl1"),
        ("!cmp2,@compute", "cmp1"),
        ("all", "cmp1 cmp2 ctl1 net1"),
        ("@all", "cmp1 cmp2 ctl1 net1"),
        ("@all,!cmp*", "ctl1 net1"),
    ],
)
def test_what_a_limit_means(limit: str, names: str) -> None:
    assert chosen(limit, GROUPS_OF, ALL_GROUPS) == tuple(names.split())


@pytest.mark.parametrize("limit", ["ctl9", "cmp*,ctl9", "!ctl9", "CTL1", "compute"])
def test_a_host_that_is_none_is_refused_and_those_that_are_told(limit: str) -> None:
    with pytest.raises(UnknownName, match="no host") as caught:
        chosen(limit, GROUPS_OF, ALL_GROUPS)
    assert "cmp1, cmp2, ctl1, net1" in caught.value.hint and "@compute" in caught.value.hint


@pytest.mark.parametrize("limit", ["@dbs", "net1,!@dbs"])
def test_a_group_that_is_none_is_refused_and_those_that_are_told(limit: str) -> None:
    with pytest.raises(UnknownName, match="no group 'dbs'") as caught:
        chosen(limit, GROUPS_OF, ALL_GROUPS)
    assert caught.value.hint == "there is: compute, control, db, spare, nobody"


@pytest.mark.parametrize("limit", ["@nobody", "cmp1,!@compute", "!*", "!all", "!@all", ",", " "])
def test_a_limit_that_leaves_nobody_is_refused(limit: str) -> None:
    with pytest.raises(InvalidInput):
        chosen(limit, GROUPS_OF, ALL_GROUPS)


def test_what_is_called_all_goes_before_every_host() -> None:
    known = {"all": (), "a": ("all",), "b": ()}
    assert chosen("all", known, ["all"]) == ("all",)
    assert chosen("@all", known, ["all"]) == ("a",)


def test_a_fleet_is_no_more_than_its_limit(write: Write) -> None:
    loaded = fleet.load(write(), "@web,!a2")
    assert loaded.names == ("a1",) and [host.name for host in loaded.hosts] == ["a1"]
    with pytest.raises(UnknownName):
        loaded.each(["a2"], lambda host: host.name)


# ---------------------------------------------------------------------- each


def test_each_gives_every_hosts_value_or_exception_in_the_order_asked(write: Write) -> None:
    loaded = fleet.load(write())

    def act(host: Host) -> str:
        if host.name == "a2":
            raise ValueError("a2 only")
        return host.name.upper()

    results = loaded.each(("b1", "a2", "a1"), act)
    assert list(results) == ["b1", "a2", "a1"]
    assert (results["b1"], results["a1"]) == ("B1", "A1")
    assert isinstance(results["a2"], ValueError)


def test_who_failed_is_asked_again_and_has_the_same_connection(write: Write) -> None:
    loaded = fleet.load(write())
    seen: list[int] = []

    def act(host: Host) -> None:
        seen.append(id(host))
        raise ValueError

    for _ in range(2):
        assert isinstance(loaded.each(("a1",), act)["a1"], ValueError)
    assert len(seen) == 2 and len(set(seen)) == 1


def test_hosts_are_worked_on_at_once_as_far_as_there_are_workers(write: Write) -> None:
    three = threading.Barrier(3)
    loaded = fleet.load(write(), workers=3)
    loaded.each(loaded.names, lambda host: three.wait(5))
    alone = threading.Semaphore(1)

    def act(host: Host) -> None:
        assert alone.acquire(blocking=False), "two at once"
        threading.Event().wait(0.05)
        alone.release()

    one = fleet.load(write(), workers=1)
    assert set(one.each(one.names, act).values()) == {None}


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"hosts": "a:\n  groups: [web, dbs]\n"}, "hosts.yaml, line 2: a.groups: there is no group 'dbs'"),
        (
            {"groups": "web: {}\ndb:\n  groups: [x]\ninner: {}\n"},
            "groups.yaml, line 3: db.groups: there is no group 'x'",
        ),
        ({"hosts": "a: {}\nb:\n  hostnme: x\n"}, "hosts.yaml, line 3: b.hostnme: there is no such key"),
        (
            {"hosts": "a:\n  port: ssh\n"},
            "hosts.yaml, line 2: a.port: must be a whole number from 1 to 65535, not 'ssh'",
        ),
        ({"hosts": "a:\n  port: 70000\n"}, "line 2: a.port"),
        ({"hosts": "a:\n  hostname: 5\n"}, "line 2: a.hostname: must be one line of text, not 5"),
        ({"hosts": "a:\n  groups: web\n"}, "line 2: a.groups: must be a list of groups, not 'web'"),
        ({"hosts": "a:\n  data: [x]\n"}, "line 2: a.data: must be keys and values"),
        ({"hosts": "a: x\n"}, "hosts.yaml, line 1: a: must hold keys and values, not 'x'"),
        ({"hosts": "1: {}\n"}, "hosts.yaml, line 1: 1: must be text, not 1"),
        ({"hosts": "[a]\n"}, "hosts.yaml: must hold keys and values"),
        ({"hosts": "a: {\nb: [\n"}, "hosts.yaml, line "),
        ({"hosts": "a: {}\na: {}\n"}, "hosts.yaml, line 2: not YAML: found duplicate key"),
        ({"hosts": "a:\n\tport: 1\n"}, "hosts.yaml, line 2: not YAML: "),
        (
            {"groups": "web:\n  connection_options:\n    netmiko:\n      extra: {}\ndb: {}\ninner: {}\n"},
            "groups.yaml, line 4: web.connection_options.netmiko.extra: there is no such key",
        ),
        ({"defaults": "username: root\nport: x\n"}, "defaults.yaml, line 2: port: must be"),
        ({"hosts": "a: {hostname: -oProxyCommand=x}\n"}, "host a: '-oProxyCommand=x' is not a hostname"),
        ({"hosts": "a: {hostname: 'x y'}\n"}, "host a: 'x y' is not a hostname"),
        ({"hosts": "-a: {}\n"}, "host -a: '-a' is not a hostname"),
        ({"hosts": "a: {username: -l}\n"}, "host a: '-l' is not a username"),
        (
            {"hosts": "a: {connection_options: {netmiko: {extras: {key_file: 5}}}}\n"},
            "host a: key_file must be the name of a file, not 5",
        ),
        ({"hosts": "{}\n"}, "the inventory holds no host"),
        ({"hosts": '"a\\nb": {}\n'}, r"hosts.yaml, line 1: 'a\nb' is not a name: it must be one line of text"),
        ({"hosts": '"\\e[31m": {}\n'}, r"'\x1b[31m' is not a name"),
    ],
)
def test_mistakes_in_the_inventory_are_told_with_their_place(write: Write, files: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        fleet.load(write(**files))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("inventry: {}\n", "config.yaml, line 1: inventry: there is no such section"),
        ("runner:\n- x\n", "config.yaml, line 1: runner: must hold keys and values"),
        ("a: [\n", "config.yaml, line 2: not YAML: "),
        ("inventory: {plugin: NoSuch}\n", "config.yaml: Nornir does not accept it: "),
        ("inventory: {options: {host_file: nowhere.yaml}}\n", "nowhere.yaml: No such file or directory"),
        ("inventory: {options: {group_file: nogroups.yaml}}\n", "nogroups.yaml: No such file or directory"),
        ("inventory: {options: {defaults_file: nodefaults.yaml}}\n", "nodefaults.yaml: No such file or directory"),
        (
            "runner:\n  options:\n    num_workers: many\n",
            "config.yaml, line 3: runner.options.num_workers: must be a whole number from 1, not 'many'",
        ),
        ("runner:\n  options: {num_workers: 0}\n", "config.yaml, line 2: runner.options.num_workers: must be"),
        ("runner:\n  options: [x]\n", "config.yaml, line 2: runner.options: must hold keys and values"),
        ("inventory: {options: {no_option: 1}}\n", "Nornir does not accept it: TypeError"),
        ("user_defined: {reconnect: soon}\n", "reconnect must be seconds from 0 to 3600, not 'soon'"),
    ],
)
def test_mistakes_in_the_configuration_are_told_with_their_place(write: Write, config: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        fleet.load(write(config))
    assert message in caught.value.message


def test_a_group_is_none_where_there_is_no_file_of_groups(write: Write) -> None:
    config = write(hosts="a: {groups: [lab]}\n")
    (config.parent / "groups.yaml").unlink(missing_ok=True)
    with pytest.raises(InvalidInput, match="there is no group 'lab'") as caught:
        fleet.load(config)
    assert caught.value.hint == f"there is: none, for there is no file {config.parent / 'groups.yaml'}"


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        fleet.load(tmp_path / "config.yaml")


def test_the_example_beside_the_code_is_the_labs_fleet() -> None:
    root = Path(__file__).parents[3]
    loaded = fleet.load(root / "config.yaml", "@lab")
    assert loaded.names == tuple(host.name for host in (*FLEET, *RPM_FLEET))
    for host in (*FLEET, *RPM_FLEET):
        assert options(loaded)[host.name]["host"] == f"127.99.0.{host.number}"
    assert [host.name for host in loaded.hosts if host.data.get("cloud") == "rpm"] == [host.name for host in RPM_FLEET]
    known = options(loaded)["cmp2"]
    assert (known["port"], known["username"]) == (10022, "root")
    assert (known["key_file"], known["ssh_strict"]) == (str(root / ".lab" / "id_lab"), True)
    assert loaded.hosts[0].data["databases"] == ["keystone", "glance", "nova", "quantum", "cinder"]
