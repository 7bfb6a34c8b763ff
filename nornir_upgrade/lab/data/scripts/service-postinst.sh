# As dh_installsystemd(1) has it: enable on first installation, respect a choice made since, start or restart.
unit=$DPKG_MAINTSCRIPT_PACKAGE.service
case $1 in
configure|abort-upgrade|abort-deconfigure|abort-remove)
    deb-systemd-helper unmask "$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$unit"; then
        deb-systemd-helper enable "$unit" >/dev/null || true
    else
        deb-systemd-helper update-state "$unit" >/dev/null || true
    fi
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke "$action" "$unit" >/dev/null || true
    fi
    ;;
esac
