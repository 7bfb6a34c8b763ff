# Run after base.sh: makes of a root file system that came from .debs one whose package database is rpm's, and knows no other.

mkdir -p /etc/rpm /etc/yum.repos.d /etc/dnf/vars /etc/dnf/protected.d /etc/pki/rpm-gpg
rm -rf /root/.rpmdb /var/lib/rpm
mkdir /var/lib/rpm
# Debian's rpm keeps its database in the caller's home unless told not to.
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
echo 9 > /etc/dnf/vars/releasever
# As RHEL 9 ships it; Debian's says best=False and skips repositories that do not answer.
printf '%s\n' '[main]' gpgcheck=1 installonly_limit=3 clean_requirements_on_remove=True best=True skip_if_unavailable=False \
  > /etc/dnf/dnf.conf
echo dnf > /etc/dnf/protected.d/dnf.conf
printf '%s\n' systemd sudo > /etc/dnf/protected.d/base.conf
ln -sfn dnf-3 /usr/bin/yum
rm -f /etc/dnf/plugins/local.conf /usr/lib/python3/dist-packages/dnf-plugins/local.py  # a package of its own on RHEL
for timer in dnf-makecache dnf-automatic dnf-automatic-download dnf-automatic-install dnf-automatic-notifyonly; do
  ln -sf /dev/null "/etc/systemd/system/$timer.timer"
done

# RHEL presets disable what nobody asked for; where there is no preset at all, systemd.preset(5) has everything enabled.
mkdir -p /usr/lib/systemd/system-preset
echo 'disable *' > /usr/lib/systemd/system-preset/99-default-disable.preset

cat > /usr/lib/os-release <<'EOR'
NAME="Lab Linux"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.0"
PRETTY_NAME="Lab Linux 9 (RPM)"
EOR
ln -sfn ../usr/lib/os-release /etc/os-release

rm -rf /var/lib/dpkg /var/lib/apt /var/cache/apt /var/cache/debconf /etc/apt /etc/dpkg /etc/debian_version
rm -f /usr/bin/apt* /usr/bin/dpkg* /etc/cron.daily/apt-compat /etc/cron.daily/dpkg
rm -f /usr/lib/systemd/system/apt-daily* /usr/lib/systemd/system/dpkg-db-backup*
rm -f /etc/systemd/system/apt-daily* /etc/systemd/system/dpkg-db-backup* /etc/systemd/system/timers.target.wants/*

# The system, as packages: what is installed came from .debs, so these hold no files; what others require, they provide.
cd "$(mktemp -d)"
system() { # NAME VERSION RELEASE, further lines of the header on stdin
  {
    printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: %s of the lab\nLicense: ASL 2.0\nBuildArch: noarch\nVendor: Lab Linux\n' \
      "$1" "$2" "$3" "$1"
    cat
    printf '%%description\nStands for files that came another way.\n%%files\n'
  } > "$1.spec"
}
system rocky-release 9.0 2.1.el9 <<'EOR'
Provides: system-release = 9.0
Provides: system-release(releasever) = 9
EOR
system bash 5.1.8 6.el9 <<'EOR'
Provides: /bin/sh
Provides: /usr/bin/sh
Provides: /bin/bash
EOR
system coreutils 8.32 34.el9 < /dev/null
system systemd 252 13.el9 <<'EOR'
Provides: /usr/bin/systemctl
EOR
system python3 3.9.16 1.el9 <<'EOR'
Provides: /usr/bin/python3
Provides: python(abi) = 3.9
EOR
system python3-PyMySQL 0.10.1 6.el9 <<'EOR'
Requires: python3
EOR
system less 590 2.el9 < /dev/null
system sudo 1.9.5p2 9.el9 < /dev/null
system openssh-server 8.7p1 29.el9 < /dev/null
system dnf 4.14.0 5.el9 <<'EOR'
Requires: python3
EOR
[ ! -d /var/lib/mysql ] || system mariadb-server 10.5.16 2.el9 <<'EOR'
Epoch: 3
EOR
rpmbuild -bb --quiet --define "_topdir $PWD" --define '_buildhost lab' --define '%use_source_date_epoch_as_buildtime 1' ./*.spec
rpm -i RPMS/*/*.rpm
cd /
rm -rf "$OLDPWD" /root/rpmbuild
# They were asked for: nobody's unused dependencies.
dnf -q -y mark install $(rpm -qa --qf '%{NAME}\n') > /dev/null
