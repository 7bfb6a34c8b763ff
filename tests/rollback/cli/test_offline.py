"""The verbs that need nothing but files: what they print where, how they end, and what they refuse."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rollback.cli.main import door
from tests.rollback import guide
from tests.rollback.rendered import CASES


class Desk:
    """A directory with files from a machine that cannot be reached."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.put("installed", (guide.CASES / "selections.txt").read_text())
        self.put("policy", guide.policy())

    def put(self, name: str, content: str) -> None:
        (self.directory / name).write_text(content)

    def call(self, *argv: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(door, argv, prog_name="rollback", input=stdin)
        assert result.exit_code == code, result.output
        return result

    def guide(self, *more: str, code: int = 21) -> Result:
        argv = ("--installed", "installed", "--policy", "policy", "--release", "grizzly", "--rename", "neutron=quantum")
        return self.call("compute", *argv, *more, code=code)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


# ---------------------------------------------------------------------- compute


def test_the_guides_pairs_stand_on_stdout_and_the_rest_on_stderr(desk: Desk) -> None:
    result = desk.guide()
    assert result.stdout == guide.PAIRS
    assert [line.split(":")[0].strip() for line in result.stderr.splitlines() if "no python-" in line] == [
        "python-keystone",
        "python-keystoneclient",
    ]


def test_a_lost_version_is_named_and_the_rest_still_printed(desk: Desk) -> None:
    desk.put("policy", guide.policy(without="cinder-common"))
    result = desk.guide()
    pairs = [pair for pair in guide.PAIRS.splitlines(keepends=True) if not pair.startswith("cinder-common=")]
    assert result.stdout == "".join(pairs)
    assert "cinder-common: no cinder-common from grizzly" in result.stderr


def test_json_accounts_for_every_package(desk: Desk) -> None:
    document = json.loads(desk.guide("-o", "json").stdout)
    assert (document["format"], document["host"], document["family"]) == ("1.0", "installed", "deb")
    assert document["to"] == {"release": "grizzly"}
    assert [change["name"] for change in document["changes"]] == sorted(guide.NAMES)
    assert document["counts"]["rename"] == 10
    assert document["problems"][0]["packages"] == ["python-keystone", "python-keystoneclient"]
    (change,) = (one for one in document["changes"] if one["name"] == "neutron-common")
    assert change["target_name"] == "quantum-common"
    assert change["target"] == "1:2013.1.4-0ubuntu1~cloud0"
    assert "precise-updates/grizzly/main" in change["origin"]


def test_all_that_can_be_had_ends_well(desk: Desk) -> None:
    assert desk.guide("--only", "nova*", code=0).stdout.count("\n") == 8


def test_nothing_to_change_prints_nothing(desk: Desk) -> None:
    desk.put("installed", "bash\t5.1-2\n")
    desk.put("policy", "bash | 5.1-2 | http://a.example.org/debian sid/main amd64 Packages\n")
    assert desk.call("compute", "--installed", "installed", "--policy", "policy", "--release", "sid").stdout == ""


def test_apt_and_explain_and_out(desk: Desk) -> None:
    assert "glance=1:2013.1.4-0ubuntu1~cloud0" in desk.guide("-o", "apt").stdout
    assert "called quantum-server then" in desk.guide("--explain", "neutron-server").stdout
    desk.guide("--out", "manifests")
    assert json.loads((desk.directory / "manifests" / "installed.json").read_text())["counts"]["downgrade"] == 22


def test_an_index_and_an_older_list(desk: Desk) -> None:
    (desk.directory / "Packages.gz").write_bytes(gzip.compress((CASES / "Packages").read_bytes()))
    desk.put("installed", (CASES / "query_letters.txt").read_text())
    desk.put("target", "acme-held\t0.9-1\nacme-half\t0.8\nlibacme1:amd64\t1:1.0-1\n")
    argv = ("--installed", "installed", "--index", "Packages.gz", "--target", "target", "--arch", "amd64")
    assert "--only 'lob*' is for no package" in desk.call("compute", *argv, "--only", "lob*", code=10).stderr
    result = desk.call("compute", *argv, "--only", "acme-h*", "--only", "lib*")
    assert result.stdout == "acme-half=0.8\nacme-held=0.9-1\nlibacme1:i386-\nlibacme1=1:1.0-1\n"


def test_rpm_files_and_dnf(desk: Desk) -> None:
    desk.put("installed", (CASES / "rpm_plain.txt").read_text().replace("glibc-2.34-60", "glibc-2.34-83"))
    desk.put("target", (CASES / "rpm_columns.txt").read_text())
    argv = ("--installed", "installed", "--index", str(CASES / "primary.xml"), "--target", "target")
    assert desk.call("compute", *argv).stdout == "glibc=2.34-60\n"
    assert desk.call("compute", *argv, "-o", "dnf").stdout == "dnf -y install --allowerasing glibc-2.34-60.x86_64\n"
    assert "apt cannot" in desk.call("compute", *argv, "-o", "apt", code=10).stderr


def test_an_unread_line_of_rpm_is_a_problem_and_the_rest_is_printed(desk: Desk) -> None:
    desk.put("installed", "bash-5.2-1.el9.x86_64\nzsh#1\n")
    desk.put("policy", "Available Packages\nbash.x86_64  5.1.8-6.el9  old\n")
    result = desk.call("compute", "--installed", "installed", "--policy", "policy", "--release", "old", code=20)
    assert result.stdout == "bash=5.1.8-6.el9\n"
    assert "line 2: 'zsh#1'" in result.stderr


def test_lists_of_different_moments_are_told(desk: Desk) -> None:
    desk.put("installed", "nova-api\t7\n")
    assert "says 7 is installed" in desk.guide(code=0).stderr


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ("nova-api\tinstall\nsudo-\tinstall\n", 2),
        ("nova-api\tinstall\nno*\tinstall\n", 2),
        ("nova-api\tinstall\n-oDpkg::Pre-Invoke=x\tinstall\n", 2),
        ("nova-api\tinstall\nnova-api\tinst\n", 2),
        ("Gewünscht=Unbekannt/Installieren/R=Entfernen\n", 1),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(desk: Desk, content: str, line: int) -> None:
    desk.put("installed", content)
    result = desk.guide(code=10)
    assert result.stdout == ""
    assert f"installed, line {line}:" in result.stderr


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("--installed", "installed", "--policy", "policy"), "where to?"),
        (("--installed", "installed", "--release", "grizzly"), "what can be had?"),
        (("--rename", "neutron=quantum"), "--rename goes with --installed FILE or --release NAME"),
        (("--release", "grizzly", "--policy", "policy"), "--policy goes with --installed"),
        (("--release", "grizzly", "--run", "last"), "--release needs no snapshot"),
        (
            ("--installed", "installed", "--policy", "policy", "--release", "grizzly", "--run", "last"),
            "not with --installed",
        ),
        (
            ("--installed", "installed", "--policy", "policy", "--release", "grizzly", "--limit", "a"),
            "not with --installed",
        ),
    ],
)
def test_wrong_usage(desk: Desk, argv: tuple[str, ...], reason: str) -> None:
    assert reason in " ".join(desk.call("compute", *argv, code=2).stderr.split())


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("--release", "essex"), "there is no release 'essex'"),
        (("--release", "grizzly", "--rename", "neutron"), "is no rename"),
        (("--release", "grizzly", "--arch", "no arch"), "is no Debian architecture"),
        (("--target", "installed"), "installed, line 1: no version of cinder-api"),
        (("--release", "grizzly", "--index", "nowhere"), "nowhere: No such file"),
        (("--release", "grizzly", "--index", str(CASES / "primary.xml")), "an index of rpm packages"),
        (("--release", "grizzly", "--policy", str(CASES / "dnf_list.txt")), "the policy is of rpm packages"),
        (("--target", str(CASES / "rpm_plain.txt")), "lists rpm packages"),
    ],
)
def test_input_that_does_not_go_together(desk: Desk, argv: tuple[str, ...], reason: str) -> None:
    result = desk.call("compute", "--installed", "installed", "--policy", "policy", *argv, code=10)
    assert reason in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


# ---------------------------------------------------------------------- policy


def document(desk: Desk, name: str) -> Any:
    return json.loads(desk.call("policy", str(CASES / name), "-o", "json").stdout)


def test_policy_as_json_is_what_scripts_rely_on(desk: Desk) -> None:
    found = {one["package"]: one for one in document(desk, "policy.txt")["packages"]}
    assert found["acme-gone"]["installed"] is None
    assert found["libacme1"]["versions"][2] == {
        "version": "1:1.0-1",
        "priority": 500,
        "installed": False,
        "sources": [
            {
                "priority": 500,
                "uri": "file:/srv/archive",
                "suite": "old/main",
                "arch": "amd64",
                "kind": "archive",
                "raw": "file:/srv/archive old/main amd64 Packages",
            }
        ],
    }
    assert found["libacme1:i386"]["versions"][0]["sources"] == [
        {"priority": 100, "uri": None, "suite": None, "arch": None, "kind": "status", "raw": "/var/lib/dpkg/status"}
    ]
    assert found["phased"]["versions"][0]["phased"] == 50


def test_policy_of_madison_and_dnf(desk: Desk) -> None:
    held = document(desk, "madison.txt")["packages"][0]
    assert (held["installed"], held["candidate"], held["versions"][0]["priority"]) == (None, None, None)
    bash = document(desk, "dnf_list.txt")["packages"][1]
    assert (bash["package"], bash["installed"], bash["versions"][0]["sources"][0]["kind"]) == (
        "bash",
        "5.1.8-6.el9",
        "status",
    )


def test_policy_in_words_and_from_standard_input(desk: Desk) -> None:
    result = desk.call("policy", "-", stdin="W: hello\n" + guide.policy(["nova-api"]))
    assert result.stdout.splitlines()[:2] == [
        "nova-api: installed 1:2013.2-0ubuntu1~cloud0, candidate 1:2013.2-0ubuntu1~cloud0",
        "  * 1:2013.2-0ubuntu1~cloud0 (0)",
    ]
    assert "standard input, line 1: W: hello" in result.stderr


def test_policy_refuses_other_files_with_their_line(desk: Desk) -> None:
    desk.put("policy", guide.policy(["nova-api"]).replace("Installed", "Installiert"))
    assert "policy, line 2: not understood" in desk.call("policy", "policy", code=10).stderr
    assert "nowhere: No such file" in desk.call("policy", "nowhere", code=10).stderr


def test_help_has_examples_and_says_what_scripts_may_rely_on(desk: Desk) -> None:
    shown = desk.call("compute", "--help").stdout
    assert "--release grizzly --rename neutron=quantum" in shown
    assert "the exit code is 21" in shown
    assert "rollback policy" in desk.call("policy", "--help").stdout
