# One host of the lab, from its first process to its init. Run as `sh -eu host.sh STAGE …` by the supervisor.
#   enter CGROUP NAME ADDRESS: joins its cgroup and makes its namespaces
#   boot  NAME ADDRESS: mounts its root and becomes its init
# The working directory is the host's directory: identity/ lower/ upper/ work/ root/ console.log.
# On stdout it says "namespaces", on stdin it waits for a line that says that eth0 is there, then it says "network".
case $1 in
enter)
  cgroup=$2; shift 2
  mkdir -p "$cgroup"
  echo $$ > "$cgroup/cgroup.procs"
  exec unshare --net --mount --uts --ipc --cgroup --pid --fork --kill-child=SIGKILL --propagation private \
    sh -eu "$0" boot "$@"
  ;;
boot)
  name=$2; address=$3
  echo namespaces
  read -r _

  ip link set lo up
  ip address add "$address/24" dev eth0
  ip link set eth0 up
  echo network
  exec < /dev/null >> console.log 2>&1
  hostname "$name"

  layers=identity
  for layer in lower/*; do layers=$layers:$layer; done
  rm -rf work/work  # a volatile overlay refuses a second mount while work/work/incompat/volatile is there
  mount -t overlay -o "lowerdir=$layers,upperdir=upper,workdir=work,volatile" overlay root
  cd root

  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755,nosuid,size=4m tmpfs dev
  for device in null zero full random urandom tty; do
    : > dev/$device
    mount --bind /dev/$device dev/$device
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  mount -t tmpfs -o mode=755,size=64m tmpfs run
  mkdir run/sshd run/.old

  # A host here has no disks, consoles or kernel command line for these to find units in, and each daemon-reload of a maintainer
  # script would start them all: they were a third of what an upgrade costs. Masked as systemd.generator(7) has it.
  generators=run/systemd/system-generators
  mkdir -p $generators
  for made in cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
    ln -s /dev/null $generators/systemd-$made-generator
  done

  # The kernel's boot_id is the machine's: a host gets one of its own for each boot, so that a reboot can be seen.
  cat /proc/sys/kernel/random/uuid > run/.boot_id
  mount --bind run/.boot_id proc/sys/kernel/random/boot_id
  mount -o remount,bind,ro proc/sys/kernel/random/boot_id

  pivot_root . run/.old
  cd /
  umount -l /run/.old
  rmdir /run/.old
  # Without these capabilities a test cannot set this machine's clock or load modules, and systemd boots without a failed unit.
  exec setpriv --inh-caps -all \
    --bounding-set -sys_module,-sys_rawio,-sys_time,-mac_admin,-mac_override,-syslog,-wake_alarm,-block_suspend,-bpf,-perfmon \
    env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=linux \
    /sbin/init --log-target=journal
  ;;
esac
