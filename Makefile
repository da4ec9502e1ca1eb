# One verb a line. Everything works on a fresh clone with Python 3.11+, make and git, as root or not.
PYTHON ?= python3
VENV   ?= .venv
PY      = $(VENV)/bin/python
PORT   ?= 8000
# The files name everything with its hash: nothing is left to resolve, and what is imported compiles itself.
PIP_FLAGS = -q --disable-pip-version-check --no-deps --no-compile --require-hashes

.PHONY: run demo fakes test drill test-pgbouncer cluster-test alerts-test lint browser-test screenshots guide-pictures bench load soak storms guards faults docs lock messages clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/$$(PORT)/$(PORT)/' | awk -F ':.*## ' '{printf "%-16s %s\n", $$1, $$2}'

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.txt | $(PY)
	@echo "Installing what the program needs ..." && $(PY) -m pip install $(PIP_FLAGS) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(PY)
	@echo "Installing what tests and lint need ..." && $(PY) -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

locale/%.mo: locale/%.po | $(VENV)/.runtime
	@$(VENV)/bin/pybabel -q compile -i $< -o $@

MESSAGES = locale/th/LC_MESSAGES/django.mo locale/th/LC_MESSAGES/djangojs.mo

run: $(VENV)/.runtime $(MESSAGES) ## demo world on http://127.0.0.1:$(PORT) (SQLite, safe to repeat)
	@DEBUG=1 PORT=$(PORT) $(PY) manage.py migrate -v0
	@DEBUG=1 PORT=$(PORT) $(PY) manage.py seed_demo --if-empty
	@DEBUG=1 PORT=$(PORT) $(PY) -m tests.fakes.run $(PY) -m hpcbilling.demo_server 127.0.0.1:$(PORT)

demo: $(VENV)/.runtime $(MESSAGES) ## the main job without a browser, on a throw-away database
	@DEBUG=1 $(PY) -m hpcbilling.demo

fakes: $(VENV)/.runtime ## local Stripe, Omise and Razorpay for demos and tests; webhooks go to make run
	@$(PY) -m tests.fakes.providers --webhooks http://127.0.0.1:$(PORT)/payments/webhooks/

DB ?= turns
test: $(VENV)/.dev $(MESSAGES) ## each test on SQLite or PostgreSQL by turns, long ones once a week; DB=both: all, on both
	@$(PY) -m tests --db $(DB) -n 2 --dist worksteal

DRILLS = tests/ops/test_backup.py tests/ops/test_packaging.py tests/ops/test_deploy.py tests/ops/test_dot_env.py \
  tests/audit/test_ed25519.py tests/billing/test_receipt_pdf.py tests/faults/test_restarts.py
drill: $(VENV)/.dev $(MESSAGES) ## what no build leaves out: backups restored and proven, a production site, all that needs other programs
	@$(PY) -m tests --db both -n 2 $(DRILLS)

POOLED_TESTS = tests/core/test_locks.py tests/audit/test_chain.py tests/billing/test_receipts.py tests/billing/test_invoice_drafts.py \
  tests/payments/test_webhooks.py tests/payments/test_double_money.py tests/usage/test_quotas.py tests/usage/test_events_api.py \
  tests/ops/test_health.py tests/ops/test_pooled.py tests/ops/test_periodic.py tests/pages/test_downloads.py tests/accounts/test_lockout.py
test-pgbouncer: $(VENV)/.dev $(MESSAGES) ## what the web server and the runner do, through a real pgbouncer in transaction mode
	@$(PY) -m tests --db pgbouncer -n 2 $(POOLED_TESTS)

cluster-test: $(VENV)/.dev $(MESSAGES) ## imports from a real Slurm, started for it and ended after (root; Debian's packages)
	@$(PY) -m tests.cluster $(PY) -m tests --db sqlite -n 0 -m cluster tests/usage

alerts-test: ## the alert rules of deploy/prometheus, by promtool (Debian: apt-get install prometheus)
	@promtool check rules deploy/prometheus/alerts.yml && promtool test rules deploy/prometheus/alerts_test.yml

lint: $(VENV)/.dev $(MESSAGES) ## ruff, mypy, import direction, migrations, translations
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	DEBUG=1 $(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports --no-cache
	DEBUG=1 $(PY) manage.py makemigrations --check --dry-run
	$(PY) -m tests.translations

browser-test: $(VENV)/.dev $(MESSAGES) ## only the tests that drive a browser (needs Chromium)
	@$(PY) -m tests --db sqlite -m browser

screenshots: $(VENV)/.dev $(MESSAGES) ## every page as a picture in screenshots/, both languages, narrow and wide (needs Chromium)
	@$(PY) -m tests.browser.screenshots screenshots

guide-pictures: $(VENV)/.dev $(MESSAGES) ## the pictures of docs/guide anew, from the demo world (needs Chromium)
	@$(PY) -m tests.browser.guide

bench: $(VENV)/.dev $(MESSAGES) ## every benchmark, or one: make bench NAME=import (docs/performance.md)
	@$(PY) -m bench $(NAME)

MINUTES ?= 30
load: $(VENV)/.dev $(MESSAGES) ## pages, sign-ins, webhooks and events at once for 30 minutes; neither memory nor connections may grow
	@LOAD_MINUTES=$(MINUTES) $(PY) -m bench mix

KILLS ?= 200
FUZZ_ROWS ?= 20000
soak: $(VENV)/.dev $(MESSAGES) ## imports killed 200 times and 20,000 broken rows, on both databases
	@KILLS=$(KILLS) FUZZ_ROWS=$(FUZZ_ROWS) $(PY) -m tests --db both -n 2 tests/usage/test_killed.py tests/usage/test_fuzz.py

STORM_CALLS ?= 1000
STORM_SEEDS ?= 20
storms: $(VENV)/.dev $(MESSAGES) ## payment calls doubled, shuffled and forged, at full size, on both databases
	@STORM_CALLS=$(STORM_CALLS) STORM_SEEDS=$(STORM_SEEDS) ORDERS=120 LOST=100 $(PY) -m tests --db both -n 2 tests/payments/test_storms.py tests/payments/test_signatures.py

faults: $(VENV)/.dev $(MESSAGES) ## docs/faults.md at its full counts, on both databases; hours. SEED=… repeats, ONLY=F20 chooses
	@$(PY) -m tests.faults $(ONLY) -n 2

guards: $(VENV)/.dev $(MESSAGES) ## take each guard away in a copy of the tree: a test must fail for every one; an hour
	@$(PY) -m tests.guards $(NAMES)

messages: $(VENV)/.dev ## collect new texts into locale/*/django.po (needs gettext)
	@$(PY) -m tests.translations --update

docs: $(VENV)/.dev ## the documentation as a site in site/; its reference pages are written anew
	@$(PY) -m tests.documents --update && NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet && echo "site/index.html"

lock: $(VENV)/.dev ## write requirements*.txt anew from requirements*.in
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes requirements-sso.in -c requirements.txt -o requirements-sso.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes requirements-dev.in -c requirements-sso.txt -o requirements-dev.txt

clean: ## remove what the commands above made
	rm -rf $(VENV) staticfiles screenshots site hpcbilling.sqlite3* locale/*/LC_MESSAGES/*.mo
