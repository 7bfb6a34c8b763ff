"""deb: hosts of the lab that run Debian.

In: releases of the stand-in cloud. Out: .deb files, signed apt repositories, and which host has which package.
Provisioning of the lab imports it.
"""
