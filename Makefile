# Every target sets up its own .venv; all it needs is Python 3.11 with pip.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
READY_SLOW := $(VENV)/.ready-slow
CODE := $(wildcard unlearnlog tests benchmarks examples recipes)
DEMO := build/demo
REPORT := build/report

.PHONY: demo test docs slow gpu bench audit twin late glyphs cost painting fastcpu scale report lint fix browse

demo: $(READY)
	rm -rf "$(DEMO)"
	mkdir -p "$(DEMO)"
	cd "$(DEMO)" && "$(BIN)/unlearnlog" add "Picasso"
	cd "$(DEMO)" && "$(BIN)/unlearnlog" paint "a painting of a cat by Picasso" \
		--at base --at HEAD -o before-after.png
	@echo "before and after: $(DEMO)/before-after.png"

test: lint
	"$(BIN)/pytest" -n 2 --dist loadscope --no-loadscope-reorder

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict
	@echo "the first page: build/site/index.html"

# Servers and a browser that pip cannot install: apt-get install openssh-server chromium
slow: $(READY_SLOW)
	"$(BIN)/pytest" -m "slow and not gpu"

# Every test needs a GPU, and is skipped without one. The figures stand beside the tests.
gpu: $(READY)
	"$(BIN)/pytest" -m gpu tests/gpu

bench: $(READY)
	"$(BIN)/python" -m benchmarks
	"$(BIN)/python" -m benchmarks.judges
	"$(BIN)/python" -m benchmarks.edges
	"$(BIN)/python" -m benchmarks.unique
	"$(BIN)/python" -m benchmarks.tiers
	"$(BIN)/python" -m benchmarks.erasers
	$(MAKE) audit

audit: $(READY)
	"$(BIN)/python" -m benchmarks.audit
	"$(BIN)/python" -m benchmarks.attacks

# Hours on two cores; goes on where it was stopped.
twin: $(READY)
	"$(BIN)/python" -m recipes.atelier.twin --runs build/twin-runs \
		--weights build/twin

# Half an hour and more on two cores; goes on where it was stopped.
late: $(READY)
	"$(BIN)/python" -m recipes.atelier.late --runs build/late-runs \
		--weights build/late

# Every eraser on the real drawings; hours, and it goes on where it was stopped.
glyphs: $(READY)
	"$(BIN)/python" -m benchmarks.glyphs

cost: $(READY)
	"$(BIN)/python" -m benchmarks.cost

painting: $(READY)
	"$(BIN)/python" -m benchmarks.painting

fastcpu: $(READY)
	"$(BIN)/python" -m benchmarks.fastcpu

scale: $(READY)
	"$(BIN)/python" -m benchmarks.scale

report: $(READY)
	rm -rf "$(REPORT)"
	mkdir -p "$(REPORT)"
	cd "$(REPORT)" && for name in Picasso cat Monet castle "Van Gogh" guitar \
		Warhol Klimt fish Hokusai car Seurat; do \
		"$(BIN)/unlearnlog" add "$$name" --policy fast || exit 1; done
	cd "$(REPORT)" && "$(BIN)/unlearnlog" report -o report.html
	"$(BIN)/python" docs/screenshot.py "$(REPORT)/report.html" docs/results/report.png

lint: $(READY)
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy" $(CODE)

fix: $(READY)
	"$(BIN)/ruff" check --fix .
	"$(BIN)/ruff" format .
	"$(BIN)/python" docs/make.py

browse: $(READY)
	@test -f "$(DEMO)/before-after.png" || { echo "nothing to show: make demo"; exit 2; }
	"$(BIN)/python" -m webbrowser -t "file://$(CURDIR)/$(DEMO)/before-after.png"

# PyTorch is asked for first and exactly, so that pip settles on the pinned build
# before any other package's wider range can choose another.
$(READY): pyproject.toml constraints.txt
	"$(PYTHON)" -m venv "$(VENV)"
	"$(BIN)/python" -m pip install -c constraints.txt \
		"$$(grep '^torch==' constraints.txt)"
	"$(BIN)/python" -m pip install -c constraints.txt -e '.[dev]'
	touch "$@"

$(READY_SLOW): $(READY)
	"$(BIN)/python" -m pip install -c constraints.txt -e '.[dev,slow]'
	touch "$@"
