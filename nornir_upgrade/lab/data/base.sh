# Run in a new base root file system (chroot, stdin of `sh -eu`): makes it boot as a lab host.
# Nothing of one lab or one host may be in here: names and keys come with the host's identity layer.

rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list
: > /etc/machine-id
: > /etc/resolv.conf

cat > /etc/ssh/sshd_config.d/lab.conf <<'EOF'
HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100
EOF

useradd --create-home --shell /bin/bash --uid 1000 ops
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
chmod 440 /etc/sudoers.d/ops

# An idle journal preallocates 8 MiB a host unless it is told not to.
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=16M\nSystemMaxFileSize=2M\n' > /etc/systemd/journald.conf.d/lab.conf

# Timers that would change packages, or work, behind a test's back.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim logrotate; do
  ln -sf /dev/null "/etc/systemd/system/$timer.timer"
done

if [ -d /etc/mysql/mariadb.conf.d ]; then
  # Reachable from the other hosts; and small files, since each reset copies them up.
  printf '[mariadbd]\nbind-address = 0.0.0.0\ninnodb_log_file_size = 8M\n' > /etc/mysql/mariadb.conf.d/99-lab.cnf
fi
