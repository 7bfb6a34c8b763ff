# %systemd_preun
if [ "$1" = 0 ]; then
    systemctl --no-reload disable $units >/dev/null 2>&1 || :
    systemctl stop $units >/dev/null 2>&1 || :
fi
