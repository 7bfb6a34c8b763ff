"""The programs of a fake host: argument vectors, exactly those that steps and tests emit. Any other is a loud failure."""

from collections.abc import Callable
from dataclasses import dataclass

from nornir_upgrade.core.facts import belongings, gather, probe
from nornir_upgrade.core.filesystem import walk
from nornir_upgrade.core.packaging.deb import apt as core_apt
from nornir_upgrade.core.packaging.deb import (
    arrangement,
    download,
    file_guard,
    file_source,
    index_repair,
    preview,
    rehearsal,
    suites,
    transaction,
)
from nornir_upgrade.core.state import reload
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.steps import databases as database_step
from nornir_upgrade.steps import gates
from rollback import edits
from tests.fake import answers, apt, cache, database, dpkg, files, pictures, systemd
from tests.fake.copies import SCRIPTS as COPIES
from tests.fake.index import MIGRATIONS
from tests.fake.state import NOTHING_DONE, File, HostState

OK = Result(0, b"", b"")


@dataclass(frozen=True, slots=True)
class Call:
    """One command: its argument vector, and what it reads."""

    argv: tuple[str, ...]
    stdin: bytes = b""


@dataclass(slots=True)
class Work:
    """What a long command has still to do, in small steps, and what it has said already."""

    queue: list[list[str]]
    output: bytes = b""


Program = Callable[[HostState, Call], Result | Work]


def interpret(state: HostState, call: Call) -> Result | Work:
    """What the command answers, or what it will do step by step. Raises `AssertionError` for a command nobody taught us."""
    if call.argv in MIGRATIONS:
        return _migrate(state, call)
    program = PROGRAMS.get(call.argv[0])
    assert program, f"the fake host knows no command {call.argv!r}"
    return program(state, call)


def perform(state: HostState, operation: list[str]) -> tuple[int, bytes]:
    """Do one small step; returns status and output."""
    act = OPERATIONS[operation[0]]
    return act(state, *operation[1:])


# ---------------------------------------------------------------------- ordinary commands


def _true(state: HostState, call: Call) -> Result:
    return OK


def _false(state: HostState, call: Call) -> Result:
    return Result(1, b"", b"")


def _not_found(state: HostState, call: Call) -> Result:
    return Result(127, b"", b"not found")


def _cat(state: HostState, call: Call) -> Result:
    if len(call.argv) == 1:
        return Result(0, call.stdin, b"")
    try:
        return Result(0, b"".join(files.follow(state, path).data for path in call.argv[1:] if path != "--"), b"")
    except OSError as error:
        return Result(1, b"", f"cat: {error}".encode())


def _printf(state: HostState, call: Call) -> Result:
    form, *arguments = call.argv[1:]
    assert form in ("%s", "%s\\n"), f"the fake printf knows no format {form!r}"
    end = "\n" if form.endswith("n") else ""
    return Result(0, "".join(one + end for one in arguments).encode("utf-8", "surrogateescape"), b"")


def _sleep(state: HostState, call: Call) -> Work:
    return Work([["sleep", call.argv[1]]])


def _test(state: HostState, call: Call) -> Result:
    flag, path = call.argv[1:]
    assert flag == "-e", f"the fake test knows no {flag!r}"
    return OK if path in state.files else Result(1, b"", b"")


def _touch(state: HostState, call: Call) -> Result:
    path = _only_path(call)
    if path not in state.files:
        files.put(state, path, File("file"))
    return OK


def _rm(state: HostState, call: Call) -> Result:
    flag, dashes, *paths = call.argv[1:]
    assert flag in ("-f", "-rf") and dashes == "--", call.argv
    for path in paths:
        for below in files.walk(state, [path])[::-1] if flag == "-rf" else ():
            files.remove(state, below.path)
        files.remove(state, path)
    return OK


def _install(state: HostState, call: Call) -> Result:
    assert call.argv[1:3] == ("-d", "-m") and call.argv[4] == "--", call.argv
    for path in call.argv[5:]:
        files.make_directories(state, path)
        files.make_directory(state, path, call.argv[3], "root", "root")
    return OK


def _only_path(call: Call) -> str:
    assert call.argv[1] == "--" and len(call.argv) == 3, call.argv
    return call.argv[2]


def _slept(state: HostState, seconds: str) -> tuple[int, bytes]:
    return NOTHING_DONE


# ---------------------------------------------------------------------- shells: fixed scripts only


def _sh(state: HostState, call: Call) -> Result | Work:
    """`sh -c SCRIPT sh ARGUMENTS`."""
    flag, script, name, *arguments = call.argv[1:]
    assert (flag, name) == ("-c", "sh"), call.argv
    assert script in SCRIPTS, f"the fake host knows no script {script!r}"
    return SCRIPTS[script](state, Call(tuple(arguments), call.stdin))


def _exit(state: HostState, call: Call) -> Result:
    return Result(int(call.argv[0]), b"out", b"err")


def _append(state: HostState, call: Call) -> Result:
    path, word = call.argv
    file = state.files.setdefault(path, File("file"))
    file.data += word.encode("utf-8", "surrogateescape")
    return OK


def _from_file(state: HostState, call: Call) -> Result | Work:
    path, *argv = call.argv
    if argv[0] == "mariadb":
        return Work([["db-drop", path], ["db-load", path]])
    return interpret(state, Call(tuple(argv), files.follow(state, path).data))


def _wrapped(state: HostState, call: Call) -> Result | Work:
    """A command that runs at low priority."""
    return interpret(state, call)


def _env(state: HostState, call: Call) -> Result | Work:
    """A command with a variable of its own."""
    assert "=" in call.argv[1], call.argv
    return interpret(state, Call(call.argv[2:], call.stdin))


def _nothing(state: HostState, call: Call) -> Result:
    return OK


def _privately(state: HostState, call: Call) -> Result | Work:
    answer = interpret(state, call)
    assert isinstance(answer, Work)
    return answer


def _timeout(state: HostState, call: Call) -> Result:
    """`timeout 5 bash -c CONNECT bash ADDRESS PORT`, as the port gate says it."""
    assert call.argv[2:6] == ("bash", "-c", gates._CONNECT, "bash"), call.argv
    return OK if systemd.listener(state, int(call.argv[7])) else Result(1, b"", b"connection refused")


def _curl(state: HostState, call: Call) -> Result:
    url = call.argv[-1]
    assert call.argv[-2] == "--" and url.startswith("http://"), call.argv
    port = int(url.removeprefix("http://").split("/")[0].rpartition(":")[2])
    unit = systemd.listener(state, port)
    if not unit:
        return Result(7, b"\n000", b"curl: (7) connection refused")
    return Result(0, systemd.answer(state, unit) + b"\n200", b"")


# ---------------------------------------------------------------------- databases


def _mariadb(state: HostState, call: Call) -> Result:
    """The client's queries, by their text."""
    statement = call.argv[-1].removeprefix("--execute=")
    if statement.startswith("SELECT 1 FROM information_schema.schemata"):
        name = statement.split("'")[1]
        return Result(0, b"1\n" if name in state.databases else b"", b"")
    assert statement.startswith("DROP DATABASE `"), f"the fake mariadb knows no {statement!r}"
    state.databases.pop(statement.split("`")[1])
    return OK


def _dump(state: HostState, call: Call) -> Work:
    (path,) = (one.removeprefix("--result-file=") for one in call.argv if one.startswith("--result-file="))
    assert call.argv[-2] == "--databases", call.argv
    # Two steps, so that a job cut in between leaves a dump without its end.
    return Work([["db-dump", call.argv[-1], path, "half"], ["db-dump", call.argv[-1], path, "whole"]])


def _migrate(state: HostState, call: Call) -> Result | Work:
    name = MIGRATIONS[call.argv]
    return Work([["db-widen", name, call.argv[0]], ["db-convert", name, call.argv[0]]])


# ---------------------------------------------------------------------- packages


def _apt_get(state: HostState, call: Call) -> Result | Work:
    arguments = list(call.argv[1:])
    if arguments[-1] == "update":
        (path,) = (one.removeprefix("Dir::Etc::sourcelist=") for one in arguments if "::sourcelist=" in one)
        return apt.update(state, path)
    if dpkg.JOURNAL in state.files and "-s" not in arguments:
        return apt.refused(apt.Refusal("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"))
    request = apt.install_request(state, [one for one in arguments if one != "-s"])
    try:
        solution = apt.solve(state, request)
    except apt.Refusal as refusal:
        return apt.refused(refusal)
    if "-s" in arguments:
        return Result(0, apt.simulated(state, solution), b"")
    return Work(apt.steps(state, request, solution))


def _dpkg(state: HostState, call: Call) -> Result | Work:
    verb, *words = call.argv[1:]
    names = [word.partition(":")[0] for word in words]
    if verb == "--audit":
        return Result(0, dpkg.audit(state), b"")
    if verb == "--configure":
        assert words == ["-a"], call.argv
        return Work([["configure", name] for name in apt.waiting(state)])
    assert verb == "--purge", call.argv
    return Work([[verb, name] for name in names for verb in ("remove", "purge")])


def _apt_mark(state: HostState, call: Call) -> Work:
    verb, *words = call.argv[1:]
    names = [word.partition(":")[0] for word in words]
    if verb in ("auto", "manual"):
        return Work([["mark", name, verb] for name in names])
    return Work([["select", name, {"hold": "hold", "unhold": "install"}[verb]] for name in names])


def _guard(state: HostState, call: Call) -> Result | Work:
    """The command between a policy that keeps units stopped, and its end."""
    policy, units, *argv = call.argv
    assert dpkg.POLICY not in state.files, "the fake host has no administrator's policy"
    for unit in units.split():
        systemd.change(state, "stop", unit.removesuffix(".service"))
    answer = interpret(state, Call(tuple(argv)))
    if isinstance(answer, Work):
        answer.queue = [["policy", policy], *answer.queue, ["policy", ""]]
    return answer


def _kept_whole(state: HostState, call: Call) -> Result | Work:
    """apt-get with another dpkg; packages here have no files in common."""
    _, _, _, _, program, _, option, _, hook, *arguments = call.argv
    assert option.startswith("Dir::Bin::dpkg=") and hook.startswith("DPkg::Pre-Install-Pkgs::="), call.argv
    return interpret(state, Call((program, *arguments)))


def _simulate(state: HostState, call: Call) -> Result:
    """apt-get as it is, of a version that has no planner: it tells no question."""
    boundary, *argv = call.argv
    done = interpret(state, Call(tuple(argv)))
    assert isinstance(done, Result), argv
    said = {"begin": b"", "said": done.stdout, "errors": done.stderr, "question": b"", "end": b""}
    parts = (
        text + f"\n{boundary} {name} {done.status if name == 'said' else 0}\n".encode() for name, text in said.items()
    )
    return Result(0, b"".join(parts), b"")


def _quiet(state: HostState, call: Call) -> Result:
    """Nobody is at work: jobs that were running have ended when a fake host is looked at."""
    if dpkg.POLICY in state.files:
        dpkg.policy(state, "")
    return _merge(state, call)


def _merge(state: HostState, call: Call) -> Result:
    state.files.pop(dpkg.JOURNAL, None)
    return OK


def _conffiles(state: HostState, call: Call) -> Result:
    lines = [f" {path} {digest}\n" for one in state.packages.values() for path, digest in one.conffiles.items()]
    return Result(0, "".join(lines).encode(), b"")


def _finish(state: HostState, call: Call) -> Result:
    """Packages here have no triggers."""
    return OK


def _reload(state: HostState, call: Call) -> Result:
    return systemd.systemctl(state, ("systemctl", "daemon-reload"))


def _listed(state: HostState, call: Call) -> Result:
    return Result(0, b"apt\n" + "".join(f"{line}\n" for line in apt.package_lines(state)).encode(), b"")


def _facts(state: HostState, call: Call) -> Result:
    return answers.facts(state, call.argv[0], call.argv[1:])


def _preview(state: HostState, call: Call) -> Result:
    return answers.preview(state, call.argv[0], list(call.argv[1:]))


def _rehearsal(state: HostState, call: Call) -> Result:
    return answers.rehearsal(state, call.argv[0], list(call.argv[1:]), call.stdin)


def _forget_indexes(state: HostState, call: Call) -> Result:
    """An index that could not be fetched was never there."""
    return OK


def _whole_indexes(state: HostState, call: Call) -> Result:
    """None is damaged."""
    return OK


def _look(state: HostState, call: Call) -> Result:
    """Of the package files asked for, those that repositories offer; the cache is empty."""
    words = call.stdin[: int(call.argv[0])].decode().split()
    return Result(0, apt.shown(state, words).encode() + b"== cache\n/var/cache/apt/archives\n== end\n", b"")


def _cached(state: HostState, call: Call) -> Result:
    return Result(0, cache.listed(state, call.stdin.decode().split()).encode(), b"")


def _drop_cached(state: HostState, call: Call) -> Result:
    cache.drop(state, call.stdin.decode().split())
    return OK


def _download(state: HostState, call: Call) -> Result | Work:
    try:
        return Work(cache.downloads(state, call.argv))
    except apt.Refusal as refusal:
        return apt.refused(refusal)


def _belongings(state: HostState, call: Call) -> Result:
    return answers.belongings(state, call.argv[0], call.stdin)


def _belongings_found(state: HostState, call: Call) -> Result:
    return answers.look(state, call.argv[0], call.stdin)


def _newer(state: HostState, call: Call) -> Result:
    """No file of a fake host has a time: those that `told` names are newer than anything."""
    return Result(0, "".join(f"{path}\0" for path in state.told.get("newer", "").split()).encode(), b"")


def _inspection(state: HostState, call: Call) -> Result:
    return answers.inspection(state, *call.argv)


def _query(state: HostState, call: Call) -> Result:
    return Result(0, apt.query(state), b"")


PROGRAMS: dict[str, Program] = {
    "apt-get": _apt_get,
    "apt-mark": _apt_mark,
    "dpkg": _dpkg,
    "/nowhere/command": _not_found,
    "true": _true,
    "false": _false,
    "cat": _cat,
    "printf": _printf,
    "sleep": _sleep,
    "test": _test,
    "touch": _touch,
    "rm": _rm,
    "install": _install,
    "sh": _sh,
    "env": _env,
    "timeout": _timeout,
    "curl": _curl,
    "mariadb": _mariadb,
    "mariadb-dump": _dump,
    "systemctl": lambda state, call: systemd.systemctl(state, call.argv),
}
APPEND = 'printf "%s" "$2" >>"$1"'
EXIT = 'printf out; printf err >&2; exit "$1"'
SCRIPTS: dict[str, Program] = {
    core_apt.QUERY: _query,
    gather.digest_script(): _listed,
    gather.script(): _facts,
    file_source.LOOK: _look,
    download.LIST: _cached,
    download.DROP: _drop_cached,
    download.DOWNLOAD: _download,
    suites.FORGET: _forget_indexes,
    index_repair.DAMAGED: _whole_indexes,
    probe.script("apt"): _inspection,
    belongings.named_script("apt"): _belongings,
    belongings.look_script("apt"): _belongings_found,
    edits.NEWER: _newer,
    preview.SCRIPT: _preview,
    rehearsal.SCRIPT: _rehearsal,
    transaction.GUARD: _guard,
    file_guard.SCRIPT: _kept_whole,
    arrangement.SIMULATE: _simulate,
    transaction.QUIET: _quiet,
    walk.LOW: _wrapped,
    walk.WALK: _nothing,
    walk.READ: _nothing,
    walk.MEAN: pictures.mean,
    walk.PACK: pictures.pack,
    transaction.MERGE: _merge,
    APPEND: _append,
    EXIT: _exit,
    database_step._FROM_FILE: _from_file,
    database_step._PRIVATELY: _privately,
    transaction.CONFFILES: _conffiles,
    transaction.FINISH: _finish,
    reload.RELOAD: _reload,
    **COPIES,
}
OPERATIONS: dict[str, Callable[..., tuple[int, bytes]]] = {
    "sleep": _slept,
    "db-drop": database.drop,
    "db-load": database.load,
    "db-dump": database.dump,
    "db-widen": database.widen,
    "db-convert": database.convert,
    "fetch": cache.fetch,
    "full": cache.full,
    "begin": dpkg.begin,
    "unpack": dpkg.unpack,
    "configure": dpkg.configure,
    "remove": dpkg.remove,
    "purge": dpkg.purge,
    "policy": dpkg.policy,
    "mark": dpkg.mark,
    "select": dpkg.select,
}
