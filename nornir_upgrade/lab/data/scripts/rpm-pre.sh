# A failing %pre keeps its package from being installed; a failing %post would be a warning. A file that names a release
# concerns that release's package alone.
asked="/run/lab-fault/fail-$package"
if [ -e "$asked" ] && { [ ! -s "$asked" ] || grep -qx "$release" "$asked"; }; then
    echo "$package: fails, as /run/lab-fault asks" >&2
    exit 1
fi
