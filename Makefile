# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
# What rests on linear algebra holds on other processors, too; OpenBLAS takes its kernels of SkylakeX where there is AVX-512.
KERNELS := $(shell if grep -qs avx512f /proc/cpuinfo; then echo Haswell; fi)
NUMERICAL := $(wildcard $(addprefix tests/,solvers/spectral solvers/dynamics tasks/pairs data/pairs))
READY := .venv/.ready
DATA := $(wildcard ../shared/data)
ifneq ($(DATA),)
export REPRISE_DATA ?= $(abspath $(DATA))
endif
export WANDB_MODE ?= offline
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test lint test-slow gpu-test bench claims cluster-test torchrec peers compiler-gym browser clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# Touched last: an interrupted installation is redone, a finished one costs nothing.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] >= (3, 11) else "Reprise needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv --clear .venv
	@echo "installing into .venv (a few minutes; log in .venv/install.log)"
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]' > .venv/install.log 2>&1 || { cat .venv/install.log; exit 1; }
	"$(BIN)/python" -m pip check
	touch $(READY)

demo: $(READY) ## the effect of four papers in five minutes: tables, figures, reports
	"$(BIN)/python" launch.py experiment=lb_relax/demo
	"$(BIN)/python" launch.py experiment=neuroshard/demo
	"$(BIN)/python" launch.py experiment=surco/demo
	"$(BIN)/python" launch.py experiment=pass_order/demo

test: $(READY) lint ## lint, types, import contracts and the whole suite
	"$(BIN)/python" -m pytest -n 3 --dist worksteal --durations=15
	for kernel in $(KERNELS); do OPENBLAS_CORETYPE=$$kernel "$(BIN)/python" -m pytest -q -n 3 $(NUMERICAL) || exit 1; done

lint: $(READY) ## lint, types and import contracts only
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"
	"$(BIN)/lint-imports" --no-logo 2>/dev/null || "$(BIN)/lint-imports"

test-slow: $(READY) ## the longer tests
	"$(BIN)/python" -m pytest -m slow

gpu-test: $(READY) ## what needs a GPU: numbers as on the CPU, experiments of every paper that trains
	"$(BIN)/python" -m pytest tests/gpu -n 4

bench: $(READY) ## speed, side by side with peers, as ratios
	"$(BIN)/python" -m benchmarks

claims: $(READY) ## every paper's small sweeps (resumable), then the ledger of claims
	"$(BIN)/python" -m runs.claims --run

cluster-test: $(READY) ## every launcher for real: joblib, submitit, ray, and SLURM where it can be started
	REPRISE_SLURM_START="$(abspath $(wildcard ../shared/tools/start_slurm.sh))" "$(BIN)/python" -m pytest -m cluster -vv -rs --durations=0 tests/e2e/test_cluster.py

# Its metadata pins an old torchmetrics and asks for the CUDA build of FBGEMM; the planner needs neither.
torchrec: $(READY) ## TorchRec 1.8.0, whose planner NeuroShard is compared with (44 MB)
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps torchrec==1.8.0 tensordict==0.15.3 pyvers==0.2.3 pyre-extensions==0.0.32 typing-inspect==0.9.0 fbgemm-gpu-cpu==1.8.0

# ceviche asks for pyMKL, which is not needed.
peers: $(READY) ## the packages that SurCo's fields are compared with (ceviche, ceviche-challenges)
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps ceviche==0.1.3 ceviche-challenges==1.0.2 autograd==1.9.1 unyt==3.2.0 gin-config==0.5.0

compiler-gym: $(READY) ## LLVM 10 with the passes of the paper, out of CompilerGym's wheel (compiler=compiler_gym, 30 MB)
	"$(BIN)/python" -m data.compiler.compiler_gym.layout

clean: ## remove the environment and every result
	rm -rf .venv outputs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
