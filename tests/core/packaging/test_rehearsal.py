"""The rehearsal's own scripts on recorded answers: the made-up state is whole, what nobody offers is not offered, and warnings stay
apart from what is parsed."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.core.errors import DiskFull, HostUnreadable
from nornir_upgrade.core.facts import gather, probe
from nornir_upgrade.core.packaging import rehearsal
from nornir_upgrade.core.packaging.deb import apt, file_source, index_repair, preview
from nornir_upgrade.core.packaging.deb import rehearsal as rehearsal_deb
from nornir_upgrade.core.packaging.dnf import dnf4
from nornir_upgrade.core.packaging.dnf import file_source as rpmdepot
from nornir_upgrade.core.packaging.dnf import preview as preview_rpm
from nornir_upgrade.core.packaging.dnf import rehearsal as rehearsal_rpm
from nornir_upgrade.core.transport import sections
from nornir_upgrade.core.transport.host import Result
from rollback.packaging.deb import query
from rollback.packaging.dnf import query as enquiry_rpm

CASES = Path(__file__).parents[2] / "cases" / "rehearsal"
PARSED = {
    "facts": gather.script(),
    "digest": gather.digest_script(),
    "inspection deb": probe.script("apt"),
    "inspection rpm": probe.script("dnf4"),
    "preview deb": preview.SCRIPT,
    "preview rpm": preview_rpm.SCRIPT,
    "rehearsal deb": rehearsal_deb.SCRIPT,
    "rehearsal rpm": rehearsal_rpm.SCRIPT,
    "simulation apt": " ".join(apt.Apt().simulate((), (), downgrade=True)),
    "simulation dnf": dnf4.SIMULATE,
    "query apt": apt.QUERY,
    "query dnf": " ".join(dnf4.Dnf().query()),
    "depot deb": file_source.LOOK,
    "depot rpm": " ".join(rpmdepot.DnfFileSource().look(())[0]),
    "indexes": index_repair.DAMAGED,
    "enquiry deb": " ".join(query.argv("", 0)),
    "enquiry rpm": " ".join(enquiry_rpm.argv("", 0)),
}


def awk(program: str) -> str:
    argv = ("awk", program, CASES / "given.txt", "RS=", CASES / "shown.txt")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_every_package_of_the_made_up_state_is_described() -> None:
    """Where an index has translations, apt-cache shows them in place of the description, and dpkg warns of what lacks one."""
    stanzas = {text.split("\n", 1)[0]: text for text in awk(rehearsal_deb._COME).strip().split("\n\n")}
    assert list(stanzas) == ["Package: translated", "Package: german", "Package: plain"]
    for text in stanzas.values():
        fields = [line.partition(":")[0] for line in text.splitlines() if not line.startswith(" ")]
        assert fields.count("Description") == fields.count("Maintainer") == fields.count("Status") == 1
        assert not {"Filename", "Size", "Description-en", "Description-de_DE", "Description-md5"} & set(fields)
    assert "Description: In one line" in stanzas["Package: plain"]
    assert "Status: hold ok installed" in stanzas["Package: german"]


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="dpkg-query reads the state: this machine has none")
def test_dpkg_has_nothing_to_say_of_the_made_up_state(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(awk(rehearsal_deb._COME))
    (tmp_path / "updates").mkdir()
    argv = ("dpkg-query", f"--admindir={tmp_path}", "--show", "--showformat", r"${Package} ${Version}\n")
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("german 1.0\nplain 1.0\ntranslated 2.0-1\n", "")


def test_what_only_dpkg_knows_is_not_offered() -> None:
    """A package that goes and leaves its configuration is shown by apt-cache, and no archive has it any more."""
    assert awk(rehearsal_deb._OFFERED) == "kept\tall\t1.0\n"


HEARD = """\
heard sh -c 'echo line; echo "W: a warning" >&2; exit 3'; told first
heard cat; told second
mark end 0
"""


def test_warnings_stay_apart_from_what_is_parsed() -> None:
    boundary = sections.new_boundary()
    script = sections.SHELL + sections.APART + HEARD
    argv = ("sh", "-c", script, "sh", boundary)
    said = subprocess.run(argv, input="given", capture_output=True, text=True, check=True)
    first, second, _ = sections.split(said.stdout, boundary).values()
    assert (first.name, first.status, first.text) == ("first", 3, "line\n")
    assert first.errors == "W: a warning\n" and "W: a warning" in first.said
    assert (second.status, second.text, second.errors.strip()) == (0, "given", "")


@pytest.mark.parametrize("name", PARSED)
def test_no_script_lets_warnings_into_what_is_parsed(name: str) -> None:
    """Standard error goes where standard output was only once that goes somewhere else."""
    assert "2>&1" not in PARSED[name].replace("2>&1 >&3", "")


class Telling:
    """A host that answers a rehearsal: an empty state, and in the parts that are named what is told, each with its status."""

    name = "web1"

    def __init__(self, **told: tuple[str, int]) -> None:
        self.told = told

    def run(self, argv: Sequence[str], **_: Any) -> Result:
        names = ("begin", "update", "update errors", "packages", "packages errors", "offered")
        names += ("said", "said errors", "question", "end")
        parts = ((name, *self.told.get(name.replace(" ", "_"), ("", 0))) for name in names)
        return Result(0, "".join(f"{text}\n{argv[4]} {name} {status}\n" for name, text, status in parts).encode(), b"")


def rehearsed(**told: tuple[str, int]) -> rehearsal.Rehearsed:
    return rehearsal.rehearse(Telling(**told), "apt", {}, (), (), ())  # type: ignore[arg-type]


UNORDERED = """\
Request: EIPP 0.1
Architecture: amd64
Architectures: amd64
Install: libc6:amd64 dash:amd64

Package: libc6
Architecture: amd64
Version: 2
APT-ID: 1
Status: installed

Package: libc6
Architecture: amd64
Version: 1
APT-ID: 2
Breaks: dash (>= 2)

Package: dash
Architecture: amd64
Version: 2
APT-ID: 3
Status: installed
Depends: libc6 (>= 2)

Package: dash
Architecture: amd64
Version: 1
APT-ID: 4
Pre-Depends: libc6 (= 1)
"""


def test_a_way_back_that_no_order_keeps_usable_is_none() -> None:
    """A simulation of apt knows no order: what would lock a host out is refused before the way forward is gone."""
    found = rehearsed(question=(UNORDERED, 0))
    assert found.said is None and "web1: no order of unpacking keeps this host usable" in found.refusal
    assert rehearsed().said is not None and rehearsed().refusal == ""


@pytest.mark.parametrize("part", ["update", "said"])
def test_a_disk_that_fills_during_the_proof_is_no_lack_of_a_way_back(part: str) -> None:
    full = "E: Write error - write (28: No space left on device)"
    with pytest.raises(DiskFull, match=r"web1: E: Write error .*No space left on device"):
        rehearsed(**{part: ("", 100), f"{part}_errors": (full, 0)})


def test_an_answer_that_does_not_read_names_its_host_and_what_was_asked() -> None:
    with pytest.raises(
        HostUnreadable, match=r"^web1: what its package manager says of the way back cannot be read: "
    ) as told:
        rehearsed(packages=("dpkg-query: warning: parsing file near line 4917", 0))
    assert told.value.hint.startswith("on web1: ")
