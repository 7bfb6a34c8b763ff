# The old name's daemon holds the port, and its package becomes a transitional one that no longer knows of it.
if [ "$1" = install ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop "quantum${DPKG_MAINTSCRIPT_PACKAGE#neutron}.service" >/dev/null || true
fi
