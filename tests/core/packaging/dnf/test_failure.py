"""What dnf 4 says when it fails, as recorded."""

import pytest

from nornir_upgrade.core.errors import CommandFailed, Failure, PackageManagerLocked, Unobtainable
from nornir_upgrade.core.packaging.dnf.failure import failure
from nornir_upgrade.core.transport.host import Result
from tests.core.packaging.dnf.test_dnf4 import case


@pytest.mark.parametrize(
    "name, status, kind, said",
    [
        ("locked", 200, PackageManagerLocked, r"held by process [0-9]+ \(sleep\)"),
        ("missing", 1, Unobtainable, r"h1: openstack-nova-common-2015.1-1.el7.noarch not found"),
        ("failed_scriptlet", 1, CommandFailed, r"%pre of failpre ended with status 1"),
        (
            "nothing_provides",
            1,
            CommandFailed,
            r"nothing provides nowhere-to-be-had needed by libclash-2.0-1.el7.noarch",
        ),
        ("pulled_in", 1, CommandFailed, r"python-oslo-messaging-1.3.0-1.el7.noarch\", which is not present"),
    ],
)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_cause_is_named(name: str, status: int, kind: type[Failure], said: str, stream: str) -> None:
    text = case(name).encode()
    result = Result(status, *((text, b"") if stream == "stdout" else (b"", text)))
    with pytest.raises(kind, match=said):
        raise failure("h1", result)


def test_a_lock_that_nobody_is_named_for_is_a_lock() -> None:
    assert isinstance(failure("h1", Result(200, b"", b"")), PackageManagerLocked)
