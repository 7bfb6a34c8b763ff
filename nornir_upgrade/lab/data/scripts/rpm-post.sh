echo "post $package $evr $1" >> /var/log/lab-scriptlets.log
# Faults that a test asks for: a wait, or the death of what runs the transaction (rpm or dnf, our parent).
if [ -e "/run/lab-fault/slow-$package" ]; then
    sleep "$(cat "/run/lab-fault/slow-$package")"
fi
asked="/run/lab-fault/kill-$package"
if [ -e "$asked" ] && { [ ! -s "$asked" ] || grep -qx "$release" "$asked"; }; then
    kill -KILL "$PPID"
    exit 1
fi
