# The first installation takes over what was configured under the old name, as a local edit. Not in %pre: by then rpm has
# settled what becomes of each file. Where a .rpmnew lies, the new name was configured already.
if [ "$1" = 1 ] && [ -e "$old_conffile" ] && [ ! -e "$conffile.rpmnew" ]; then
    mv "$conffile" "$conffile.rpmnew"
    cp -p "$old_conffile" "$conffile"
fi
