# Run after base.sh: makes of the installer's packages an ordinary server, as the installer leaves one.

rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap
cat > /etc/apt/sources.list <<'EOS'
deb http://10.99.0.1:8000/debian bookworm main
deb http://10.99.0.1:8000/debian-security bookworm-security main
deb http://10.99.0.1:8000/debian bookworm-updates main
EOS
printf 'APT::Periodic::%s "1";\n' Update-Package-Lists Unattended-Upgrade > /etc/apt/apt.conf.d/20auto-upgrades

sed -i -E 's/^# ((en_US|de_DE)\.UTF-8 UTF-8)$/\1/' /etc/locale.gen
locale-gen > /dev/null
echo LANG=en_US.UTF-8 > /etc/default/locale

# Timers that would work behind a test's back; without a stamp of their last time they do at the first boot.
for timer in man-db etckeeper exim4-base phpsessionclean; do
  ln -sf /dev/null "/etc/systemd/system/$timer.timer"
done

apt-get -qq update
rm -f /var/cache/apt/*.bin
