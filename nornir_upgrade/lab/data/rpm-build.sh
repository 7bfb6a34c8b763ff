# Builds the lab's RPM repositories inside a base, so that the machine needs no rpm. Run as `sh -eu rpm-build.sh BASE WORK KEY`
# in mount and pid namespaces of its own: the base stays as it is, and nothing outlives the run but what lies in WORK.
#   WORK/stage/RELEASE/PACKAGE: its files. WORK/specs/RELEASE: its spec files. WORK/out/RELEASE: the repository, afterwards.
#   KEY: a GnuPG home that holds one key. WORK/out/RPM-GPG-KEY-lab is its public half, afterwards.
base=$1; work=$2; key=$3

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$base,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
mkdir /mnt/root/build /mnt/root/key
mount --bind "$work" /mnt/root/build
cp -a "$key/." /mnt/root/key
mount -t proc proc /mnt/root/proc
mount --rbind /dev /mnt/root/dev

exec chroot /mnt/root /bin/sh -eu <<'EOB'
export HOME=/root LC_ALL=C GNUPGHOME=/key
cd /build
mkdir -p out
gpg --batch --quiet --armor --export > out/RPM-GPG-KEY-lab
signer=$(gpg --batch --quiet --with-colons --list-keys | sed -n '/^fpr/{s/:$//;s/.*://;p;q}')
printf '%s\n' '%_dbpath /tmp/rpmdb' '%_topdir /tmp/top' '%_buildhost lab' '%_build_id_links none' '%__os_install_post %{nil}' \
  '%__gpg /usr/bin/gpg' '%_gpg_path /key' "%_gpg_name $signer" '%source_date_epoch_from_changelog 0' '%use_source_date_epoch_as_buildtime 1' \
  '%clamp_mtime_to_source_date_epoch 1' > /root/.rpmmacros
for specs in specs/*; do
  release=${specs#specs/}
  SOURCE_DATE_EPOCH=$(cat "stage/$release.date") \
    rpmbuild -bb --quiet --define "stage /build/stage/$release" --define "_rpmdir /build/out/$release/packages" \
      --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' "$specs"/*.spec
  rpmsign --addsign "out/$release/packages"/*.rpm > /dev/null
  createrepo_c -q --no-database "out/$release"
done
chmod -R u=rwX,go=rX out
EOB
