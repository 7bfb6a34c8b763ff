"""Lab: the verbs up, status, ssh and down of `nornir-upgrade lab`."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from nornir_upgrade.console.exit_codes import Verbs
from nornir_upgrade.console.options import GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import printable
from nornir_upgrade.core.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from nornir_upgrade.lab.host import HostStatus
    from nornir_upgrade.lab.lab import Lab


@click.group(cls=Verbs)
def lab() -> None:
    """Run a small real fleet on this machine.

    The fleet `demo` has Debian and RPM hosts in namespaces. They run an old release, and have the repositories of a new one.
    The fleet `ordinary` has servers of Debian 12, and Debian's archive to upgrade from.
    """


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab up
  nornir-upgrade lab up ordinary
  rollback -c .lab/ordinary/config.yaml snapshot"""
)
@click.argument("fleet", default="demo", type=click.Choice(("demo", "ordinary")))
@flags(*GENERAL)
def up(flags: Flags, fleet: str) -> None:
    """Start FLEET; build what is missing.

    `demo` is the default: the seven hosts of the example inventory. `ordinary` is six servers of Debian 12 with web servers,
    databases and mail. Their inventory is written into the lab's directory, and its path is printed. Both fleets may run at the
    same time. Hosts that run already are left alone. Needs root.
    """
    screen = Screen(flags)
    lab = _lab(flags, screen)
    (_start_ordinary if fleet == "ordinary" else _start_demo)(lab, screen)
    _show(screen, lab.status())


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab status -o json"""
)
@flags(*GENERAL)
def status(flags: Flags) -> None:
    """List the hosts of the lab, and whether they run."""
    screen = Screen(flags)
    _show(screen, _lab(flags, screen).status())


@lab.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  nornir-upgrade lab ssh ctl1
  nornir-upgrade lab ssh cmp1 systemctl status nova-compute""",
)
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@flags(*GENERAL)
def ssh(flags: Flags, host: str, command: tuple[str, ...]) -> NoReturn:
    """Open a shell on HOST, or run COMMAND there.

    The user is root. On a host where root may not log in, it is another one (web2: ops).
    """
    lab = _lab(flags, Screen(flags))
    names = [status.name for status in lab.status()]
    if host not in names:
        raise UnknownName("host in the lab", host, names)
    sys.stdout.flush()
    try:
        os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), "--", host, *command])
    except FileNotFoundError:
        raise InvalidInput("there is no ssh on this machine", hint="apt-get install openssh-client") from None


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab down
  nornir-upgrade lab down --purge"""
)
@click.option("--purge", is_flag=True, help="Remove the cache of bases and downloads as well.")
@flags(*GENERAL)
def down(flags: Flags, purge: bool) -> None:
    """Remove the lab.

    Its processes, mounts, namespaces and files are removed, also after a crash. Removing it twice does no harm.
    """
    screen = Screen(flags)
    lab = _lab(flags, screen)
    lab.down(purge=purge)
    screen.result({"hosts": []}, "The lab is removed.")


def _start_demo(lab: "Lab", screen: Screen) -> None:
    from nornir_upgrade.lab import provision
    from nornir_upgrade.lab.rpm import provision as rpm_provision

    for provisioner in (provision, rpm_provision):
        provisioner.up(lab, lambda text: screen.note(printable(text)))


def _start_ordinary(lab: "Lab", screen: Screen) -> None:
    import time

    from nornir_upgrade.lab.ordinary import fleet

    begin = time.monotonic()
    config = fleet.up(lab, lambda text: screen.note(printable(text)))
    screen.note(f"the ordinary fleet is up after {time.monotonic() - begin:.0f} s")
    screen.note(f"its configuration and inventory: {printable(str(config))} (nornir-upgrade -c FILE …)")


def _lab(flags: Flags, screen: Screen) -> "Lab":
    from nornir_upgrade.config import settings
    from nornir_upgrade.lab.lab import Lab

    return Lab(settings.lab_directory(flags.config), progress=lambda text: screen.note(printable(text)))


def _show(screen: Screen, hosts: "tuple[HostStatus, ...]") -> None:
    from nornir_upgrade.core import codec

    rows = [
        (host.name, host.base, host.state, f"{host.address}:{host.port}", "yes" if host.linked else "cut off")
        for host in hosts
    ]
    text = (
        columns(("host", "base", "state", "ssh", "network"), rows) if rows else "There is no lab: nornir-upgrade lab up"
    )
    screen.result({"hosts": codec.to_builtins(hosts)}, text)
