# The shop's database, on a host that speaks German; and mail that waits.
get postgresql-15
cat > /etc/postgresql/15/main/conf.d/local.conf <<'EOP'
listen_addresses = '*'
shared_buffers = 16MB
EOP
echo 'host shop shop 10.99.0.0/24 scram-sha-256' >> /etc/postgresql/15/main/pg_hba.conf
systemctl restart postgresql@15-main
su postgres -c 'psql -q -v ON_ERROR_STOP=1' < /run/shop.sql
rm -f /run/shop.sql
for number in 1 2 3; do
  printf 'Subject: waiting %s\n\nNot sent yet.\n' $number | /usr/sbin/sendmail -odq root@localhost
done
exim4 -Mf $(exim4 -bpr | awk '$3 ~ /-/ { print $3 }') > /dev/null  # frozen, so that no queue run delivers it
printf '[Service]\nOOMScoreAdjust=-900\n' | drop_in postgresql@15-main.service
echo LANG=de_DE.UTF-8 > /etc/default/locale
LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 apt-get -qq update
