"""A third package manager is one value and one call of `register`: facts, preview, planner, steps, JSON and
manifests take it as any other.

All of it is here. Its packages are lines of one file, `NAME VERSION`; repositories are files of such lines.
"""

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import CommandFailed, Failure, InvalidInput
from nornir_upgrade.core.facts import gather
from nornir_upgrade.core.facts.gather import HostFacts, package_digest
from nornir_upgrade.core.packaging import registry
from nornir_upgrade.core.packaging.arrangement import Arrangement, Simulation
from nornir_upgrade.core.packaging.family import Family, Remedies, Renames, Rewritten, Update
from nornir_upgrade.core.packaging.format import Format, format_of
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageWant,
    Transaction,
    digest_of_packages,
    paired,
)
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.packaging.rpm.format import RPM
from nornir_upgrade.core.packaging.state import Packaged, SourceFile
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import SHELL, Section
from nornir_upgrade.core.version.evr import Flavour
from nornir_upgrade.planner import reversibility, upgrade
from nornir_upgrade.preflight import findings
from nornir_upgrade.scenario import loader
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.gates import AuditClean
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.state import CaptureState
from rollback.manifest import commands
from rollback.manifest.model import Manifest, document, lines, read
from rollback.manifest.text import changes_in_text
from rollback.offline import index_files
from rollback.packaging.candidate import Candidate, Offer, catalog
from rollback.packaging.clauses import Clause, Reason
from rollback.packaging.judgement import FormatJudgement, ManagerJudgement, Moved
from rollback.packaging.protection import DnfConf
from rollback.packaging.registry import judgement_of, manager_judgement, tools_of
from rollback.solver.nearest import Nearest

SCENARIO = """\
format: "1.0"
name: toys
repositories:
  toy:
    old: {path: /etc/toy/old.toys}
    new: {path: /etc/toy/new.toys, text: "ball 2\\nbat 1\\n"}
stages: [{name: every, packages: ["ball"]}]
"""
PARTS = ("os", "kernel", "machine", "units", "links", "files")


def word(text: str) -> str:
    """A name or a version. Raises `InvalidInput`."""
    if not text.isalnum():
        raise InvalidInput(f"{text!r} is no word")
    return text


def package(line: str) -> Package:
    name, version = line.split()
    return Package(word(name), "any", word(version), "installed", "install", auto=False)


def packages(text: str) -> tuple[Package, ...]:
    return tuple(sorted(map(package, text.split("\n")[:-1]), key=lambda one: one.name))


class ToyManager:
    """Argument vectors and parsers; `toy` is its program."""

    def query(self) -> tuple[str, ...]:
        return ("toy", "list")

    def parse_query(self, text: str) -> tuple[Package, ...]:
        return packages(text)

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        return ("toy", "simulate", *(f"{one.name}={one.version}" for one in want))

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        now = {one.name: [one.version] for one in present}
        new = [package(line) for line in text.splitlines()]
        return Transaction(tuple(change for one in new for change in _change(one, now.get(one.name, []))))

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        return (("toy", "install", *(f"{one.name}={one.version}" for one in want)),)


def _change(one: Package, now: list[str]) -> Iterable[PackageChange]:
    return () if now == [one.version] else paired(one.key, now, [one.version])


class ToyTransactions:
    rehearsal, log, audited = "toy simulate", "/var/log/toy", "all toys are whole"

    def check(self, want: PackageWant) -> None:
        word(want.name), word(want.version or "0")

    def wait_for_lock(self, host: Host) -> None: ...
    def check_protected(self, host: Host, removed: Any) -> None: ...

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        return Simulation(host.run(argv))

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        return Arrangement()

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        return tuple(map(tuple, change))

    def failure(self, host: str, result: Result, command: str) -> Failure:
        return CommandFailed(host, command, result.status, result.errors)

    def error_in_output(self, host: str, result: Result) -> Failure | None:
        return None if result.status == 0 else self.failure(host, result, "toy")

    def transaction_id(self, result: Result) -> str:
        return ""

    def audit(self, host: Host) -> str:
        return ""


class ToyFacts:
    SIGN = "toys"
    PARTS: tuple[str, ...] = ("toys", "toy-sources")

    def __init__(self, root: Path) -> None:
        self.SCRIPT = f"cat {root}/toys; mark toys $?\nls {root}/sources; mark toy-sources $?\n"
        self.DIGEST = f"exec cat {root}/toys"

    def parse(self, sections: Mapping[str, Section]) -> Packaged:
        sources = (SourceFile(f"/etc/toy/{line}", "0" * 64) for _, line in sections["toy-sources"].lines())
        return Packaged("toybox", packages(sections["toys"].succeeded().text), (), tuple(sources), ())

    def parse_digest(self, text: str) -> tuple[Package, ...]:
        return packages(text)


class ToyPreview:
    """Takes what the last new repository has of each requested name."""

    FORMAT, REHEARSAL, UPDATE, WAY_OUT = "", "toy simulate", "toy update", "toy list"

    def __init__(self, root: Path) -> None:
        self.SCRIPT = f"""{SHELL}
mark begin 0; mark update 0
cat {root}/toys; mark packages 0
shift 2; text=$2; shift 2
number=0
while [ $# -gt 0 ]; do
  for name in $1; do printf '%s' "$text" | grep "^$name "; done; mark $number 0
  number=$((number + 1)); shift 2
done
mark end 0
"""

    def present(self, sections: Mapping[str, Section]) -> tuple[Package, ...]:
        return packages(sections["packages"].text)

    def excluders(self, section: Section) -> Mapping[str, Sequence[str]]:
        return {}

    def word(self, name: str, equals: str, version: str) -> str:
        return word(name)

    def file_name(self, path: str) -> str:
        return path.rpartition("/")[2]


class ToyRepositoryFiles:
    path, what = r"/etc/toy/[a-z]+\.toys", "a file of toys"
    place, place_words, secret = r"/etc/toy/[a-z]+\.toys", "no .toys file in /etc/toy/", "nowhere"
    directory, main, pins = "/etc/toy", "", ""
    endings: tuple[str, ...] = (".toys",)
    in_place, refusal, rewritable, rewritable_what = False, "one file a repository", "", ""

    def update(self, path: str, data: bytes) -> Update | None:
        return Update(("toy", "update", path), "toy update")

    def forget(self, host: Host, path: str) -> None: ...

    def rewrite(self, path: str, text: str, renames: Renames) -> Rewritten | None:
        return None


class ToyOrigins:
    fields: tuple[str, ...] = ("repository",)

    def narrow(self, origins: Sequence[Origin], repositories: object) -> str:
        return " ".join(one.repository for one in origins)

    def refusal(self, origins: Sequence[Origin]) -> str:
        return ""


class ToyDelivery:
    program, transaction_word, unfetched = "toy", "install", "no such toy"
    download_only: tuple[str, ...] = ("--download",)
    without_files: tuple[str, ...] = ()

    def options(self, host: Host, paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(paths)

    @contextmanager
    def offline(self, host: Host) -> Iterator[None]:
        yield


FORMAT = Format(
    name="toy",
    flavour="rpm",
    check_name=word,
    check_arch=word,
    check_version=lambda _, version: word(version),
    file_name=lambda name, version, arch: f"{name}_{version}_{arch}.toy",
    suffix=".toy",
    purges=False,
    several=False,
    any_arch="any",
    judgement="tests.house.test_third_manager:JUDGEMENT",
)


class ToyRules:
    """Toys demand nothing of each other."""

    flavour: Flavour = "rpm"
    own = frozenset({"any"})

    def read(self, name: str, arch: str, version: str, control: object) -> Candidate:
        return Candidate(name, arch, version, "")

    def clauses(self, packages: Sequence[Candidate]) -> Iterator[Clause]:
        for number, one in enumerate(packages, 1):
            others = (other for other, two in enumerate(packages, 1) if two.name == one.name and other > number)
            yield from (Clause((-number, -other), Reason("one-version", one.name, "", "once")) for other in others)

    def essential(self, installed: object) -> set[str]:
        return set()

    def staying(self, installed: object) -> Iterator[tuple[Candidate, str]]:
        return iter(())


class ToyCommands:
    def of_host(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
        return (f"toy install {' '.join(f'{one.name}={one.version}' for one in want)}",)

    def of_list(self, moved: Sequence[Moved], native: str) -> tuple[str, ...]:
        return tuple(f"toy install {one.target_name}={one.target}" for one in moved)


def offers(data: bytes, source: str, labels: tuple[str, ...]) -> Iterator[Offer]:
    for one in packages(data.decode()):
        yield Offer(one.name, one.arch, one.version, source, labels, ())


_UNUSED = cast(Any, None)
JUDGEMENT = FormatJudgement(
    packages="toys",
    arch_word=lambda arch, native, *, several: "",
    digests=1,
    present=_UNUSED,
    protection=DnfConf(frozenset(), ()),
    candidates=_UNUSED,
    tells_index=lambda data: data.startswith(b"ball "),
    offers=offers,
    control_of_file=_UNUSED,
    rules=lambda *_: ToyRules(),
    demands=_UNUSED,
    whole=lambda one: not one.broken,
    bare_is_native=False,
    arch_in_source=False,
    own_units=False,
)
MANAGER_JUDGEMENT = ManagerJudgement(tool="toy", commands=ToyCommands(), query=_UNUSED)


def family(root: Path) -> Family:
    """The manager of hosts that have `root`. What these tests do not come to does nothing."""
    nothing = cast(Any, SimpleNamespace(DIRECTORY="/var/cache/toy", NAMED="", OWNED=""))
    return Family(
        name="toy",
        format=FORMAT,
        own=f"[ -e {root}/toys ]",
        manager=ToyManager(),
        transactions=ToyTransactions(),
        facts=ToyFacts(root),
        probe=nothing,
        belongings=nothing,
        preview=ToyPreview(root),
        rehearsal=nothing,
        cache=nothing,
        files=nothing,
        delivery=ToyDelivery(),
        repositories=ToyRepositoryFiles(),
        origins=ToyOrigins(),
        configuration=nothing,
        remedies=Remedies(
            "toy", "toy mend", "toy try", "toy sources", "toy free", "toy update", "toy clean", ".toy", ""
        ),
        judgement="tests.house.test_third_manager:MANAGER_JUDGEMENT",
    )


class ToyHost(Host):
    """This machine, as far as toys are concerned. Of the script of all facts only the branch of the manager runs."""

    def __init__(self, root: Path, toy: Family) -> None:
        self.root, self.toy = root, toy

    @property
    def name(self) -> str:
        return "box1"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        facts = argv[2] == gather.script()
        if facts:
            assert f"if {self.toy.own}; then\n{self.toy.facts.SCRIPT}elif" in argv[2]
            texts = {"os": "ID=toyland", "kernel": "6.1"}
            parts = "".join(f"echo '{texts.get(part, '')}'; mark {part} 0\n" for part in PARTS)
            told = f'{SHELL}echo "facts 1 $boundary"; mark begin 0\n{parts}{self.toy.facts.SCRIPT}mark end 0\n'
            argv = (*argv[:2], told, *argv[3:])
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ToyHost]:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "old.toys").touch()
    (tmp_path / "toys").write_text("ball 1\ndoll 3\n")
    with registry.registered(family(tmp_path)) as toy:
        yield ToyHost(tmp_path, toy)  # type: ignore[abstract]


def plan_of(host: ToyHost, directory: Path) -> tuple[Plan, HostFacts]:
    (directory / "toys.yaml").write_text(SCENARIO)
    wanted = loader.load(str(directory / "toys.yaml"))
    inventory = [SimpleNamespace(name="box1", groups=("lab",), data={})]
    facts = {"box1": gather.gather(host)}
    (request,) = upgrade.requests(wanted, inventory, facts).values()
    assert request.manager == "toy"
    seen = {"box1": preview(host, request.repositories, request.packages, request.narrow, manager=request.manager)}
    assert not [one for one in findings.findings(wanted, inventory, facts, seen) if one.severity == "blocking"]
    return upgrade.plan_upgrade(wanted, inventory, facts, seen), facts["box1"]


def test_its_hosts_have_facts(host: ToyHost) -> None:
    facts = gather.gather(host)
    assert (facts.os.manager, facts.os.family, facts.os.arch) == ("toy", "toy", "toybox")
    assert [f"{one.key} {one.version}" for one in facts.packages] == ["ball:any 1", "doll:any 3"]
    assert codec.loads(codec.dumps(facts), HostFacts) == facts
    assert package_digest(host) == digest_of_packages(facts.packages)


def test_it_is_planned_for_with_steps_that_carry_its_name(host: ToyHost, tmp_path: Path) -> None:
    plan, facts = plan_of(host, tmp_path)
    steps = [step for _, _, step in plan.steps()] + [
        gate for wave in plan.waves for one in wave.gates for gate in one.steps
    ]
    kinds = (SetPackages, DownloadPackages, CaptureState, AuditClean)
    carrying = [step for step in steps if isinstance(step, kinds)]
    assert {type(step) for step in carrying} == set(kinds)
    assert {(step.manager, step.family) for step in carrying} == {("toy", "toy")}
    (packages,) = (step for step in steps if isinstance(step, SetPackages))
    assert packages.want == (PackageWant("ball", "any", "2", "installed"),)
    assert [step.path for step in steps if isinstance(step, SetRepository)] == [
        "/etc/toy/new.toys",
        "/etc/toy/old.toys",
    ]
    assert codec.loads(codec.dumps(plan), Plan) == plan
    (question,) = reversibility.questions(plan, {"box1": facts}).values()
    assert question.manager == "toy" and question.old == {PackageFile("toy", "ball", "any", "1")}


def back(host: ToyHost, *, ball: str = "1") -> tuple[Manifest, HostFacts]:
    """The way back from two changed toys and a new one, where version `ball` of one can be had."""
    then = gather.gather(host)
    (host.root / "toys").write_text("ball 2\nbat 1\ndoll 3\n")
    now = gather.gather(host)
    return Nearest()(then, now, catalog([Candidate("ball", "any", ball, "old.toys")]), {"snapshot": "s1"}), now


def test_its_way_back_is_a_manifest_like_any_other(host: ToyHost) -> None:
    manifest, now = back(host)
    assert (manifest.family, manifest.problems, manifest.deviations) == ("toy", (), ())
    assert lines(manifest) == ("ball=1", "bat-")
    assert read(codec.dumps(document(manifest)), "manifest") == manifest
    assert changes_in_text({"box1": manifest}) == "box1:\n  downgrade ball 2 -> 1\n  remove bat 1"
    assert commands.of_host(manifest, "toy", now) == ("toy install ball=1 bat=",)
    assert commands.words(manifest, "toybox") == ("ball=1", "bat-")
    with pytest.raises(InvalidInput, match="apt cannot take them back"):
        commands.of_list(manifest, "apt", "toybox")


def test_a_version_that_cannot_be_had_is_a_deviation_of_its_manifest(host: ToyHost) -> None:
    manifest, _ = back(host, ball="0")
    (deviation,) = manifest.deviations
    assert (deviation.rule, deviation.packages) == ("unobtainable", ("ball",))


def test_its_indexes_are_known_by_their_content(host: ToyHost, tmp_path: Path) -> None:
    (tmp_path / "index").write_text("ball 1\n")
    name, offered = index_files.read(tmp_path / "index")
    assert (name, [one.name for one in offered]) == ("toy", ["ball"])


def test_a_format_without_a_judgement_cannot_be_taken_back(tmp_path: Path) -> None:
    plain = replace(family(tmp_path), format=replace(FORMAT, judgement=""))
    with registry.registered(plain), pytest.raises(InvalidInput, match="toy packages cannot be computed"):
        judgement_of("toy")


def test_a_manager_of_a_known_format_brings_only_its_own(tmp_path: Path) -> None:
    with registry.registered(replace(family(tmp_path), name="sister", format=RPM)):
        assert list(tools_of("rpm")) == ["dnf", "toy"] and list(tools_of("deb")) == ["apt"]
        assert manager_judgement("sister") is MANAGER_JUDGEMENT and judgement_of("rpm").packages == "rpm packages"
        assert registry.manager_of("rpm") == "dnf4", "what names the format alone means its first manager"


def test_its_package_files_have_names_of_its_own(host: ToyHost) -> None:
    assert PackageFile("toy", "ball", "any", "1").file_name == "ball_1_any.toy"
    with pytest.raises(InvalidInput, match="no word"):
        PackageFile("toy", "../ball", "any", "1")


def test_what_is_not_registered_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no package manager that is known") as refusal:
        registry.family_of("toy")
    assert refusal.value.hint == "one of apt, dnf4"
    with pytest.raises(InvalidInput, match="no format"):
        format_of("toy")


def test_a_name_is_given_once(host: ToyHost) -> None:
    with pytest.raises(InvalidInput, match="manager toy already"):
        registry.register(host.toy)


@pytest.mark.parametrize(("format", "manager"), [("deb", "apt"), ("rpm", "dnf4")])
def test_what_was_written_without_a_manager_has_its_formats_first(format: str, manager: str) -> None:
    old = f'{{"kind":"gate_audit","timeout":0.0,"family":"{format}"}}'
    assert codec.loads(old, AuditClean) == AuditClean(manager=manager)
    assert AuditClean(family=format) == AuditClean(manager=manager)
