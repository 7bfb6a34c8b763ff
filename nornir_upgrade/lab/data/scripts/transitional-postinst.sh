# The unit is gone with the old package: so must be its links below /etc, and systemd's memory of it.
if [ "$1" = configure ]; then
    deb-systemd-helper purge "$DPKG_MAINTSCRIPT_PACKAGE.service" >/dev/null || true
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
    fi
fi
