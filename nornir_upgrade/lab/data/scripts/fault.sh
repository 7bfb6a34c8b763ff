# Faults that a test asks for, before anything else is done. A file that names a release concerns that release's package alone.
if [ "$1" = configure ]; then
    fault=/run/lab-fault
    if [ -e "$fault/slow-$DPKG_MAINTSCRIPT_PACKAGE" ]; then
        echo "$DPKG_MAINTSCRIPT_PACKAGE: slow, as /run/lab-fault asks"
        sleep "$(cat "$fault/slow-$DPKG_MAINTSCRIPT_PACKAGE")"
    fi
    asked="$fault/fail-$DPKG_MAINTSCRIPT_PACKAGE"
    if [ -e "$asked" ] && { [ ! -s "$asked" ] || grep -qx "$release" "$asked"; }; then
        echo "$DPKG_MAINTSCRIPT_PACKAGE: fails, as /run/lab-fault asks" >&2
        exit 1
    fi
fi
