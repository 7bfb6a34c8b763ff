# What an administrator of years ago did by hand; and no root but through sudo, which asks for a password.
apt-mark hold curl > /dev/null
printf 'Package: wget\nPin: version 1.21*\nPin-Priority: 1001\n' > /etc/apt/preferences.d/wget
sed -i 's/^greeting = .*/greeting = Welcome back/' /etc/shopapp/shop.conf
dpkg -i /run/corp-agent.deb
rm -f /run/corp-agent.deb

openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 3650 -subj '/CN=Corp Root CA' \
  -out /usr/local/share/ca-certificates/corp.crt 2> /dev/null
update-ca-certificates > /dev/null
dpkg-statoverride --update --add root adm 0750 /usr/bin/wget
dpkg-divert --quiet --local --rename --divert /usr/bin/traceroute.distrib --add /usr/bin/traceroute.db
printf '#!/bin/sh\nexec /usr/bin/traceroute.distrib -n "$@"\n' > /usr/bin/traceroute.db
chmod 755 /usr/bin/traceroute.db
update-alternatives --quiet --set editor /usr/bin/vim.tiny
groupadd --system corp
adduser --quiet --system --ingroup corp --home /var/lib/corp corp
systemctl mask --quiet rsync.service
printf '[Service]\nNice=5\n' | drop_in cron.service

echo 'ops ALL=(ALL:ALL) ALL' > /etc/sudoers.d/ops
echo 'Defaults:ops !lecture' >> /etc/sudoers.d/ops
chpasswd < /run/password
rm -f /run/password
sed -i 's/^PermitRootLogin .*/PermitRootLogin no/' /etc/ssh/sshd_config.d/lab.conf
systemctl reload ssh
