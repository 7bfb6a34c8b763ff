# Everything on one host, for a release upgrade.
mkdir -p /etc/mysql/mariadb.conf.d
printf '[mariadbd]\ninnodb_log_file_size = 8M\ninnodb_buffer_pool_size = 16M\n' > /etc/mysql/mariadb.conf.d/99-local.cnf
get nginx postgresql-15 redis-server mariadb-server
echo 'shared_buffers = 16MB' > /etc/postgresql/15/main/conf.d/local.conf
sed -i 's/^worker_processes .*/worker_processes 1;/' /etc/nginx/nginx.conf
systemctl restart nginx postgresql@15-main
su postgres -c 'psql -q -v ON_ERROR_STOP=1' <<'EOP'
CREATE ROLE ledger LOGIN;
CREATE DATABASE ledger OWNER ledger;
\c ledger
CREATE TABLE entries (id integer PRIMARY KEY, cents integer NOT NULL);
INSERT INTO entries SELECT n, n * 7 FROM generate_series(1, 1000) AS n;
ALTER TABLE entries OWNER TO ledger;
EOP
mariadb <<'EOM'
CREATE DATABASE wiki;
USE wiki;
CREATE TABLE pages (id integer PRIMARY KEY, title varchar(60) NOT NULL);
INSERT INTO pages SELECT seq, CONCAT('Page ', seq) FROM seq_1_to_200;
EOM
for number in $(seq 1 100); do echo "SET counter:$number $number"; done | redis-cli > /dev/null
redis-cli SAVE > /dev/null
printf 'Subject: hello\n\nKept in a mailbox.\n' | /usr/sbin/sendmail -odi ops
apt-mark hold tzdata > /dev/null
adduser --quiet --system --group reports
printf '[Service]\nNice=5\n' | drop_in nginx.service
