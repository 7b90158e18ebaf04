# make setup | demo | check | unit | test | fuzz | vtl | postgresql | bench      everything from the repository root
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo check unit test fuzz vtl postgresql bench system clean
setup: $(STAMP)

# --no-deps: the lock is complete, and pip's resolver would ask for hashes of extras that it has already pinned.
# Compiled once here: where Python may not write its caches, every command would otherwise compile its libraries anew.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("需要 Python 3.11、3.12 或 3.13 / needs Python 3.11 to 3.13") if not (3, 11) <= sys.version_info < (3, 14) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true  # one library ships a file in Python 2
	$(BIN)/python -m compileall -q exports pipelines schemas sources warehouse ytb
	touch $@

# LibreOffice and fonts are wanted by some tests only; where they cannot be installed those tests say so and skip.
system:
	@command -v soffice >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libreoffice-calc-nogui libreoffice-writer-nogui fonts-noto-cjk poppler-utils chromium strace) >/dev/null 2>&1 \
	      || echo "LibreOffice 未能安装,有关测试将跳过 / not installed, its tests will skip"; \
	  else echo "没有 LibreOffice,有关测试将跳过(apt-get install libreoffice-calc-nogui fonts-noto-cjk)"; fi; }

demo: setup
	$(BIN)/ytb --home demo-home demo --size small

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py tests/unit/test_readme.py

unit: setup
	$(BIN)/pytest -q -n auto --dist loadfile -m "not slow" tests/unit

test: setup system
	$(BIN)/pytest -q -n auto --dist loadfile

# The property tests with examples never tried before: run it before a release, and keep what it finds as a test.
fuzz: setup
	HYPOTHESIS_PROFILE=fresh $(BIN)/pytest -q -n auto --dist loadfile -m "not slow" tests/unit

# The VTL text of rules carried out by the engine `vtlengine`, against polars. It wants an older pyarrow than the product: a small environment of its own.
vtl: .venv-vtl/.ready
	.venv-vtl/bin/python -m pytest -q -n 0 tests/unit/schemas/test_vtl_agreement.py

.venv-vtl/.ready: tests/vtl.lock
	test -x .venv-vtl/bin/python || $(PYTHON) -m venv .venv-vtl
	.venv-vtl/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r tests/vtl.lock
	touch $@

# The tests of the ledger with PostgreSQL behind it, in a cluster of its own.
postgresql: setup
	$(BIN)/python -m tests.on_postgresql

bench: setup
	$(BIN)/python -m bench

clean:
	rm -rf .venv .venv-vtl demo-home .mypy_cache .ruff_cache .pytest_cache *.egg-info
