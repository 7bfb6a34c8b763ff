"""Redaction: passwords in output of hosts are masked, before it is stored and before it is shown."""

import re

# Passwords as services print them: in connection URLs (RFC 3986, userinfo), and as settings or client options.
_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+(?=@)")
_AS_SETTING = re.compile(
    r"(?i)\b((?:[\w-]*(?:password|passwd|secret|token))\s*[=:]\s*|identified by\s+)('[^']*'|\"[^\"]*\"|\S+)"
)
_MASK = "***"


def masked(text: str) -> str:
    """`text` with each password replaced by `***`."""
    return _AS_SETTING.sub(rf"\1{_MASK}", _IN_URL.sub(rf"\1:{_MASK}", text))
