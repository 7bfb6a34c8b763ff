# Read after the script of each ordinary host.
rm -f /run/release.list
apt-get clean
rm -f /var/cache/apt/*.bin
