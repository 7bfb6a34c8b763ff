"""The journal: durable, owned by one, whole after a crash."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import DigestMismatch, DiskFull, Failure, InvalidInput, JournalLocked, UnknownName
from nornir_upgrade.core.journal import Journal, owned, pick
from nornir_upgrade.core.run import Event
from tests.core.toys import Note, plan_of

PLAN = plan_of({"a": [Note("/tmp/1", "x")]})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "state" / "journal.db")
    yield journal
    journal.close()


def test_a_run_comes_back_as_it_was_written(journal: Journal) -> None:
    run = journal.open_run(PLAN, parent="other", comment="why")
    before = Note("/tmp/1", "old")
    event = journal.append(run.id, "step_started", wave=0, host="a", index=0, text="says", before=before)
    again = journal.run(run.id)
    assert (again.plan, again.parent, again.comment) == (PLAN, "other", "why")
    assert again.events[-1] == event and event.before == before
    assert [one.seq for one in again.events] == sorted(one.seq for one in again.events)
    assert journal.runs() == (again,)


def test_watchers_are_told_after_the_event_is_durable(journal: Journal, tmp_path: Path) -> None:
    found: list[bool] = []

    def look(event: Event) -> None:
        reader = Journal(tmp_path / "state" / "journal.db")
        found.append(event in reader.run(event.run).events)
        reader.close()

    journal.watchers.append(look)
    journal.open_run(PLAN)
    assert found == [True]


def test_a_full_disk_is_told_and_what_was_written_is_whole(journal: Journal) -> None:
    run = journal.open_run(PLAN)
    pages = journal._connection.exec_driver_sql("PRAGMA max_page_count = 1").scalar()  # as many as there are
    journal._connection.rollback()
    with pytest.raises(DiskFull, match="no space left"):
        journal.append(run.id, "step_done", text="x" * 100_000)
    assert pages and journal.run(run.id) == run
    journal._connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    journal._connection.rollback()
    journal.append(run.id, "step_done", text="x" * 100_000)
    assert len(journal.run(run.id).events) == len(run.events) + 1


def test_the_journal_is_private(journal: Journal) -> None:
    journal.open_run(PLAN)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_every_commit_is_synced(journal: Journal) -> None:
    def pragma(name: str) -> object:
        return journal._connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    with journal._lock, journal._connection.begin():
        assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)


@pytest.mark.parametrize(
    ("name", "found"), [("last", "b2"), ("last-1", "b1"), ("last-2", "a1"), ("b1", "b1"), ("a", "a1")]
)
def test_runs_are_named_shortly(name: str, found: str) -> None:
    assert pick("run", name, ["a1", "b1", "b2"]) == found


@pytest.mark.parametrize("name", ["", "b", "c", "last-3", "last-x", "latest"])
def test_a_name_that_means_no_single_run_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        pick("run", name, ["a1", "b1", "b2"])
    assert "a1, b1, b2" in caught.value.hint


def test_a_journal_of_a_newer_version_is_refused(journal: Journal) -> None:
    with journal._lock, journal._connection.begin():
        journal._connection.exec_driver_sql("UPDATE meta SET schema = 99")
    with pytest.raises(InvalidInput, match="newer version"):
        Journal(journal.path)


@pytest.mark.parametrize("content", [b"no database at all\n", None, "directory"])
def test_a_file_that_is_no_whole_journal_is_refused_in_words(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "journal.db"
    if content == "directory":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        made = Journal(path)
        made.open_run(PLAN)
        made.close()
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InvalidInput, match=r"journal\.db is damaged or cannot be used: "):
        Journal(path)


def test_what_a_host_or_a_user_says_in_no_utf_8_is_kept_all_the_same(journal: Journal) -> None:
    run = journal.open_run(PLAN, comment="caf\udce9")
    journal.append(run.id, "host_failed", host="a", error="postinst: na\udcefve")
    found = journal.run(run.id)
    assert (found.comment, found.failures[0].error) == ("caf\\udce9", "postinst: na\\udcefve")


# ---------------------------------------------------------------------- F34, F44: what is read is what was written


def _content(path: Path) -> object:
    with owned(path, "test") as journal:
        return journal.runs(), tuple(journal.snapshot_rows())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, object]:
    """A journal as bytes, and what is in it."""
    path = tmp_path_factory.mktemp("kept") / "journal.db"
    made = Journal(path)
    for number in range(3):
        run = made.open_run(PLAN, comment="a comment", snapshot=f'[{{"host": "a{number}"}}]')
        for _ in range(20):
            made.append(run.id, "step_started", host="a", text="a step", before=Note("/tmp/1", "old"))
    made.close()
    return path.read_bytes(), _content(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bit_that_flipped_is_told_or_makes_no_difference(kept: tuple[bytes, object], data: st.DataObject) -> None:
    whole, content = kept
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal.db"
        path.write_bytes(damaged)
        with suppress(InvalidInput, DigestMismatch):
            assert _content(path) == content


def test_damage_that_sqlite_itself_cannot_put_in_words_is_told(kept: tuple[bytes, object], tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(kept[0].replace(b"CREATE TABLE snapshots", b"CR\xc5ATE TABLE snapshots"))
    with pytest.raises(InvalidInput, match=f"the journal {path} is damaged"):
        _content(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE events SET text = 'other' WHERE seq = 2", "event 2 of run"),
        ("UPDATE events SET error = 'x', seal = '' WHERE seq = 2", "event 3 of run"),
        ("DELETE FROM events WHERE seq = 2", "event 3 of run"),
        ("DELETE FROM events WHERE seq = 4", "the end of run"),
        ("UPDATE runs SET plan = replace(plan, '/tmp/1', '/tmp/2')", "run 2"),
        ("UPDATE snapshots SET document = '[]'", "snapshot 2"),
    ],
)
def test_a_journal_that_somebody_changed_is_refused_where_it_was_changed(
    tmp_path: Path, change: str, told: str
) -> None:
    path = tmp_path / "journal.db"
    made = Journal(path)
    run = made.open_run(PLAN, snapshot='[{"host": "a"}]')
    for number in range(3):
        made.append(run.id, "gate_passed", text=f"gate {number}")
    with made._connection.begin():
        made._connection.exec_driver_sql(change)
    made.close()
    with pytest.raises(DigestMismatch, match=f"^{told}.* in the journal is not what was written"):
        _content(path)


def test_a_run_that_goes_on_while_it_is_read_is_whole(journal: Journal) -> None:
    run = journal.open_run(PLAN)
    reader = Journal(journal.path)
    asked = reader._head

    def slowly(name: str) -> str:
        head = asked(name)
        journal.append(run.id, "gate_passed", text="meanwhile")
        return head

    reader._head = slowly  # type: ignore[method-assign]
    assert [len(reader.run("last").events) for _ in range(3)] == [2, 3, 4]
    reader.close()


def test_a_journal_without_seals_is_read_and_goes_on_with_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    made = Journal(path)
    run = made.open_run(PLAN, snapshot="[]")
    with made._connection.begin():
        for table in ("runs", "events", "snapshots"):
            made._connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN seal")
        made._connection.exec_driver_sql("DROP TABLE heads")
        made._connection.exec_driver_sql("UPDATE meta SET schema = 1")
    made.close()
    with owned(path, "test") as journal:
        journal.append(run.id, "gate_passed", text="later")
        assert [event.text for event in journal.run("last").events] == ["forward toy", "later"]
        with journal._connection.begin():
            journal._connection.exec_driver_sql("UPDATE events SET text = 'other' WHERE seq = 2")
        with pytest.raises(DigestMismatch, match="event 2 of run"):
            journal.run("last")


def test_snapshots_are_kept_in_order(journal: Journal) -> None:
    ids = [journal.keep_snapshot(f'{{"n": {n}}}', run=f"r{n}", label=f"l{n}") for n in range(3)]
    assert tuple(journal.snapshot_rows()) == tuple((ids[n], f"r{n}", f"l{n}", f'{{"n": {n}}}') for n in range(3))


# ---------------------------------------------------------------------- F06: one owner

HOLD = """
import sys
from pathlib import Path
from nornir_upgrade.core.journal import owned
with owned(Path(sys.argv[1]), "run the first"):
    print("owned", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another controller that owns the journal until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "journal.db")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"owned\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_controller_is_refused_and_told_of_the_first(other: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(JournalLocked) as caught, owned(tmp_path / "journal.db", "run the second"):
        pytest.fail("two owners")
    assert "run the first" in caught.value.message and str(other.pid) in caught.value.message
    reader = Journal(tmp_path / "journal.db")
    assert reader.runs() == ()
    reader.close()


def test_the_lock_of_a_dead_controller_is_no_lock(other: subprocess.Popen[bytes], tmp_path: Path) -> None:
    other.kill()
    other.wait()
    with owned(tmp_path / "journal.db", "run the second") as journal:
        assert json.loads((tmp_path / "journal.lock").read_bytes())["pid"] == os.getpid()
        journal.open_run(PLAN)


def test_a_lock_is_free_when_its_block_ends_whatever_happened(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), owned(tmp_path / "journal.db", "one"):
        raise RuntimeError
    with owned(tmp_path / "journal.db", "two") as journal:
        journal.open_run(PLAN)


# ---------------------------------------------------------------------- F07: torn writes


def crashed(directory: Path, count: int) -> tuple[Path, list[str]]:
    """A journal with `count` events as a killed controller leaves it: the write-ahead log not folded in; texts of all events."""
    path = directory / "journal.db"
    script = (
        "import os, sys; from pathlib import Path; from nornir_upgrade.core.journal import Journal\n"
        "from tests.core.test_journal import PLAN\n"
        "journal = Journal(Path(sys.argv[1])); run = journal.open_run(PLAN)\n"
        "[journal.append(run.id, 'gate_passed', text=f'event {n}') for n in range(int(sys.argv[2]))]\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script, str(path), str(count)], cwd=root, check=False)
    assert done.returncode == -9
    return path, ["forward toy", *(f"event {n}" for n in range(count))]


def texts(path: Path) -> list[str]:
    journal = Journal(path)
    try:
        return [event.text for run in journal.runs() for event in run.events]
    finally:
        journal.close()


def test_nothing_that_was_durable_is_lost_by_a_kill(tmp_path: Path) -> None:
    path, written = crashed(tmp_path, 5)
    assert path.with_name("journal.db-wal").stat().st_size > 0
    assert texts(path) == written


@pytest.mark.parametrize("harm", ["cut", "garbled", "zeroed"])
def test_a_torn_last_write_is_ignored_and_older_events_are_whole(tmp_path: Path, harm: str) -> None:
    path, written = crashed(tmp_path, 6)
    log = path.with_name("journal.db-wal")
    whole = log.read_bytes()
    seen = set()
    for back in range(1, len(whole) - 32, 1999):
        head = whole[:-back]
        tail = {"cut": b"", "garbled": bytes(255 - byte for byte in whole[-back:]), "zeroed": bytes(back)}[harm]
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (tmp_path / "torn").mkdir(exist_ok=True)
            source = tmp_path / name
            if source.exists():
                (tmp_path / "torn" / name).write_bytes(source.read_bytes())
        (tmp_path / "torn" / "journal.db-shm").unlink(missing_ok=True)
        (tmp_path / "torn" / "journal.db-wal").write_bytes(head + tail)
        found = texts(tmp_path / "torn" / "journal.db")
        assert found == written[: len(found)], "an older event is not what was written"
        seen.add(len(found))
    assert len(written) > max(seen) > 0 and len(seen) > 3


def test_damage_in_the_middle_is_refused_and_not_read_around(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    run = journal.open_run(PLAN)
    for number in range(200):
        journal.append(run.id, "gate_passed", text=f"event {number} " + "x" * 200)
    journal.close()
    data = bytearray((tmp_path / "journal.db").read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 200] = bytes(200)
    (tmp_path / "journal.db").write_bytes(data)
    with pytest.raises(Failure, match="damaged"):
        texts(tmp_path / "journal.db")
