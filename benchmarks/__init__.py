"""Figures of this program beside those of its peers, on the same hosts in the same run. `make bench` prints them."""
