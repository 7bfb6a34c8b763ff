# The balancer, with redis, a firewall of its own, and a library of a foreign architecture.
get haproxy redis-server
cat >> /etc/haproxy/haproxy.cfg <<'EOH'

listen shop
    bind :80
    mode http
    balance roundrobin
    option httpchk GET /
    server web1 10.99.0.32:80 check
    server web2 10.99.0.33:80 check
EOH
systemctl restart haproxy
sed -i 's/^# maxmemory <bytes>/maxmemory 32mb/' /etc/redis/redis.conf
systemctl restart redis-server
for number in $(seq 1 100); do echo "SET session:$number open"; done | redis-cli > /dev/null
redis-cli SAVE > /dev/null
cat > /etc/nftables.conf <<'EON'
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    ip protocol icmp accept
    tcp dport { 22, 80 } accept
  }
}
EON
systemctl enable --quiet --now nftables
dpkg --add-architecture i386
apt-get -qq -o Dir::Etc::sourcelist=/run/release.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update
get zlib1g:i386
# Where a site's index of i386 is not whole, security updates are those of amd64.
apt-get -qq update || {
  sed -i 's/^deb \(.*debian-security\)/deb [arch=amd64] \1/' /etc/apt/sources.list
  apt-get -qq update
}
leave dnsmasq
