# The first installation takes over what was configured under the old name; rpm keeps it as a local edit.
if [ "$1" = 1 ] && [ -e "$old_conffile" ] && [ ! -e "$conffile" ]; then
    mkdir -p "${conffile%/*}"
    cp -p "$old_conffile" "$conffile"
fi
