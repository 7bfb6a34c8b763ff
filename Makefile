# Targets: setup, demo, test, check, soak, bench, clean. Each sets up what it needs by itself on a bare Debian 12 machine.
# Those that start the lab (demo, test, soak, bench) need root.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LAB_PACKAGES := mmdebstrap openssh-client iproute2 apt-utils gnupg
# What tests ask besides: an sshd of their own, and the tools that are the measure: of versions, and of what a package manager does.
TEST_PACKAGES := openssh-server sudo dpkg-dev python3-apt python3-rpm dnf rpm createrepo-c

# The tests start our two programs hundreds of times: what Python compiled is kept between two starts, and sessions, whoever asked for less.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lab-packages test-packages demo test check soak bench clean
help:
	@echo "make setup   the environment in $(VENV)"
	@echo "make demo    a small real fleet goes forward, breaks, and comes back (root)"
	@echo "make check   format, lint, types, import contracts, unit tests (no root)"
	@echo "make test    check, and the tests on real hosts (root)"
	@echo "make soak    every crash boundary on real hosts (root; long)"
	@echo "make bench   figures beside those of other tools (root)"

setup: $(STAMP)

# Debian splits ensurepip off python3: without it `python3 -m venv` cannot work.
$(STAMP): pyproject.toml constraints.txt
	@echo "== making the Python environment in $(VENV) (about half a minute)"
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

lab-packages: PACKAGES := $(LAB_PACKAGES)
test-packages: PACKAGES := $(LAB_PACKAGES) $(TEST_PACKAGES)
lab-packages test-packages:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -q '^installed$$' || echo $$p; done); \
	test -z "$$missing" || { echo "== installing Debian packages:" $$missing; apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

demo: setup lab-packages
	@$(BIN)/python -m nornir_upgrade.lab.demo $(if $(KEEP),--keep)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 -m "not lab and not soak and not crash"

test: test-packages check
	$(BIN)/pytest -n 2 -m crash
	$(BIN)/pytest -n 2 --dist loadfile -m "lab and not soak"

soak: setup test-packages
	$(BIN)/pytest -m soak

bench: setup lab-packages
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
