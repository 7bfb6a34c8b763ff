# A web server: nginx in front of the shop, and of PHP.
get nginx php-fpm python3-psycopg2
from_shop shopapp
install -m 640 -g shopapp /run/db.env /etc/shopapp/db.env
rm -f /run/db.env
cat > /etc/nginx/sites-available/shop <<'EON'
server {
    listen 80 default_server;
    root /var/www/html;
    location / { proxy_pass http://127.0.0.1:8080; }
    location ~ \.php$ {
        include snippets/fastcgi-php.conf;
        fastcgi_pass unix:/run/php/php8.2-fpm.sock;
    }
}
EON
ln -sf ../sites-available/shop /etc/nginx/sites-enabled/shop
rm -f /etc/nginx/sites-enabled/default
sed -i 's/^worker_processes .*/worker_processes 1;/' /etc/nginx/nginx.conf
echo '<?php echo "php ", PHP_MAJOR_VERSION, "\n";' > /var/www/html/index.php
sed -i -E 's/^pm.max_children = .*/pm.max_children = 2/; s/^pm.start_servers = .*/pm.start_servers = 1/; s/^pm.max_spare_servers = .*/pm.max_spare_servers = 1/' \
  /etc/php/8.2/fpm/pool.d/www.conf
printf '[Service]\nRestartSec=2\n' | drop_in nginx.service
systemctl restart php8.2-fpm nginx shopapp
