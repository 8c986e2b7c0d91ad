# `make run` and `make test` work on a bare machine: they build .venv first.
VENV ?= .venv
PYTHON ?= $(shell tools/find-python)
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e

.PHONY: run photos test test-all parity kills mutants networks lint docs report bench clean

run: $(VENV)/installed
	$(BIN)/python main.py --method=renofeation

test: $(VENV)/installed
	$(BIN)/python -m pytest -m "not long"

# Also those that start main.py more than once, or compile much that no version of Python changes.
test-all: $(VENV)/installed
	$(BIN)/python -m pip check
	$(BIN)/python -m pytest

# Fine-tuning and Renofeation on photographs of solar cells, from an ImageNet network. Each says how long it takes.
photos: $(VENV)/installed
	$(INSTALL) '.[photos]'
	$(BIN)/python main.py --config=configs/photos.py --method=finetune
	$(BIN)/python main.py --config=configs/photos.py --method=renofeation
	$(BIN)/python main.py --mode=report

# The networks, a training step and the attack beside PyTorch's. Writes the files of tests/golden that are missing.
# pip takes PyTorch's CPU build if PIP_EXTRA_INDEX_URL names PyTorch's index of those.
parity: $(VENV)/installed
	$(INSTALL) '.[torch]'
	$(BIN)/python -m pytest --dist=load tests/parity/live.py

# One run killed 20 times at random moments: it must end with the same bits. Writes results/kills.json.
kills: $(VENV)/installed
	$(BIN)/python tests/kills.py

# 10 000 damaged images, each read or refused: results/mutated_images.json.
mutants: $(VENV)/installed
	$(BIN)/python tests/data/mutated_images.py

# All 71 classifiers of Keras Applications beside Keras's own, with random weights; the tests have one of each family.
networks: $(VENV)/installed
	$(BIN)/python -m pytest --dist=load tests/models/networks.py

lint: $(VENV)/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy

# The documents as a site: site/index.html.
docs: $(VENV)/installed
	$(INSTALL) '.[docs]'
	$(BIN)/mkdocs build --quiet

# Every finished run below runs/ on one page: runs/index.html.
report: $(VENV)/installed
	$(BIN)/python main.py --mode=report

# Speed beside peers, measured in turn (docs/speed.md).
bench: $(VENV)/installed
	$(INSTALL) '.[bench]'
	$(BIN)/python benchmarks/attack.py --rounds 4
	$(BIN)/python benchmarks/train_step.py --rounds 3 --steps 2 --curve 20
	$(BIN)/python benchmarks/input_pipeline.py --rounds 9

$(VENV)/installed: setup.cfg constraints.txt
	@test -n "$(PYTHON)" || { echo "Needs Python 3.11, 3.12 or 3.13 (with venv), 3.11 preferred; found none. Name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Needs Python 3.11, 3.12 or 3.13, 3.11 preferred; $(PYTHON) is another." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[dev]'
	@touch $@

# Only an environment that was made here: VENV may name another.
clean:
	test ! -e $(VENV)/installed || rm -rf $(VENV)
