echo "preun $package $evr $1" >> /var/log/lab-scriptlets.log
