# The first installation takes over what was configured under the old name; dpkg keeps it as a local edit.
if [ "$1" = install ] && [ -z "$2" ] && [ -e /etc/quantum/quantum.conf ] && [ ! -e /etc/neutron/neutron.conf ]; then
    mkdir -p /etc/neutron
    cp -p /etc/quantum/quantum.conf /etc/neutron/neutron.conf
fi
