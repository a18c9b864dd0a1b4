PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo setup test check bench docs clean

demo: .venv/base
	rm -rf demo
	$(BIN)/pixelwise demo --out demo

setup: .venv/dev

test: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/site/links.py
	$(BIN)/codespell README.md CONTRIBUTING.md GLOSSARY.md CHANGELOG.md SECURITY.md docs src tests benchmarks

bench: .venv/dev
	$(BIN)/pip install --quiet --constraint requirements.lock --editable ".[bench]"
	@echo "run a script of benchmarks/, each with --help: for example $(BIN)/python benchmarks/predict_folder.py"

docs: .venv/base
	$(BIN)/pip install --quiet --constraint requirements.lock --editable ".[docs]"
	$(BIN)/mkdocs build --strict
	@echo "the site is in site/: open site/index.html through a server, as $(BIN)/mkdocs serve is one"

.venv/base: pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'pixelwise needs Python 3.11 or newer')"
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint requirements.lock --editable .
	touch $@

.venv/dev: .venv/base
	$(BIN)/pip install --quiet --constraint requirements.lock --editable ".[dev,export,raster,serve]"
	touch $@

clean:
	rm -rf demo site .venv
