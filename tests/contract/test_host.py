"""What `Host` promises, on the fake host and on a real one."""

import io
from collections.abc import Callable
from hashlib import sha256

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput, TimedOut
from nornir_upgrade.core.transport.host import FileState, Host
from tests.fake.programs import APPEND, EXIT

ODD = bytes(range(256)) + b"\r\n\0 '\"$`\\ \xff\xfe"


def absent(path: str) -> FileState:
    return FileState(path, "absent")


# ---------------------------------------------------------------------- run


def test_a_command_tells_its_status_and_both_streams_apart(host: Host) -> None:
    result = host.run(("sh", "-c", EXIT, "sh", "7"), check=False)
    assert (result.status, result.stdout, result.stderr) == (7, b"out", b"err")


def test_a_checked_command_that_fails_raises_with_status_and_output(host: Host) -> None:
    with pytest.raises(CommandFailed) as caught:
        host.run(("sh", "-c", EXIT, "sh", "3"))
    assert (caught.value.host, caught.value.status, caught.value.output) == (host.name, 3, "err")


@pytest.mark.parametrize(
    "word", ["", "two words", "it's", '"', "$HOME `id` \\", "-n", "*", "a\nb", "ü€", "; true", "~", "--", "\udcff"]
)
def test_every_argument_arrives_as_it_was_given(host: Host, word: str) -> None:
    assert host.run(("printf", "%s\\n", word, "end")).text == f"{word}\nend\n"


@pytest.mark.parametrize("data", [b"", ODD, ODD * 5000], ids=["nothing", "odd", "more than a pipe holds"])
def test_standard_input_arrives_byte_for_byte(host: Host, data: bytes) -> None:
    assert host.run(("cat",), stdin=data).stdout == data


def test_a_command_that_takes_too_long_is_given_up(host: Host) -> None:
    with pytest.raises(TimedOut):
        host.run(("sleep", "20"), timeout=0.5)
    assert host.run(("printf", "%s", "still here")).text == "still here"


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("data", [b"", b"text\n", ODD], ids=["empty", "text", "odd"])
def test_what_was_written_is_read(host: Host, scratch: str, data: bytes) -> None:
    host.write(f"{scratch}/file", data)
    assert host.read(f"{scratch}/file") == data
    assert host.stat((f"{scratch}/file",))[0].digest == sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["two words", "it's", "$x", "-r", "ü", "a\nb", "*", "tail\\"])
def test_odd_names_are_names_like_any(host: Host, scratch: str, name: str) -> None:
    path = f"{scratch}/{name}"
    host.write(path, b"data")
    assert [one.path for one in host.tree((scratch,))] == [scratch, path]
    assert host.read_many((path,)) == {path: b"data"}
    assert host.stat((path,))[0].kind == "file"
    host.place(absent(path))
    assert host.stat((path,)) == (absent(path),)


def test_a_written_file_has_the_mode_and_owner_asked_for(host: Host, scratch: str) -> None:
    path = f"{scratch}/file"
    host.write(path, b"one", mode="0640", owner="root", group="adm")
    assert host.stat((path,)) == (FileState(path, "file", "0640", "root", "adm", sha256(b"one").hexdigest()),)
    host.write(path, b"two", mode="4755")
    assert host.stat((path,)) == (FileState(path, "file", "4755", "root", "root", sha256(b"two").hexdigest()),)


def test_a_file_cannot_be_written_into_a_directory_that_is_not_there(host: Host, scratch: str) -> None:
    with pytest.raises(CommandFailed):
        host.write(f"{scratch}/no/file", b"")
    assert host.stat((f"{scratch}/no", f"{scratch}/no/file")) == (absent(f"{scratch}/no"), absent(f"{scratch}/no/file"))


def test_writing_over_a_link_replaces_the_link_and_not_what_it_leads_to(host: Host, scratch: str) -> None:
    host.write(f"{scratch}/target", b"old")
    host.place(FileState(f"{scratch}/link", "symlink", "", "root", "root", target="target"))
    host.write(f"{scratch}/link", b"new")
    assert host.read_many((f"{scratch}/target", f"{scratch}/link")) == {
        f"{scratch}/target": b"old",
        f"{scratch}/link": b"new",
    }


def test_a_missing_file_cannot_be_read(host: Host, scratch: str) -> None:
    with pytest.raises(CommandFailed):
        host.read(f"{scratch}/none")


def test_many_files_are_read_at_once_and_what_is_no_file_is_left_out(host: Host, scratch: str) -> None:
    host.write(f"{scratch}/a", ODD)
    host.write(f"{scratch}/b", b"")
    host.place(FileState(f"{scratch}/d", "directory", "0755", "root", "root"))
    asked = [f"{scratch}/{name}" for name in "abcd"]
    assert host.read_many(asked) == {f"{scratch}/a": ODD, f"{scratch}/b": b""}
    assert host.read_many(()) == {}


def test_stat_answers_in_the_order_asked(host: Host, scratch: str) -> None:
    host.write(f"{scratch}/b", b"")
    answer = host.stat((f"{scratch}/z", f"{scratch}/b", scratch))
    assert [(one.path, one.kind) for one in answer] == [
        (f"{scratch}/z", "absent"),
        (f"{scratch}/b", "file"),
        (scratch, "directory"),
    ]
    assert host.stat(()) == ()


def test_a_tree_is_told_whole_and_sorted(host: Host, scratch: str) -> None:
    directory = FileState(f"{scratch}/d", "directory", "0750", "root", "adm")
    link = FileState(f"{scratch}/l", "symlink", "", "root", "root", target="no where/é")
    for state in (directory, link):
        host.place(state)
    host.write(f"{scratch}/d/f", b"x", mode="0600")
    file = FileState(f"{scratch}/d/f", "file", "0600", "root", "root", sha256(b"x").hexdigest())
    (top,) = host.stat((scratch,))
    assert host.tree((scratch,)) == (top, directory, file, link)
    assert host.tree((f"{scratch}/d/f", f"{scratch}/none", f"{scratch}/l")) == (file, link)
    assert host.tree((f"{scratch}/d", f"{scratch}/d/f")) == (directory, file)


def test_a_tree_with_a_pipe_in_it_is_refused(host: Host, scratch: str, make_pipe: Callable[[str], None]) -> None:
    make_pipe(f"{scratch}/pipe")
    with pytest.raises(InvalidInput, match="pipe"):
        host.tree((scratch,))


def test_a_survey_tells_owners_as_numbers_and_passes_over_what_cannot_be_kept(
    host: Host, scratch: str, make_pipe: Callable[[str], None]
) -> None:
    make_pipe(f"{scratch}/pipe")
    host.write(f"{scratch}/f", b"xyz", mode="0600", group="adm")
    host.place(FileState(f"{scratch}/l", "symlink", "", "root", "root", target="no where/é"))
    told = host.survey((scratch, f"{scratch}/none"))
    assert told[1:] == (
        FileState(f"{scratch}/f", "file", "0600", "0", "4", sha256(b"xyz").hexdigest()),
        FileState(f"{scratch}/l", "symlink", "", "0", "0", target="no where/é"),
    )
    assert (told[0].path, told[0].kind, told[1].size) == (scratch, "directory", 3)
    assert host.survey(()) == ()


@pytest.mark.parametrize("name", ["two words", "it's", "$x", "-r", "ü", "a\nb", "*", "tail\\"])
def test_what_was_put_is_surveyed_with_its_owners_and_attributes(host: Host, scratch: str, name: str) -> None:
    xattrs = (("security.capability", "0100000200040000000000000000000000000000"), ("user.note", "00ff0a"))
    file = FileState(f"{scratch}/{name}", "file", "0640", "0", "4", sha256(ODD).hexdigest(), xattrs=xattrs)
    host.put(file, ODD)
    assert host.survey((file.path,)) == (file,)
    assert host.read(file.path) == ODD
    host.write(file.path, b"")
    assert host.survey((file.path,))[0].xattrs == ()


def test_a_directory_is_given_attributes_and_keeps_what_is_in_it(host: Host, scratch: str) -> None:
    directory = FileState(f"{scratch}/d", "directory", "0750", "0", "4", xattrs=(("user.note", "61"),))
    host.place(FileState(directory.path, "directory", "0700", "root", "root"))
    host.write(f"{directory.path}/file", b"")
    host.put(directory, b"")
    assert host.survey((directory.path,))[0] == directory
    assert host.stat((f"{directory.path}/file",))[0].kind == "file"


def test_place_makes_directories_links_and_absences_true_and_twice_is_once(host: Host, scratch: str) -> None:
    wanted = [
        FileState(f"{scratch}/d", "directory", "1770", "root", "adm"),
        FileState(f"{scratch}/d", "directory", "0700", "root", "root"),
        FileState(f"{scratch}/l", "symlink", "", "root", "root", target="one"),
        FileState(f"{scratch}/l", "symlink", "", "root", "root", target="d"),
        FileState(f"{scratch}/l", "symlink", "", "root", "root", target="other"),
        absent(f"{scratch}/l"),
        absent(f"{scratch}/d"),
        absent(f"{scratch}/never"),
    ]
    for state in wanted:
        for _ in range(2):
            host.place(state)
            assert host.stat((state.path,)) == (state,)


def test_place_gives_a_present_file_another_mode_and_owner(host: Host, scratch: str) -> None:
    path = f"{scratch}/file"
    host.write(path, b"x")
    wanted = FileState(path, "file", "0600", "root", "adm", sha256(b"x").hexdigest())
    host.place(wanted)
    assert host.stat((path,)) == (wanted,)


def test_a_directory_that_is_not_empty_stays(host: Host, scratch: str) -> None:
    host.write(f"{scratch}/file", b"")
    host.place(absent(scratch))
    assert host.stat((f"{scratch}/file",))[0].kind == "file"


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_files_go_up_and_down_whole_and_stay_private(host: Host, scratch: str, size: int) -> None:
    data = (ODD * (size // len(ODD) + 1))[:size]
    host.upload(io.BytesIO(data), f"{scratch}/file")
    (state,) = host.stat((f"{scratch}/file",))
    assert (state.mode, state.owner, state.digest) == ("0600", "root", sha256(data).hexdigest())
    sink = io.BytesIO()
    host.download(f"{scratch}/file", sink)
    assert sink.getvalue() == data


def test_what_is_not_there_cannot_be_downloaded(host: Host, scratch: str) -> None:
    with pytest.raises(CommandFailed):
        host.download(f"{scratch}/none", io.BytesIO())


def test_a_command_may_write_more_than_is_kept_in_memory(
    host: Host, scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nornir_upgrade.core.transport.remote.OUTPUT", 1000)
    host.write(f"{scratch}/file", ODD * 100)
    sink = io.BytesIO()
    host.stream(("cat", f"{scratch}/file"), sink)
    assert sink.getvalue() == ODD * 100
    with pytest.raises(CommandFailed):
        host.stream(("cat", f"{scratch}/none"), io.BytesIO())


# ---------------------------------------------------------------------- jobs


def append(path: str, word: str) -> tuple[str, ...]:
    """A command that leaves a trace each time it runs."""
    return ("sh", "-c", APPEND, "sh", path, word)


def test_a_job_runs_its_commands_in_order_and_keeps_both_streams(host: Host, scratch: str, job: str) -> None:
    commands = (append(f"{scratch}/log", "a"), ("printf", "%s", "said"), append(f"{scratch}/log", "b"))
    result = host.job(job, commands)
    assert (result.status, result.stdout) == (0, b"said")
    assert host.read(f"{scratch}/log") == b"ab"


def test_a_job_stops_at_the_first_command_that_fails(host: Host, scratch: str, job: str) -> None:
    commands = (append(f"{scratch}/log", "a"), ("sh", "-c", EXIT, "sh", "5"), append(f"{scratch}/log", "b"))
    result = host.job(job, commands)
    assert (result.status, sorted(result.stdout)) == (5, sorted(b"outerr"))
    assert host.read(f"{scratch}/log") == b"a"


def test_a_job_that_succeeded_is_not_run_again(host: Host, scratch: str, job: str) -> None:
    first = host.job(job, (append(f"{scratch}/log", "a"), ("printf", "%s", "said")))
    assert host.job(job, (append(f"{scratch}/log", "a"), ("printf", "%s", "said"))) == first
    assert host.read(f"{scratch}/log") == b"a"


def test_a_job_that_failed_is_run_anew(host: Host, scratch: str, job: str) -> None:
    path = f"{scratch}/wanted"
    commands = (append(f"{scratch}/log", "a"), ("test", "-e", path))
    assert host.job(job, commands).status == 1
    host.write(path, b"")
    assert host.job(job, commands).status == 0
    assert host.read(f"{scratch}/log") == b"aa"


def test_a_job_that_is_still_running_is_found_again_and_followed(host: Host, scratch: str, job: str) -> None:
    commands = (append(f"{scratch}/log", "a"), ("sleep", "2"), append(f"{scratch}/log", "b"))
    with pytest.raises(TimedOut):
        host.job(job, commands, timeout=0.5)
    assert host.read(f"{scratch}/log") == b"a"
    assert host.job(job, commands).status == 0
    assert host.read(f"{scratch}/log") == b"ab"


def test_a_forgotten_job_is_run_anew_and_others_stay(host: Host, scratch: str, job: str) -> None:
    one, other = f"{job}.1.x", f"{job}.11.x"
    for name in (one, other):
        host.job(name, (append(f"{scratch}/log", name[-3]),))
    host.forget(f"{job}.1.")
    for name in (one, other):
        host.job(name, (append(f"{scratch}/log", name[-3]),))
    assert host.read(f"{scratch}/log") == b"111"
    host.forget(f"{job}.")


def test_a_running_job_is_not_forgotten(host: Host, scratch: str, job: str) -> None:
    commands = (append(f"{scratch}/log", "a"), ("sleep", "2"))
    with pytest.raises(TimedOut):
        host.job(job, commands, timeout=0.5)
    host.forget(job)
    assert host.job(job, commands).status == 0
    assert host.read(f"{scratch}/log") == b"a"


def test_following_waits_for_a_job_that_runs_and_for_no_other(host: Host, scratch: str, job: str) -> None:
    host.follow(job)
    with pytest.raises(TimedOut):
        host.job(job, (("sleep", "2"), append(f"{scratch}/log", "a")), timeout=0.5)
    host.follow(job)
    assert host.read(f"{scratch}/log") == b"a"
    host.follow(job)
    assert host.read(f"{scratch}/log") == b"a"


@pytest.mark.parametrize("word", ["it's", "$HOME", "a\nb", "-n", "", "ü€"])
def test_a_jobs_arguments_arrive_as_given(host: Host, job: str, word: str) -> None:
    assert host.job(job, (("printf", "%s\\n", word),)).text == f"{word}\n"


def test_a_command_that_is_not_there_fails_its_job(host: Host, job: str) -> None:
    assert host.job(job, (("/nowhere/command",),)).status != 0
