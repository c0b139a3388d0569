.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint format results

KODAK ?= kodak
RESULTS ?= runs/kodak
CODECS := s2lic,jpeg,webp,avif,heif,jpeg2000,jxl
BASELINES := vtm,vtm-9.1-strict,avif,published:webp,published:jpeg

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/.stamp-eval ## encode and decode a photograph at several qualities, into demo/
	$(BIN)/s2lic demo --out demo --force

test: $(VENV)/.stamp-all ## ruff, mypy --strict and pytest, one process per core
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.stamp-all ## ruff and mypy only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.stamp-all ## rewrite the tree as ruff wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

results: $(VENV)/.stamp-all ## measure Kodak (KODAK=DIR) beside other codecs, and write docs/results.md anew
	$(BIN)/s2lic eval $(KODAK) --codec $(CODECS) --baseline $(BASELINES) --out $(RESULTS)
	cp $(RESULTS)/results.md $(RESULTS)/rd.png docs/
	cp $(RESULTS)/results/s2lic.json docs/results.json

# The stamps make a second run start at once; a changed pyproject.toml installs again.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-eval: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[eval]'
	touch $@

$(VENV)/.stamp-all: pyproject.toml s2lic/entropy/_rans.c | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[compressai,gpu,train,eval,lab,bulk,jxl,heif,dev]'
	touch $@ $(VENV)/.stamp-eval
