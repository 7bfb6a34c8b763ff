"""A dead controller's job goes on. Undoing its run begins when that job has ended, or it would go on over what was undone."""

from pathlib import Path

import pytest

from nornir_upgrade.core.engine import Policy, execute
from nornir_upgrade.core.errors import TimedOut
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.ini import SetOption
from tests.fake import hosts
from tests.fake.fleet import FakeFleet
from tests.fake.programs import APPEND

CONF = "/etc/nova/nova.conf"


def test_what_a_dead_controller_left_running_ends_before_its_run_is_undone(arena: Path) -> None:
    host = hosts.place(hosts.havana("h1", ("nova-compute",)), arena)
    journal, store = Journal(arena / "journal.db"), Store(arena / "store")
    step = SetOption(CONF, "upgrade_levels", "compute", "havana")
    start = host.read(CONF)
    run = journal.open_run(Plan("forward", "test", (Wave("only", (Work("h1", (step,)),)),)))
    journal.append(run.id, "step_started", wave=0, host="h1", index=0, before=step.observe(host, store))
    with pytest.raises(TimedOut):
        host.job(f"{run.id}.0.0.late", (("sleep", "2"), ("sh", "-c", APPEND, "sh", CONF, "late")), timeout=0.5)

    back = journal.open_run(unwind(journal.run(run.id)), parent=run.id)
    outcome = execute(back, FakeFleet((host,)), journal, store, Policy(max_fail=0), package_digest)

    assert outcome.succeeded
    host.follow(f"{run.id}.")  # time passes: what still ran would end now
    assert host.read(CONF) == start
