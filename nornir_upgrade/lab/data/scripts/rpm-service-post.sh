# %systemd_post: what a first installation enables is for the presets to say.
if [ "$1" = 1 ]; then
    systemctl preset $units >/dev/null 2>&1 || :
fi
