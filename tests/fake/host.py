"""A fake host: the `Host` protocol over a file of state, interpreting exactly the commands that steps emit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from nornir_upgrade.core.errors import CommandFailed, TimedOut
from nornir_upgrade.core.store import CHUNK
from nornir_upgrade.core.transport.host import FileState, Result, checked
from tests.fake import dpkg, files, programs, state
from tests.fake.faults import Faults, JobCut
from tests.fake.state import File, Job

_JOB_NAME = re.compile(r"[a-z0-9.-]+")
_CUT = 137  # 128 + SIGKILL, as a shell tells of it


@dataclass(slots=True)
class _Clock:
    """Time that commands pretend to take, in seconds, up to a limit."""

    limit: float
    spent: float = 0.0


class FakeHost:
    """One host, whose state is the file at `path`. Every change is in the file before the method returns.

    A job that was running when the file was written has gone on since, as on a real host: it is brought to its end when
    the file is opened. `faults` says what goes wrong.
    """

    def __init__(self, path: Path, faults: Faults | None = None) -> None:
        self.path = path
        self.state = state.load(path)
        self.faults = faults or Faults()
        self._kept = b""
        for job in self.state.jobs.values():
            if job.status is None:
                self._advance(job, _Clock(float("inf")), watched=False)

    @property
    def name(self) -> str:
        return self.state.name

    def save(self) -> None:
        """Afterwards the file holds the present state."""
        self._kept = state.save(self.state, self.path, self._kept)

    # ------------------------------------------------------------------ commands and jobs

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        self._before(what := _shortly(argv))
        answer = programs.interpret(self.state, programs.Call(tuple(argv), stdin))
        if isinstance(answer, programs.Work):
            answer = self._at_once(answer, _Clock(timeout))
        self._after(what)
        return checked(self.name, argv, answer) if check else answer

    def stream(self, argv: Sequence[str], sink: BinaryIO, *, stdin: bytes = b"", timeout: float = 60.0) -> None:
        sink.write(self.run(argv, stdin=stdin, timeout=timeout).stdout)

    def _at_once(self, work: programs.Work, clock: _Clock) -> Result:
        output, status = work.output, 0
        for operation in work.queue:
            self._pass_time(operation, clock)
            failed, said = programs.perform(self.state, operation)
            output, status = output + said, status or failed
        return Result(status, output, b"")

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        assert _JOB_NAME.fullmatch(name), f"{name!r} is not the name of a job"
        self._before(f"job {name}")
        job = self.state.jobs.get(name)
        if job is None or job.status not in (None, 0):
            job = self.state.jobs[name] = Job([list(command) for command in commands])
            self.save()
        self._advance(job, _Clock(timeout), watched=True)
        self._after(f"job {name}")
        assert job.status is not None
        return Result(job.status, job.output, b"")

    def _advance(self, job: Job, clock: _Clock, *, watched: bool) -> None:
        """Bring a job to its end, one small step after the other, each of them kept."""
        while job.status is None:
            present = job.queue[0][0] if job.queue else ""
            if present:
                self._pass_time(job.queue[0], clock)
                status, output = programs.perform(self.state, job.queue.pop(0))
                job.failed, job.output = job.failed or status, job.output + output
            elif job.started and job.failed:
                job.status = job.failed
            elif job.started:
                job.position, job.started = job.position + 1, False
            elif job.position == len(job.commands):
                job.status = 0
            else:
                self._start(job)
            self.save()
            if watched:
                self._within(job, present)

    def _start(self, job: Job) -> None:
        answer = programs.interpret(self.state, programs.Call(tuple(job.commands[job.position])))
        job.started = True
        if isinstance(answer, programs.Work):
            job.queue, job.output = answer.queue, job.output + answer.output
        else:
            job.failed, job.output = answer.status, job.output + answer.stdout + answer.stderr

    def _within(self, job: Job, done: str) -> None:
        """A job may be cut off after each small step; a dpkg that had more to do leaves its journal behind."""
        try:
            self.faults.meet("within", "job", self.name)
        except JobCut:
            if done in dpkg.OPERATIONS and any(one[0] in dpkg.OPERATIONS for one in job.queue):
                files.make_directories(self.state, files.parent(dpkg.JOURNAL))
                files.put(self.state, dpkg.JOURNAL, File("file"))
            job.status, job.queue = _CUT, []
            self.save()
            raise

    def _pass_time(self, operation: list[str], clock: _Clock) -> None:
        """Time passes only in `sleep`; what does not fit under the limit is left for who follows on."""
        if operation[0] != "sleep":
            return
        wanted = float(operation[1])
        if clock.spent + wanted > clock.limit:
            operation[1] = str(wanted - (clock.limit - clock.spent))
            self.save()
            raise TimedOut(f"{self.name}: took longer than {clock.limit:g} s")
        clock.spent += wanted

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        self._before(f"follow {prefix}")
        for job in [job for name, job in self.state.jobs.items() if name.startswith(prefix)]:
            self._advance(job, _Clock(timeout), watched=True)
        self._after(f"follow {prefix}")

    def forget(self, prefix: str) -> None:
        self._before(f"forget {prefix}")
        ended = [name for name, job in self.state.jobs.items() if name.startswith(prefix) and job.status is not None]
        for name in ended:
            del self.state.jobs[name]
        self._after(f"forget {prefix}")

    # ------------------------------------------------------------------ files

    def stat(self, paths: Sequence[str]) -> tuple[FileState, ...]:
        self._before(f"stat {' '.join(paths)}")
        return tuple(files.look(self.state, path) for path in paths)

    def tree(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        self._before(f"tree {' '.join(roots)}")
        return files.walk(self.state, roots)

    def survey(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        self._before(f"survey {' '.join(roots)}")
        return files.survey(self.state, roots)

    def put(self, state: FileState, data: bytes) -> None:
        self._before(f"put {state.path}")
        owner, group, xattrs = files.named(state.owner), files.named(state.group), list(state.xattrs)
        try:
            if state.kind == "directory":
                files.make_directory(self.state, state.path, state.mode, owner, group)
                self.state.files[state.path].xattrs = xattrs
            else:
                files.put(self.state, state.path, File("file", state.mode, owner, group, data, xattrs=xattrs))
        except OSError as error:
            raise self._refused("tar", error) from None
        self._after(f"put {state.path}")

    def read(self, path: str) -> bytes:
        self._before(f"read {path}")
        try:
            return files.follow(self.state, path).data
        except OSError as error:
            raise self._refused("cat", error) from None

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        self._before(f"read_many {' '.join(paths)}")
        found = {path: self.state.files.get(path, files.NOTHING) for path in paths}
        return {path: file.data for path, file in found.items() if file.kind == "file"}

    def write(self, path: str, data: bytes, *, mode: str = "0644", owner: str = "root", group: str = "root") -> None:
        self._before(f"write {path}")
        try:
            files.put(self.state, path, File("file", mode, files.named(owner), files.named(group), data))
        except OSError as error:
            raise self._refused("mv", error) from None
        self._after(f"write {path}")

    def place(self, state: FileState) -> None:
        self._before(f"place {state.path}")
        try:
            self._place(state)
        except OSError as error:
            raise self._refused("place", error) from None
        self._after(f"place {state.path}")

    def _place(self, wanted: FileState) -> None:
        wanted = replace(wanted, owner=files.named(wanted.owner), group=files.named(wanted.group))
        if wanted.kind == "absent":
            files.remove(self.state, wanted.path)
        elif wanted.kind == "symlink":
            files.put(self.state, wanted.path, File("symlink", "", wanted.owner, wanted.group, target=wanted.target))
        elif wanted.kind == "directory":
            files.make_directory(self.state, wanted.path, wanted.mode, wanted.owner, wanted.group)
        else:
            file = files.follow(self.state, wanted.path)
            file.mode, file.owner, file.group = wanted.mode, wanted.owner, wanted.group

    def download(self, path: str, sink: BinaryIO) -> None:
        sink.write(self.read(path))

    def upload(self, source: BinaryIO, path: str, *, mode: str = "0600") -> None:
        pieces = []
        while piece := source.read(CHUNK):
            pieces.append(piece)
        self.write(path, b"".join(pieces), mode=mode)

    # ------------------------------------------------------------------ moments

    def _before(self, what: str) -> None:
        self.faults.meet("before", what, self.name)

    def _after(self, what: str) -> None:
        """What changed is kept first: a controller may die here, a host does not forget."""
        self.save()
        self.faults.meet("after", what, self.name)

    def _refused(self, command: str, error: OSError) -> CommandFailed:
        return CommandFailed(self.name, command, 1, str(error))


def _shortly(argv: Sequence[str]) -> str:
    """A command as moments and messages name it: scripts are long."""
    return "run " + " ".join(argv).partition("\n")[0][:100]
