"""What a host is beside its packages: how it is told, which area it counts in, and what is never told."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.state import entries
from nornir_upgrade.core.state.entries import Entry, area_of, parse, value_of
from nornir_upgrade.core.state.harmless import RULES, why_explained
from nornir_upgrade.core.state.places import AREAS, KEPT, LEFT, areas_of, left, place_of, roots
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.sections import SHELL, Section, new_boundary, split

_SHOW = 'show() { while IFS= read -r line || [ "$line" ]; do printf \'%s\\n\' "$line"; done < "$1"; }\n'
DIGEST = "a" * 64


def sections(**texts: str) -> dict[str, Section]:
    return {name: Section(name, 0, 1, texts.get(name.replace("-", "_"), "")) for name in entries.PARTS}


def told(format: str = "deb", **texts: str) -> dict[tuple[str, str], str]:
    _, found = parse(sections(**texts), format)
    return {(one.area, one.name): one.value for one in found}


def record(*fields: str) -> str:
    return "".join(f"{field}\0" for field in fields)


def test_every_place_has_an_area_and_a_reason_and_the_areas_that_a_format_has_are_said() -> None:
    assert all(one.why and one.area in AREAS and one.path.startswith("/") for one in KEPT)
    assert all(one.why and place_of(one.path) for one in LEFT)
    assert {"debconf", "diversions", "statoverrides", "dpkg"} == set(areas_of("deb")) - set(areas_of("rpm"))
    assert not any(
        one != other and one.startswith(f"{other}/") for one in roots(restored=False) for other in roots(restored=False)
    )


def test_each_path_counts_in_one_area() -> None:
    assert area_of("/etc/motd") == "etc"
    assert area_of("/etc/systemd/system/ssh.service") == "units"
    assert area_of("/etc/ca-certificates.conf") == area_of("/etc/ssl/certs/x.pem") == "certificates"
    assert area_of("/etc/passwd") == "etc" and area_of("/var/lib/pam/seen") == "registries"
    assert left("/etc/.git/objects/00") and not left("/etc/.gitignore")


def test_files_are_told_by_kind_mode_owner_digest_and_target() -> None:
    found = told(
        entries=record("/etc/a", "f", "640", "0:42", "")
        + record("/etc/b", "l", "777", "0:0", "a")
        + record("/etc/s", "s", "600", "0:0", ""),
        entry_digests=f"{DIGEST}  /etc/a\0",
        xattrs="-rw-r-----* 0/42 5 2026-01-01 00:00 /etc/a\n  x: 20 security.capability\n",
    )
    assert found == {
        ("etc", "/etc/a"): f"file 0640 0:42 {DIGEST[:32]} security.capability:20",
        ("etc", "/etc/b"): "-> a",
    }
    state = FileState("/etc/a", "file", "0640", "0", "42", DIGEST, xattrs=(("security.capability", "00" * 20),))
    assert value_of(state) == found["etc", "/etc/a"]
    assert value_of(replace(state, xattrs=())) != value_of(state)


def test_accounts_alternatives_diversions_overrides_and_clusters_are_told_one_by_one() -> None:
    found = told(
        passwd="root:0:0:root:/root:/bin/bash\n",
        group="adm:4:ada\n",
        choices="/var/lib/dpkg/alternatives/editor\tmanual\n",
        entries=record("/etc/alternatives/editor", "l", "777", "0:0", "/usr/bin/vim"),
        diversions="/bin/x\n/bin/x.real\nxpack\n/bin/y\n/bin/y.own\n:\n",
        statoverride="root adm 710 /srv/a b\n",
        File="/usr/share/x xpack/noawait\n",
        bundles="/etc/ssl/certs/ca-certificates.crt\t142\n",
        clusters="# /etc/postgresql/15/main/postgresql.conf\nport = 5433 # here\n"
        "data_directory = '/srv/pg'\n= /srv/pg\t15\t101:104 700\n",
        boot=record("/boot/vmlinuz", "f", "8000000", "") + record("/boot/initrd.img-6", "f", "3", ""),
    )
    assert found["accounts", "user root"] == "0:0:root:/root:/bin/bash" and found["accounts", "group adm"] == "4:ada"
    assert found["alternatives", "editor"] == "manual /usr/bin/vim"
    assert found["diversions", "/bin/x"] == "to /bin/x.real by xpack" and found["diversions", "/bin/y"].endswith(
        "by local"
    )
    assert found["statoverrides", "/srv/a b"] == "root adm 710"
    assert found["dpkg", "trigger /usr/share/x xpack/noawait"] == "there"
    assert found["certificates", "trusted roots in /etc/ssl/certs/ca-certificates.crt"] == "142"
    assert found["clusters", "postgresql 15/main"] == "version 15 port 5433 data /srv/pg 101:104 700"
    assert found["boot", "/boot/vmlinuz"] == "8000000 bytes" and found["boot", "/boot/initrd.img-6"] == "there"


def test_an_answer_of_an_older_version_has_no_area_and_one_that_is_cut_off_is_refused() -> None:
    assert parse({}, "deb") == ((), ())
    with pytest.raises(InvalidInput, match="cut off"):
        told(entries=record("/etc/a", "f"))
    with pytest.raises(InvalidInput, match="lacks passwd"):
        parse({name: one for name, one in sections().items() if name != "passwd"}, "deb")


def test_no_password_is_told_where_passwd_still_has_it(tmp_path: object) -> None:
    """The second field stays on the host: it is cut before anything is written."""
    boundary = new_boundary()
    script = f"{SHELL}{_SHOW}{entries.SCRIPT}mark end 0\n".replace("/etc/$name", "/dev/stdin")
    secret = "ada:$6$secret:9:9::/:/bin/sh\n"
    done = subprocess.run(
        ("sh", "-c", script, "sh", boundary), input=secret, capture_output=True, text=True, errors="replace"
    )
    assert "secret" not in done.stdout and "ada:9:9::/:/bin/sh" in done.stdout


def test_this_machines_own_state_is_read_whole() -> None:
    boundary = new_boundary()
    done = subprocess.run(
        ("sh", "-c", f"{SHELL}{_SHOW}{entries.SCRIPT}mark end 0\n", "sh", boundary), capture_output=True
    )
    areas, found = parse(split(done.stdout.decode("utf-8", "surrogateescape"), boundary), "deb")
    assert areas == areas_of("deb")
    names = {(one.area, one.name) for one in found}
    assert {("etc", "/etc/passwd"), ("accounts", "user root"), ("accounts", "group root")} <= names
    assert len(names) == len(found) and isinstance(found[0], Entry)


def test_rules_have_reasons_and_hide_no_configuration() -> None:
    assert all(rule.why for rule in RULES)
    for path in (
        "/etc/passwd",
        "/etc/fstab",
        "/etc/ld.so.conf",
        "/etc/ssh/sshd_config",
        "/etc/udev/rules.d/x.rules",
        "/etc/mtab.conf",
    ):
        assert not why_explained("etc", path)
    assert why_explained("etc", "/etc/ld.so.cache") and why_explained("etc", "/etc/shadow-")


def test_the_documentation_lists_every_place_and_rule() -> None:
    text = (Path(__file__).parents[3] / "docs" / "state.md").read_text()
    assert all(f"| `{one.path}` |" in text and one.why in text for one in (*KEPT, *LEFT))
    assert all(rule.why in text for rule in RULES)
    assert all(f"`{area}`" in text for area in AREAS)
