"""What goes wrong while a real fleet is upgraded: connections, controllers, hosts and locks that go at the worst moment."""

import json
import sys
import time
from pathlib import Path

import pytest

from tests.lab.picture import differences, take
from tests.lab.site import GROUPS, ONE, SCENARIO, Site

pytestmark = pytest.mark.lab

LIBRARY = "python-nova"
"""The first package of the transaction on a compute node that is configured: the others wait for it."""
RUN = ("run", SCENARIO, "--yes", *ONE)

# The listener and every session. The one that types this goes too, so that it is done by a process that stays.
_NO_SSHD = "setsid -f sh -c 'sleep 0.2; kill -9 $(pidof sshd)' >/dev/null 2>&1"
_HOLD_LOCK = """\
import fcntl, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
_LITTLE_PATIENCE = """\
import sys
from nornir_upgrade.core.packaging import lock
lock.LOCK_WAIT = 2
from nornir_upgrade.cli import main
sys.argv[0] = "nornir-upgrade"
main()
"""


def assert_forward(site: Site, transactions: int) -> None:
    """cmp1 has the new release, installed by one transaction more than the `transactions` there were, and is whole."""
    assert '"release": "icehouse"' in site.text("cmp1", "curl", "-s", "http://localhost:18003/")
    assert site.transactions("cmp1", "nova-compute") == transactions + 1
    assert site.text("cmp1", "dpkg", "--audit") == ""
    assert site.text("cmp1", "ls", "/usr/sbin/policy-rc.d") == ""
    assert site.runs()[-1]["status"] == "succeeded"


# ---------------------------------------------------------------------- connections


def test_sshd_is_killed_while_apt_runs(small: Site) -> None:
    before = small.transactions("cmp1", "nova-compute")
    small.plant("cmp1", f"slow-{LIBRARY}", "4")
    listener = small.text("cmp1", "systemctl", "show", "-p", "MainPID", "ssh")
    run = small.start("nornir-upgrade", *RUN)
    small.await_script("cmp1", LIBRARY)
    small.lab.run("cmp1", ["sh", "-c", _NO_SSHD], check=False)
    small.await_true(lambda: small.text("cmp1", "systemctl", "is-active", "ssh") == "active\n")
    assert small.text("cmp1", "systemctl", "show", "-p", "MainPID", "ssh") != listener, "sshd was not killed"
    assert run.process.poll() is None, run.said
    done = run.end()
    assert done.status == 0, done.said
    assert_forward(small, before)


def test_the_network_is_gone_while_apt_runs(small: Site) -> None:
    before = small.transactions("cmp1", "nova-compute")
    small.plant("cmp1", f"slow-{LIBRARY}", "3")
    run = small.start("nornir-upgrade", *RUN)
    small.await_script("cmp1", LIBRARY)
    small.lab.link("cmp1", False)
    time.sleep(5)
    assert run.process.poll() is None, run.said
    small.lab.link("cmp1", True)
    done = run.end()
    assert done.status == 0, done.said
    assert_forward(small, before)


def test_unreachable_hosts_are_all_named_and_nothing_is_changed_anywhere(site: Site) -> None:
    before = take(site.lab, GROUPS)
    done = {name: site.transactions(name) for name in GROUPS}
    site.lab.link("net1", False)
    site.lab.link("cmp2", False)
    refused = site.forward(status=30)
    told = refused.err.partition("error:")[2]
    assert "net1 (" in told and "cmp2 (" in told and "not reached: net1, cmp2" in told
    assert "nothing was changed" in told and "no answer" in told and "ctl1" not in told
    assert site.runs() == []
    site.lab.link("net1", True)
    site.lab.link("cmp2", True)
    assert differences(before, take(site.lab, GROUPS)) == []
    assert {name: site.transactions(name) for name in GROUPS} == done


def test_a_host_that_shows_another_key_is_refused_and_not_taken_for_unreachable(small: Site) -> None:
    (entry,) = (one for one in small.lab.status() if one.name == "cmp1")
    lines = small.lab.known_hosts.read_text().splitlines()
    place = f"[{entry.address}]:{entry.port}"
    (own,) = (line for line in lines if line.startswith(f"{place},"))
    (other,) = (line for line in lines if ",cmp2 " in line)
    keys = small.directory / "keys"
    extras = {"key_file": str(small.lab.key), "use_keys": True, **small.known_hosts(keys)}
    small.configure(connection={"username": "root", "extras": extras})

    keys.write_text(f"{place} {other.partition(' ')[2]}\n")
    changed = small.forward(*ONE, status=30).err
    assert "cmp1 (" in changed and "showed another host key" in changed and "no answer" not in changed
    keys.write_text("")
    unknown = small.forward(*ONE, status=30).err
    assert "unknown host key" in unknown and "ssh-keyscan" in unknown and "no answer" not in unknown
    keys.write_text(f"{place} {own.partition(' ')[2]}\n")
    small.upgrade("plan", SCENARIO, *ONE)


# ---------------------------------------------------------------------- controllers


def test_a_controller_killed_while_apt_runs_leaves_a_job_that_is_followed(small: Site) -> None:
    before = small.transactions("cmp1", "nova-compute")
    small.plant("cmp1", f"slow-{LIBRARY}", "5")
    run = small.start("nornir-upgrade", *RUN)
    small.await_script("cmp1", LIBRARY)
    run.kill()
    resumed = small.start("nornir-upgrade", "resume", "--yes")
    small.await_true(lambda: "Go on with it" in resumed.said or "forward service-by-service" in resumed.said)
    assert small.lab.run("cmp1", ["pgrep", "-f", f"[d]pkg/info/{LIBRARY}.postinst"], check=False).returncode == 0, (
        "the job was over before it could be followed: make it slower"
    )
    done = resumed.end()
    assert done.status == 0, done.said
    assert_forward(small, before)


def test_a_second_controller_is_refused_by_name(small: Site) -> None:
    small.plant("cmp1", f"slow-{LIBRARY}", "4")
    run = small.start("nornir-upgrade", *RUN)
    small.await_script("cmp1", LIBRARY)
    for second in (small.forward(*ONE, status=11), small.rollback("apply", "--yes", status=11)):
        assert str(run.process.pid) in second.err and f"nornir-upgrade run {SCENARIO}" in second.err
    assert "is open" in small.upgrade("status").out, "looking must be possible meanwhile"
    assert run.end().status == 0


def test_the_first_interrupt_lets_the_step_finish_and_the_run_can_go_on(small: Site) -> None:
    before = small.transactions("cmp1", "nova-compute")
    small.plant("cmp1", f"slow-{LIBRARY}", "5")
    run = small.start("nornir-upgrade", *RUN)
    small.await_script("cmp1", LIBRARY)
    run.interrupt()
    done = run.end()
    assert done.status == 130, done.said
    assert "nornir-upgrade resume" in done.err and "nornir-upgrade unwind" in done.err
    assert "install ok installed" in small.text("cmp1", "dpkg-query", "-W", "-f", "${Status}", "nova-compute")
    assert small.text("cmp1", "systemctl", "is-active", "nova-compute") == "inactive\n", "the next step was begun"
    small.upgrade("resume", "--yes")
    assert_forward(small, before)


# ---------------------------------------------------------------------- hosts


def _lose_power(site: Site) -> None:
    """Afterwards the run stands open: cmp1 lost its power while dpkg configured, and came back."""
    site.configure(ours={"reconnect": 30})
    site.plant("cmp1", f"slow-{LIBRARY}", "60")
    run = site.start("nornir-upgrade", *RUN)
    site.await_script("cmp1", LIBRARY)
    site.lab.kill("cmp1")
    site.lab.start("cmp1")  # /run is empty again: the fault is gone
    assert "nornir-upgrade" in site.text("cmp1", "cat", "/usr/sbin/policy-rc.d"), "the guard was not there to be left"
    assert "half-configured" in site.text("cmp1", "dpkg-query", "-W", "-f", "${db:Status-Status}", LIBRARY)
    done = run.end()
    assert done.status == 3, done.said
    assert site.runs()[-1]["status"] == "open"


def test_a_host_that_lost_its_power_while_apt_ran_goes_on(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    _lose_power(small)
    small.upgrade("resume", "--yes")
    assert '"release": "icehouse"' in small.text("cmp1", "curl", "-s", "http://localhost:18003/")
    assert small.text("cmp1", "dpkg", "--audit") == "" and small.text("cmp1", "ls", "/usr/sbin/policy-rc.d") == ""
    small.rollback("apply", "--yes", *ONE)
    assert differences(before, take(small.lab, ["cmp1"])) == []


def test_a_host_that_lost_its_power_while_apt_ran_goes_back(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    _lose_power(small)
    small.upgrade("unwind", "--yes")
    assert differences(before, take(small.lab, ["cmp1"])) == []


def test_a_host_that_lost_its_power_before_apt_ran_goes_on(small: Site) -> None:
    """It starts its services again, in the old release: they must not run on while their packages change."""
    before = small.transactions("cmp1", "nova-compute")
    small.configure(ours={"reconnect": 30})
    small.upgrade(*RUN, "--stop-after", "1", status=3)
    _hold_dpkgs_lock(small)
    run = small.start("nornir-upgrade", "resume", "--yes")
    small.await_true(lambda: "capture /etc, accounts" in run.said.partition("wave 2/4 begins")[2])
    time.sleep(1)
    assert small.text("cmp1", "systemctl", "is-active", "nova-compute") == "inactive\n"
    small.lab.kill("cmp1")
    small.lab.start("cmp1")
    assert run.end().status == 3
    small.await_true(lambda: "havana" in small.text("cmp1", "curl", "-s", "http://localhost:18003/"))
    small.upgrade("resume", "--yes")
    assert_forward(small, before)


# ---------------------------------------------------------------------- locks


def _hold_dpkgs_lock(site: Site) -> int:
    """A process on cmp1 has dpkg's lock; its process id there."""
    site.lab.run("cmp1", ["tee", "/root/hold.py"], _HOLD_LOCK.encode())
    site.lab.run("cmp1", ["sh", "-c", "setsid -f python3 /root/hold.py >/root/held 2>&1"])
    site.await_true(lambda: site.text("cmp1", "cat", "/root/held") == "held\n")
    return int(site.text("cmp1", "pgrep", "-f", "[h]old.py"))


def test_a_locked_dpkg_is_waited_for(small: Site) -> None:
    before = small.transactions("cmp1", "nova-compute")
    holder = _hold_dpkgs_lock(small)
    run = small.start("nornir-upgrade", *RUN)
    small.await_true(lambda: "wave 1/4 begins: prepare" in run.said)
    time.sleep(3)
    assert run.process.poll() is None, run.said
    assert small.text("cmp1", "systemctl", "is-active", "nova-compute") == "active\n", "nothing stops that cannot go on"
    assert small.transactions("cmp1", "nova-compute") == before
    small.lab.run("cmp1", ["kill", str(holder)])
    done = run.end()
    assert done.status == 0, done.said
    assert_forward(small, before)


def test_who_keeps_dpkg_locked_is_named(small: Site, tmp_path: Path) -> None:
    impatient = tmp_path / "impatient.py"
    impatient.write_text(_LITTLE_PATIENCE)
    before = small.transactions("cmp1")
    holder = _hold_dpkgs_lock(small)
    run = small.start(Path(sys.executable).name, str(impatient), *RUN, "-o", "json")
    done = run.end()
    assert done.status == 3, done.said
    (failure,) = json.loads(done.out)["failures"]
    assert "package-manager-locked" in failure["error"] and f"python3 (pid {holder})" in failure["error"]
    assert small.transactions("cmp1") == before
    small.lab.run("cmp1", ["kill", str(holder)])
    small.upgrade("resume", "--yes")
