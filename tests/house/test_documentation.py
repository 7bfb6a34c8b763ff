"""The documentation is readable as text, and says of the code what is there: no less, and no more. What is missing is named."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import click
import pytest

from tests.house import known
from tests.house.invocations import unused_exemptions, wrong_invocations
from tests.house.pages import ROOT, Line, Page, Pages, entries, first_table, pages

WIDTH = 100
COMMANDS, SETTINGS, GLOSSARY = "docs/commands.md", "docs/settings.md", "docs/glossary.md"
PREFLIGHT, TROUBLES = "docs/preflight.md", "docs/troubleshooting.md"
HOMES = ("", "nornir_upgrade", "rollback", "docs")
Check = Callable[[Pages], Iterable[str]]


# ---------------------------------------------------------------------- form


def wide_lines(pages: Pages) -> Iterator[str]:
    """Lines that a terminal breaks. A row of a table cannot be wrapped: its cells are held to be short."""
    for line in _lines(pages):
        if len(line.text) > WIDTH and not line.row and not _unbreakable(line.text):
            yield line.wrong(f"{len(line.text)} columns: wrap it at {WIDTH}")


def wide_cells(pages: Pages) -> Iterator[str]:
    for line in _lines(pages):
        for cell in line.cells if line.row else ():
            if len(cell) > WIDTH:
                yield line.wrong(f"a cell of {len(cell)} characters ({cell[:30]}…): move sentences below the table")


def _unbreakable(text: str) -> bool:
    """Whether it is one long link, after the mark of an item at most."""
    return len(text.strip().removeprefix("- ").split()) == 1


def broken_links(pages: Pages) -> Iterator[str]:
    for line in _lines(pages):
        for target in () if line.verbatim else re.findall(r"\]\(([^)\s]+)\)", line.text):
            if not re.match(r"[a-z]+:", target) and not _there(line.page, target, pages):
                yield line.wrong(f"nothing is at {target}: correct the link")


def lost_files(pages: Pages) -> Iterator[str]:
    """A module or a page that is named is there: by its path below the root, a package or docs."""
    for line in _lines(pages):
        for name in () if line.verbatim else line.codes:
            if re.fullmatch(r"[\w/-]+\.(py|md)", name) and not any((ROOT / home / name).exists() for home in HOMES):
                yield line.wrong(f"there is no file {name}: correct or remove it")


def unlinked_pages(pages: Pages) -> Iterator[str]:
    """Who begins with README.md finds every page."""
    for name in pages:
        if name.startswith("docs/") and f"]({name})" not in pages["README.md"].text:
            yield f"README.md: no link leads to {name}: add one"


def _there(page: str, target: str, pages: Pages) -> bool:
    path, _, anchor = target.partition("#")
    name = str(PurePosixPath(page).parent / path) if path else page
    if anchor:
        return name in pages and anchor in {_anchor(title) for _, title in pages[name].headings}
    return (ROOT / name).exists()


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


# ---------------------------------------------------------------------- settings


def settings(pages: Pages) -> Iterator[str]:
    page = pages[SETTINGS]
    yield from _same(page, "`user_defined`", known.defaults(), "key of user_defined")
    yield from _same(page, "Sections of Nornir", known.SECTIONS, "section of config.yaml")
    yield from _same(page, "Hosts, groups and defaults", known.ELEMENT, "key of a host or group")
    yield from _same(page, "Data", known.data_keys(), "key of a host's data")
    yield from _same(page, "Old packages", known.PLACES, "value of keep")


def defaults_of_settings(pages: Pages) -> Iterator[str]:
    found = entries(first_table(pages[SETTINGS].section("`user_defined`")))
    for key, value in known.defaults().items():
        if key in found and found[key].cells[2] != f"`{value}`":
            yield found[key].wrong(f"the default of {key} is {value}")


def extras(pages: Pages) -> Iterator[str]:
    """Those of netmiko are many: what is listed must be its own, and files must be listed, whose paths we resolve."""
    section = pages[SETTINGS].section("Connection")
    listed = entries(first_table(section))
    for name in listed.keys() - known.EXTRAS:
        yield listed[name].wrong(f"netmiko takes no {name}")
    yield from _missing(section, SETTINGS, known.FILES_OF_EXTRAS - listed.keys(), "extra of netmiko")


# ---------------------------------------------------------------------- findings, failures, steps


def findings_of_the_code(_: Pages) -> Iterator[str]:
    """The list of keys is the code's, and the code's alone."""
    where = known.LISTING.relative_to(ROOT)
    for key in sorted(known.made_findings() - known.FINDINGS):
        yield f"{where}: a Finding is made with {key}: add it to WAIVABLE or STRICT"
    for key in sorted(known.FINDINGS - known.texts_elsewhere()):
        yield f"{where}: no Finding is made with {key}: remove it"


def findings(pages: Pages) -> Iterator[str]:
    listed = {key: line for key, line in entries(pages[PREFLIGHT].lines).items() if re.fullmatch(r"[a-z-]+", key)}
    for key in sorted(listed.keys() - known.FINDINGS):
        yield listed[key].wrong(f"the preflight has no finding {key}: correct or remove it")
    yield from _missing(pages[PREFLIGHT].lines, PREFLIGHT, known.FINDINGS - listed.keys(), "finding")
    yield from _same(pages[TROUBLES], "By finding", known.FINDINGS, "finding", whole=True)


def waived_findings(pages: Pages) -> Iterator[str]:
    for line in _lines(pages):
        for key in re.findall(r"[\w-]+", " ".join(re.findall(r"waive: \[(.*?)\]", line.text))):
            if key not in known.WAIVABLE and key != "KEY":
                yield line.wrong(f"{key} is no finding that can be waived: correct it")


def exit_codes(pages: Pages) -> Iterator[str]:
    codes = {str(code) for code in known.codes()}
    yield from _same(pages[TROUBLES], "By exit code", codes, "exit code")
    for line in _lines(pages):
        for told in re.findall(r"\b[Ee]xit(?: codes?)?:? (\d+(?:(?:, | or | and |, or )\d+)*)", line.text):
            for code in re.findall(r"\d+", told):
                if code not in codes:
                    yield line.wrong(f"no command ends with exit code {code}: correct it")


def exit_codes_of_the_help(_: Pages) -> Iterator[str]:
    for reference, code in known.failures().items():
        if code not in known.helped_codes():
            yield f"--help: {reference} ends with exit code {code}: add it to EXIT_CODES"


def references(pages: Pages) -> Iterator[str]:
    yield from _same(pages[TROUBLES], "By reference", known.failures(), "reference of a failure")
    found = entries(pages[TROUBLES].section("By reference"))
    for reference, code in known.failures().items():
        if reference in found and found[reference].cells[1] != str(code):
            yield found[reference].wrong(f"{reference} ends with exit code {code}")


def steps(pages: Pages) -> Iterator[str]:
    yield from _same(pages[GLOSSARY], "Kinds of steps", known.steps(), "kind of step")


# ---------------------------------------------------------------------- verbs and flags


def verbs(pages: Pages) -> Iterator[str]:
    page, there = pages[COMMANDS], known.verbs()
    titles = {title.strip("`") for depth, title in page.headings if depth == 3 and re.match(r"`[a-z]", title)}
    for name in sorted(there.keys() - titles):
        yield f"{COMMANDS}: there is no section on {name}: add one, ### `{name}`"
    for name in sorted(titles - there.keys()):
        yield page.section(f"`{name}`")[0].wrong(f"there is no verb {name}: correct or remove the section")


def flags_of_verbs(pages: Pages) -> Iterator[str]:
    """The synopsis has every flag of the verb, but for those of all verbs, and no other. Each one is explained."""
    page = pages[COMMANDS]
    shared = entries(page.section("Shared flags"))
    for name, verb in known.verbs().items():
        section = page.section(f"`{name}`")
        if section:
            yield from _flags(section, name, verb, shared)
    for flag in sorted(known.general() - shared.keys()):
        yield f"{COMMANDS}: the flag {flag} of every verb is missing: add a row to Every verb"
    every = {flag for verb in known.verbs().values() for flag in known.options(verb)}
    for flag in (flag for flag in shared if flag.startswith("-") and flag not in every):
        yield shared[flag].wrong(f"no verb has {flag}: correct or remove it")


def _flags(section: list[Line], name: str, verb: click.Command, shared: Collection[str]) -> Iterator[str]:
    heading, own, has = section[0], entries(section), set(known.options(verb))
    synopsis = {
        flag for line in section if line.verbatim for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*|-D", line.text)
    }
    for flag in sorted(has - known.general() - synopsis):
        yield heading.wrong(f"the synopsis of {name} lacks {flag}: add it")
    for flag in sorted(synopsis - has):
        yield heading.wrong(f"{name} has no {flag}: remove it from the synopsis")
    for flag in sorted(has - known.general() - own.keys() - set(shared)):
        yield heading.wrong(f"{name} does not say what {flag} is: add a row to its table, or to the shared flags")
    for flag in (flag for flag in own if flag.startswith("--") and flag not in has):
        yield own[flag].wrong(f"{name} has no {flag}: correct or remove it")
    told = " ".join(line.text for line in section)
    for flag in sorted(flag for flag in known.general() - has if flag.startswith("--")):
        if f"`{flag}`" not in told:
            yield heading.wrong(f"{name} does not take {flag}, which every verb takes: say so")


# ---------------------------------------------------------------------- what they have in common


def _lines(pages: Pages) -> Iterator[Line]:
    return (line for page in pages.values() for line in page.lines)


def _same(page: Page, title: str, wanted: Collection[str], what: str, *, whole: bool = False) -> Iterator[str]:
    """What the first table of the section lists, or the `whole` of it, is what the code has."""
    section = page.section(title)
    if not section:
        yield f"{page.name}: there is no section {title}: add it"
        return
    listed = entries(section if whole else first_table(section))
    yield from _missing(section, page.name, set(wanted) - listed.keys(), what)
    for name in (name for name in listed if name not in wanted):
        yield listed[name].wrong(f"the code has no {what} {name}: correct or remove it")


def _missing(section: Sequence[Line], page: str, names: Collection[str], what: str) -> Iterator[str]:
    for name in sorted(names):
        yield f"{page}:{section[0].number}: the {what} {name} is missing: list it here"


CHECKS: tuple[Check, ...] = (
    wide_lines,
    wide_cells,
    broken_links,
    lost_files,
    unlinked_pages,
    settings,
    defaults_of_settings,
    extras,
    findings_of_the_code,
    findings,
    waived_findings,
    exit_codes,
    exit_codes_of_the_help,
    references,
    steps,
    verbs,
    flags_of_verbs,
    wrong_invocations,
    unused_exemptions,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_documentation_is_true(check: Check) -> None:
    wrong = tuple(check(pages()))
    assert not wrong, "\n" + "\n".join(wrong)


A_FLAG = "| `--force` | do not ask about advisory findings; blocking ones always block |"
PLANTED: tuple[tuple[Check, str, str, str, tuple[str, ...]], ...] = (
    (wide_lines, "README.md", "", "word " * 25, ("125 columns",)),
    (wide_cells, "README.md", "", f"| a | {'word ' * 25}|", ("a cell of 124",)),
    (broken_links, "README.md", "", "[x](docs/nowhere.md)", ("nothing is at docs/nowhere.md",)),
    (broken_links, TROUBLES, "", "[x](#nowhere)", ("nothing is at #nowhere",)),
    (lost_files, "README.md", "", "`core/nowhere.py`", ("no file core/nowhere.py",)),
    (unlinked_pages, "README.md", "](docs/state.md)", "](docs/steak.md)", ("no link leads to docs/state.md",)),
    (settings, SETTINGS, "| `keep` |", "| `kept` |", ("user_defined keep is missing", "user_defined kept")),
    (settings, SETTINGS, "| `ssh` |", "| `telnet` |", ("config.yaml ssh is missing", "config.yaml telnet")),
    (settings, SETTINGS, "| `port` |", "| `door` |", ("group port is missing", "group door")),
    (settings, SETTINGS, "| `cloud` |", "| `sky` |", ("data cloud is missing", "data sky")),
    (settings, SETTINGS, "| `both` |", "| `all` |", ("keep both is missing", "keep all")),
    (settings, SETTINGS, "### Data\n", "### Other\n", ("there is no section Data",)),
    (defaults_of_settings, SETTINGS, "| `60` |", "| `61` |", ("default of reconnect is 60",)),
    (extras, SETTINGS, "| `key_file` |", "| `key_filed` |", ("netmiko takes no key_filed", "key_file is missing")),
    (findings, PREFLIGHT, "| `inodes` |", "| `outodes` |", ("finding inodes is missing", "no finding outodes")),
    (findings, TROUBLES, "- `clock-skew`:", "- `clock`:", ("finding clock-skew is missing", "finding clock:")),
    (waived_findings, "README.md", "", "waive: [drift]", ("drift is no finding that can be waived",)),
    (exit_codes, TROUBLES, "| `24` |", "| `25` |", ("exit code 24 is missing", "exit code 25")),
    (exit_codes, "README.md", "", "It ends (exit 20 or 25).", ("no command ends with exit code 25",)),
    (references, TROUBLES, "| `unwound` |", "| `rewound` |", ("failure unwound is missing", "failure rewound")),
    (references, TROUBLES, "| `unwound` | 4 |", "| `unwound` | 5 |", ("unwound ends with exit code 4",)),
    (steps, GLOSSARY, "| `ini` |", "| `init` |", ("step ini is missing", "step init")),
    (
        verbs,
        COMMANDS,
        "### `rollback diff`",
        "### `rollback differ`",
        ("section on rollback diff:", "no verb rollback differ"),
    ),
    (flags_of_verbs, COMMANDS, " [--force]", " [--forced]", ("run lacks --force", "run has no --forced: remove")),
    (flags_of_verbs, COMMANDS, A_FLAG, "| `--forced` | x |", ("what --force is", "run has no --forced: correct")),
    (flags_of_verbs, COMMANDS, "| `--no-color` |", "| `--grey` |", ("--no-color of every verb", "no verb has --grey")),
    (flags_of_verbs, COMMANDS, "| `--serial` |", "| `--cereal` |", ("what --serial is", "no verb has --cereal")),
    (flags_of_verbs, COMMANDS, "This verb does not take `--config`.", "", ("policy does not take --config",)),
    (wrong_invocations, "README.md", "", "`nornir-upgrade start plan.json`", ("nornir-upgrade has no verb start",)),
    (wrong_invocations, "README.md", "", "`rollback escrow peel`", ("rollback escrow has no verb peel",)),
    (wrong_invocations, "README.md", "", "```\n$ rollback diff --serial 1\n```", ("rollback diff has no --serial",)),
    (wrong_invocations, "README.md", "", "`--cereal 1`", ("no verb has --cereal",)),
)


@pytest.mark.parametrize(("check", "name", "old", "new", "told"), PLANTED)
def test_a_planted_mistake_is_reported(check: Check, name: str, old: str, new: str, told: tuple[str, ...]) -> None:
    page = pages()[name]
    assert old in page.text, "the mistake has no place any more: plant another one"
    planted = replace(page, text=page.text.replace(old, new, 1) if old else f"{page.text}\n{new}\n")
    before = set(check(pages()))
    wrong = [one for one in check({**pages(), name: planted}) if one not in before]
    assert all(any(part in one for one in wrong) for part in told), wrong
    assert all(one.startswith(f"{name}:") for one in wrong), wrong


def test_a_finding_that_nobody_lists_or_makes_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "FINDINGS", known.FINDINGS - {"inodes"} | {"gone-by-now"})
    wrong = "\n".join(findings_of_the_code({}))
    assert "made with inodes: add it" in wrong and "made with gone-by-now: remove it" in wrong


def test_a_failure_with_an_exit_code_that_the_help_lacks_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "failures", lambda: {"unwound": 6})
    assert list(exit_codes_of_the_help({})) == ["--help: unwound ends with exit code 6: add it to EXIT_CODES"]


def test_an_exemption_that_nothing_needs_is_reported() -> None:
    assert len(list(unused_exemptions({}))) == 3
