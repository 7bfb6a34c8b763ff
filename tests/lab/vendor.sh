# On a host: the repository of a vendor in /srv/vendor, with the shop of docs/scenarios.md in two versions, of which the first is installed.
# The shop answers on port 8080 with its version; its library has another name in 2.0.
set -eu
umask 022
mkdir -p /srv/vendor
cd /srv/vendor
control() {
  mkdir -p "$1/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@example.org>\nDescription: lab\n%s' \
    "$2" "$3" "${4:+$4
}" > "$1/DEBIAN/control"
}
shop() {
  rm -rf shop
  control shop shopapp "$1" "Depends: $2, python3"
  mkdir -p shop/usr/share/shopapp/www shop/lib/systemd/system shop/etc/shopapp
  echo "shop $1" > shop/usr/share/shopapp/www/index.html
  echo "version = $1" > shop/etc/shopapp/shop.conf
  echo /etc/shopapp/shop.conf > shop/DEBIAN/conffiles
  cat > shop/lib/systemd/system/shopapp.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 -m http.server -d /usr/share/shopapp/www 8080
[Install]
WantedBy=multi-user.target
UNIT
  cat > shop/DEBIAN/postinst <<'SCRIPT'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
systemctl daemon-reload
deb-systemd-helper enable shopapp.service > /dev/null
deb-systemd-invoke restart shopapp.service || :
SCRIPT
  chmod 755 shop/DEBIAN/postinst
  dpkg-deb -Zgzip -b shop . > /dev/null
}
library() {
  rm -rf lib
  control lib "$1" "$2" "${3:-}"
  dpkg-deb -Zgzip -b lib . > /dev/null
}
library libshop-common 1.4-1
shop 1.4-1 libshop-common
apt-get -qq -y install ./libshop-common_1.4-1_all.deb ./shopapp_1.4-1_all.deb > /dev/null 2>&1
library python3-shopcore 2.0-1 'Conflicts: libshop-common
Replaces: libshop-common'
shop 2.0-1 python3-shopcore
for file in *.deb; do
  dpkg-deb -f "$file"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum < "$file" | cut -d ' ' -f 1)"
done > Packages
cat > /etc/apt/sources.list.d/vendor.sources <<'SOURCE'
# The vendor's own.
Types: deb
URIs: file:/srv/vendor
Suites: ./
Trusted: yes
SOURCE
apt-get -qq update
