"""A configuration that came with a checkpoint builds networks of ours; whatever else it asks for never runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from runs.build import build
from runs.compare import compare
from runs.errors import ConfigError
from runs.report.build import build as report
from runs.store.trained import Trained
from runs.store.trained_run import TrainedRun
from runs.store.trusted import VARIABLE, build_trusted, check

ROOT = Path(__file__).resolve().parents[3]
CONF = ROOT / "conf"
LINEAR = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}
RAN = "RAN"
"""Stands for the path of a file in the nodes below."""


def write(path: str) -> str:
    """What a target must not do: it leaves a file."""
    Path(path).write_text("ran")
    return path


WRITES = {"_target_": "runs.files.write_json", "path": RAN, "value": 1}
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "os.system": ({"_target_": "os.system", "command": f"touch {RAN}"}, "model._target_ is os.system"),
    "eval": ({"_target_": "builtins.eval", "_args_": [f"open('{RAN}', 'w')"]}, "model._target_ is builtins.eval"),
    "subprocess": (
        {"_target_": "subprocess.run", "args": ["touch", RAN]},
        "model._target_ is subprocess.run",
    ),
    "get_method": (
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "hydra.utils.get_method", "path": "os.system"}]},
        r"model\._args_\[0\]\._target_ is hydra.utils.get_method",
    ),
    "get_class": ({"_target_": "hydra.utils.get_class", "path": "subprocess.Popen"}, "hydra.utils.get_class"),
    "hub": ({"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"}, "torch.hub.load"),
    "load": ({"_target_": "torch.load", "f": RAN, "weights_only": False}, "torch.load"),
    "library": ({"_target_": "torch.ops.load_library", "path": RAN}, "torch.ops.load_library"),
    "extension": ({"_target_": "torch.utils.cpp_extension.load", "name": "x", "sources": []}, "cpp_extension.load"),
    **{
        target: ({"_target_": target, "_args_": [RAN]}, rf"model\._target_ is {re.escape(target)}")
        for target in (
            "joblib.load", "numpy.load", "numpy.loadtxt", "numpy.memmap", "pandas.read_pickle", "pandas.eval", "pickle.load",
            "dill.load", "cloudpickle.load", "shelve.open", "runpy.run_path", "code.interact", "shutil.rmtree", "os.remove",
            "importlib.import_module", "importlib.reload", "webbrowser.open", "ctypes.CDLL", "urllib.request.urlretrieve",
            "pathlib.Path", "pathlib.Path.write_text", "builtins.open", "io.open", "codecs.open", "tempfile.mkdtemp",
            "omegaconf.OmegaConf.load", "torch.jit.load", "torch.package.PackageImporter", "torch.compile",
            "torch.utils.data.DataLoader", "torch.multiprocessing.spawn", "pytorch_lightning.Trainer", "PIL.Image.open",
            "torch.optim.SGD.load_state_dict", "torch.nn.Module.load_state_dict", "torch.nn.modules.module.torch.load",
            "torch.nn.functional.torch.load", "torch.nn.parallel.data_parallel", "torch.nn.utils.stateless.torch.load",
        )
    },
    "function of torch.nn": ({"_target_": "torch.nn.functional.relu", "input": 1}, "relu, which is no class"),
    "borrowed module": (
        {"_target_": "models.graphs.gat.torch.hub.load", "repo_or_dir": "a/b", "model": "c"},
        "models.graphs.gat.torch.hub.load, which is not here",
    ),
    "borrowed class": ({"_target_": "data.download.Path", "_args_": [RAN]}, "nothing of data but borrowed there"),
    "method": ({"_target_": "models.graphs.gat.GAT.load_state_dict"}, "which is not here"),
    "function of ours": (WRITES, "runs.files.write_json"),
    "function of data": (
        {"_target_": "data.ilp.own_family.own_family", "path": RAN},
        "own_family, which is no class",
    ),
    "solver": ({"_target_": "solvers.milp.process.ChildProcess", "solver": None}, "solvers.milp.process.ChildProcess"),
    "nested list": ({**LINEAR, "bias": [[{"deep": [WRITES]}]]}, r"model\.bias\[0\]\[0\]\.deep\[0\]\._target_"),
    "partial": ({**LINEAR, "bias": {**WRITES, "_partial_": True}}, r"model\.bias\._target_"),
    "not recursive": ({**LINEAR, "_recursive_": False, "bias": WRITES}, r"model\.bias\._target_"),
    "list as target": ({"_target_": ["os.system"]}, "expected the dotted name of a class"),
    "node as target": ({"_target_": WRITES}, "expected the dotted name of a class"),
    "bare name": ({"_target_": "eval"}, "expected the dotted name of a class"),
    "environment": ({**LINEAR, "bias": "${oc.env:HOME}"}, r"model\.bias is '\$\{oc\.env:HOME\}'; a record is resolved"),
    "decoded target": ({"_target_": "${oc.decode:os.system}"}, "expected the dotted name of a class"),
    "resolver in a key": ({**LINEAR, "a": {"${oc.env:HOME}": 1}}, "a record is resolved"),
}  # fmt: skip


def placed(node: Any, path: str) -> Any:
    """The node with ``path`` for :data:`RAN`."""
    if isinstance(node, dict):
        return {key: placed(value, path) for key, value in node.items()}
    if isinstance(node, list):
        return [placed(value, path) for value in node]
    return node.replace(RAN, path) if isinstance(node, str) else node


def run_folder(folder: Path, node: Any) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create({"model": node})))
    torch.save({"state_dict": torch.nn.Linear(3, 2).state_dict()}, folder / "checkpoints" / "last.ckpt")
    return folder


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_configuration_is_refused_by_run_key_and_target_before_anything_of_it_runs(
    name: str, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    node, message = HOSTILE[name]
    run = run_folder(tmp_path / "run", placed(node, str(ran)))
    with pytest.raises(ConfigError, match=message) as refused:
        TrainedRun.at(run).model()
    assert str(run) in str(refused.value) and "config.yaml" in str(refused.value)
    assert VARIABLE not in str(refused.value)  # to trust any of these is no remedy
    assert not ran.exists()


def test_the_file_that_hostile_nodes_write_is_written_where_nobody_checks(tmp_path: Path) -> None:
    node = placed(WRITES, str(tmp_path / "ran"))
    build(OmegaConf.create({"model": node}), "model")
    assert (tmp_path / "ran").exists()


def test_nothing_is_built_if_any_part_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "tests")
    first = {"_target_": f"{__name__}.write", "path": str(tmp_path / "ran")}
    build_trusted(first, "model", "run")
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    with pytest.raises(ConfigError, match=r"os\.system"):
        build_trusted({**LINEAR, "bias": [first, {"_target_": "os.system"}]}, "model", "run")
    assert not (tmp_path / "ran").exists()


def test_the_user_trusts_a_package_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": f"{__name__}.write", "path": str(tmp_path / "ran")}
    with pytest.raises(ConfigError, match=rf"{VARIABLE}=tests"):
        build_trusted(node, "model", "run")
    monkeypatch.setenv(VARIABLE, "another, tests")
    assert build_trusted(node, "model", "run") == str(tmp_path / "ran")
    with pytest.raises(ConfigError, match="nothing of tests but borrowed there"):
        build_trusted({"_target_": f"{__name__}.build", "cfg": {}}, "model", "run")


@pytest.mark.parametrize("group", ["model", "data/images", "data/tabular"])
def test_every_network_and_image_set_of_the_configuration_may_be_opened_again(group: str) -> None:
    files = [path for path in CONF.rglob("*.yaml") if re.match(rf"{group}[/.]", str(path.relative_to(CONF)))]
    targets = {found for path in files for found in re.findall(r"_target_: *([\w.]+)", path.read_text())}
    targets = {target for target in targets if not target.startswith(("tasks.", "solvers."))}  # these train networks
    assert targets
    for target in targets:
        check({"_target_": target}, group, "conf")


def test_a_class_that_this_revision_has_not_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"models\.graphs\.gone\.GRMP, which is not here .*revision"):
        build_trusted({"_target_": "models.graphs.gone.GRMP"}, "model", "run")


def test_a_constructor_that_refuses_is_named_with_the_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run: model\.widht: Linear has no setting 'widht'"):
        build_trusted({**LINEAR, "widht": 1}, "model", "run")


def test_nothing_is_imported_before_every_target_may_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_a_user.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\nclass Net: ..."
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, "of_a_user")
    net = {"_target_": "of_a_user.Net"}
    with pytest.raises(ConfigError, match=r"os\.system"):
        build_trusted({**LINEAR, "bias": [net, {"_target_": "os.system"}]}, "model", "run")
    assert not (tmp_path / "ran").exists()
    check(net, "model", "run")
    assert (tmp_path / "ran").exists()


def doors() -> dict[str, Callable[[Path], Any]]:
    """All that opens the folder of a run, by name."""
    from runs.report.ledger import build_ledger
    from solvers.lns.scorers.trained import TrainedPolicy, trained_actor
    from tasks.images.evaluation import CheckpointEvaluation

    return {
        "ssl/evaluate": lambda run: CheckpointEvaluation(str(run), protocols=None),  # type: ignore[arg-type]
        "its data": lambda run: TrainedRun.at(run).data(),
        "its kept network": lambda run: TrainedRun.at(run / "checkpoints" / "policy.pt").model(),
        "row of a sweep": lambda run: TrainedRun.at({"sweep": str(run.parent)}).model(),
        "cl_lns/apply": lambda run: TrainedPolicy(str(run)),
        "solver/scorer=trained_rl": lambda run: trained_actor(str(run)),
        "runs.report": report,
        "runs.report of the sweep": lambda run: report(run.parent),
        "runs.compare": lambda run: compare(run, run),
        "runs.claims": lambda run: build_ledger(run.parents[1]),
    }


@pytest.mark.parametrize("door", list(doors()))
def test_every_door_that_opens_a_run_refuses_its_code_or_reads_it_as_text(door: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hostile = placed(WRITES, str(ran))
    run = run_folder(tmp_path / "outputs" / "sweep" / "run", hostile)
    config = {
        "model": hostile,
        "data": hostile,
        "task": hostile,
        "paper": "ssl",
        "experiment": "x",
        "method": "m",
        "seed": 0,
    }
    (run / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    (run / "environment.json").write_text("{}")
    (run / "metrics.json").write_text('{"metrics": {"knn": 1.0}}')
    keeps = Trained(torch.nn.Linear(3, 2).state_dict(), model=hostile)
    (run / "checkpoints" / "policy.pt").write_bytes(keeps.to_bytes())
    opens = doors()[door]
    if door.startswith("runs."):
        opens(run)
    else:
        with pytest.raises(ConfigError, match=r"runs\.files\.write_json, which a record may not build"):
            opens(run)
    assert not ran.exists()


def test_there_is_no_other_door() -> None:
    """Objects are made of the user's own configuration in three places; no file is opened as a pickle."""
    rooms = ("runs", "data", "models", "solvers", "tasks")
    texts = {path.relative_to(ROOT): path.read_text() for room in rooms for path in (ROOT / room).rglob("*.py")}
    made = {str(path) for path, text in texts.items() if re.search(r"\binstantiate\(", text)}
    assert made == {"runs/build.py", "runs/loggers/log.py", "runs/launch/hardware.py"}
    for path, text in texts.items():
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, path
        assert not re.search(
            r"allow_pickle=True|read_pickle|joblib\.load|unsafe_load|get_method\(|get_class\(", text
        ), path
