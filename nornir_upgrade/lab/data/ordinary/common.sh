# Read before the script of each ordinary host, by `bash -eu` as root. What is installed comes from Debian's release alone, not from
# its updates: those are for whoever uses the lab.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 NEEDRESTART_MODE=l
echo 'deb http://10.99.0.1:8000/debian bookworm main' > /run/release.list

get() { # PACKAGE…
  apt-get -qq -y -o Dir::Etc::sourcelist=/run/release.list -o Dir::Etc::sourceparts=- install "$@"
}

leave() { # PACKAGE…: was installed once, and only its configuration files are left
  get "$@"
  apt-get -qq -y remove "$@"
}

from_shop() { # PACKAGE…: from the shop's own repository
  echo "deb [signed-by=/usr/share/keyrings/shop-archive.gpg] http://10.99.0.1:8000/shop shop-old main" > /etc/apt/sources.list.d/shop.list
  apt-get -qq -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/shop.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update
  apt-get -qq -y install "$@"
}

drop_in() { # UNIT, text on stdin
  mkdir -p "/etc/systemd/system/$1.d"
  cat > "/etc/systemd/system/$1.d/local.conf"
  systemctl daemon-reload
}
