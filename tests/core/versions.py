"""Pairs of versions that are hard to order."""

import random

from hypothesis import strategies as st

Pair = tuple[str, str]

DEB = "0001239abzAZ~~~+..--"
INVALID = "_^@!*/:é²β\x7f"
"""What dpkg takes from an old status file only (a colon: where it does not part an epoch), and orders all the same."""
RPM = "0001239abzAZ~~^^+.._-é\n"

DEB_VERSIONS = st.builds(
    lambda epoch, first, upstream, revision: epoch + first + upstream + (f"-{revision}" if revision else ""),
    st.sampled_from(["", "", "0:", "1:", "01:", "10:"]),
    st.sampled_from("0129"),
    st.text("0019abZ~~+.-", max_size=6).map(lambda text: text.rstrip("-")),
    st.text("0019abZ~~+.", max_size=5),
)
FOUND_VERSIONS = st.builds(
    lambda epoch, upstream, revision: epoch + upstream + (f"-{revision}" if revision else ""),
    st.sampled_from(["0:", "1:", "+1:"]),
    st.text("019ab~+." + INVALID, min_size=1, max_size=5),
    st.text("01a~+." + INVALID, max_size=4),
)
RPM_VERSIONS = st.builds(
    lambda epoch, version, release: epoch + version + (f"-{release}" if release else ""),
    st.sampled_from(["", "", "0:", "1:", "01:"]),
    st.text("0019abZ~~^^+._é\n", min_size=1, max_size=6),
    st.text("0019abZ~~^^+._é", max_size=5),
)


def pairs(seed: int, count: int, alphabet: str) -> list[Pair]:
    """`count` pairs of texts, the same ones for the same seed. Most pairs differ in little; some texts are no version."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        one = _version(draw, alphabet)
        other = _version(draw, alphabet) if draw.random() < 0.3 else _mutant(draw, one, alphabet)
        found.append((one, other) if draw.random() < 0.5 else (other, one))
    return found


def _version(draw: random.Random, alphabet: str) -> str:
    epoch = draw.choice(["", "", "", "0:", "1:", "00:", "01:", "2:"])
    first = draw.choice("01259") if draw.random() < 0.9 else draw.choice(alphabet)
    upstream = "".join(draw.choices(alphabet, k=draw.randrange(9)))
    revision = "-" + "".join(draw.choices(alphabet, k=draw.randrange(1, 6)))
    return epoch + first + upstream + revision * (draw.random() < 0.6)


def _mutant(draw: random.Random, text: str, alphabet: str) -> str:
    """`text` with one or two small changes: what is level, or nearly so, shows most."""
    for _ in range(draw.randrange(1, 3)):
        at = draw.randrange(len(text) + 1)
        new = draw.choice(["", *alphabet, "0", "-0", "0:" if at == 0 else "~"])
        text = text[:at] + new + text[at + draw.randrange(2) :]
    return text
