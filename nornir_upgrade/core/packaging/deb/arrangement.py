"""The order in which apt carries a transaction out: its own where that keeps the host usable at every moment, else ours.

apt knows no order for a downgrade: on the way from Debian 13 to 12 it unpacked the old libc6 first, and from then on no program
of the host started. So its order is held against the vital set (`unpack_check`), and where it fails, apt is given one that
does not (`unpack_order`), by the planner protocol that it has for that. The order that is carried out is the one that was checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import UnsafeOrder
from nornir_upgrade.core.packaging.arrangement import SIMULATION_LIMIT, Arrangement, Simulation
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import SHELL, new_boundary, split

from . import apt, eipp, file_guard, unpack_check, unpack_order
from .transition import Action, Transition
from .vital import protected

# `$1` is apt-get, what follows its simulation. apt writes its planner's question where it is told, if it is of 1.3 or later. Where the
# disk is full it fails, and need not say of what: what it says is kept in memory, and dd(1) says of what.
SIMULATE = (
    SHELL
    + """\
root=$(mktemp -d /var/tmp/nornir-upgrade.XXXXXXXXXX) || exit 1
trap 'rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM
program=$1; shift
mark begin 0
exec 3>&1
errors=$("$program" -o "Dir::Log::Planner=$root/question" "$@" 2>&1 >&3 3>&-); status=$?
exec 3>&-
mark said $status
printf '%s\n' "$errors"
[ $status -eq 0 ] || dd if=/dev/zero "of=$root/room" bs=4096 count=1 status=none 2>&1
mark errors 0
[ ! -s "$root/question" ] || cat "$root/question"; mark question 0
mark end 0
"""
)


@dataclass(frozen=True, slots=True)
class UnpackArrangement(Arrangement):
    """`guarded`: by a dpkg that loses no file and has sshd load itself again; `actions`: in this order, where apt's own is not safe.
    `back`: it is a downgrade."""

    guarded: bool = False
    actions: tuple[Action, ...] = ()
    back: bool = False


def simulate(host: Host, argv: Sequence[str]) -> Simulation:
    """What `argv`, a simulation of apt-get, says, with the question of its order."""
    boundary = new_boundary()
    done = host.run(("sh", "-c", SIMULATE, "sh", boundary, *argv), timeout=SIMULATION_LIMIT, check=False)
    if done.status != 0:
        return Simulation(done)
    sections = split(done.text, boundary)
    section = sections["said"]
    output = section.text.encode("utf-8", "surrogateescape")
    errors = sections["errors"].text.encode("utf-8", "surrogateescape")
    return Simulation(Result(section.status, output, errors), sections["question"].text)


def arrange(host: str, simulation: Simulation, *, downgrade: bool) -> UnpackArrangement:
    """How the simulated transaction is to be carried out. Raises `UnsafeOrder` where no order is known that keeps the host usable."""
    if not simulation.question.strip():
        return UnpackArrangement(guarded=downgrade, back=downgrade)
    transition = eipp.parse(simulation.question)
    return arranged(host, transition, apt.parse_order(simulation.result.text, transition), downgrade=downgrade)


def arranged(host: str, transition: Transition, theirs: Sequence[Action], *, downgrade: bool) -> UnpackArrangement:
    """`arrange`, where apt would do `theirs`."""
    if not protected(transition) & transition.changing:
        return UnpackArrangement(guarded=downgrade, back=downgrade)
    known = unpack_order.precedences(transition)
    groups = unpack_order.locksteps(transition, known)
    if unpack_check.safe(unpack_check.check(transition, theirs, groups)):
        return UnpackArrangement(guarded=True, back=downgrade)
    ours = unpack_order.order(transition, known)
    faults = unpack_check.check(transition, ours, groups)
    if not unpack_check.safe(faults):
        reasons = [str(fault) for fault in faults if fault.rule != "gap"]
        raise UnsafeOrder(
            f"{host}: no order of unpacking keeps this host usable: {'; '.join(reasons[:3])}",
            hint="nothing was done; change fewer packages at a time",
        )
    return UnpackArrangement(guarded=True, actions=ours, back=downgrade)


def as_arranged(arrangement: Arrangement, argv: Sequence[str]) -> tuple[str, ...]:
    """The command that carries `argv`, a call of apt-get, out as arranged; `whole.ORDER` must hold the order by then."""
    if not isinstance(arrangement, UnpackArrangement) or not arrangement.guarded:
        return tuple(argv)
    return file_guard.kept_whole(argv, eipp.PLANNER, planned=bool(arrangement.actions), back=arrangement.back)


def prepare(host: Host, arrangement: UnpackArrangement) -> None:
    """Afterwards the order stands on the host, root's alone."""
    if arrangement.actions:
        host.run(("install", "-d", "-m", "0700", "--", file_guard.HOME))
        host.write(file_guard.ORDER, eipp.answer(arrangement.actions).encode(), mode="0600")
