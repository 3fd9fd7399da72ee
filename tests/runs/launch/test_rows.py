"""A row of a table is as good as a file: composed, overridden, swept, listed, suggested, hidden, shipped to workers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton

from runs.launch import command, mistakes
from runs.launch.config_folder import register
from runs.launch.help import render
from runs.launch.rows import choices, names, read_table
from tests.composition import CONF

ROWS = """\
# @package _global_
# What is changed
base: # Nothing
  method: base
wide: # Twice the width
  defaults: [base, override /optimizer: adam]
  method: wide
  model: {width: 8} # not 4
deep: {defaults: [wide], model: {depth: 3, name: "a # b"}} # Deeper, too
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder of configuration in the place of the repository's."""
    folder = tmp_path / "conf"
    write(
        folder,
        {
            "config.yaml": "defaults: [_self_, model: net, optimizer: sgd, change: null, experiment: null]\nmethod: none",
            "model/net.yaml": "width: 4\ndepth: 2\nname: net",
            "optimizer.rows.yaml": "sgd: {lr: 0.1}\nadam: {lr: 0.001, name: '${model.name}'}",
            "change.rows.yaml": ROWS,
            "change/none.yaml": "# @package _global_\nmethod: a file",
            "experiment/paper.rows.yaml": "# @package _global_\nfirst: # What it shows\n  method: ours\n_hidden: {}",
            "experiment/paper/second.yaml": "# @package _global_\n# python launch.py experiment=paper/second\n# That too\n",
            "experiment/paper/claims.yaml": "[]",
        },
    )
    monkeypatch.setattr(command, "CONF", folder)
    monkeypatch.setattr(mistakes, "CONF", folder)
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def loader(conf: Path) -> ConfigLoaderImpl:
    register()
    version.setbase("1.3")
    return ConfigLoaderImpl(command._search_path(None))


Shown = Callable[..., dict]


@pytest.fixture
def shown(conf: Path, capsys: pytest.CaptureFixture[str]) -> Shown:
    def shown(*arguments: str) -> dict:
        assert command.main(lambda cfg: None, [*arguments, "--cfg", "job"]) == 0, capsys.readouterr().err
        return yaml.safe_load(capsys.readouterr().out)

    return shown


@pytest.fixture
def mistake(conf: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def mistake(*arguments: str) -> str:
        assert command.main(lambda cfg: None, list(arguments)) == 2
        return capsys.readouterr().err

    return mistake


def test_a_row_is_composed_as_the_file_with_its_content_would_be(conf: Path, shown: Shown) -> None:
    rows = {name: shown(f"change={name}") for name in ("base", "wide", "deep")}
    table = read_table(conf / "change.rows.yaml")
    (conf / "change.rows.yaml").unlink()
    write(conf, {f"change/{row.name}.yaml": f"# @package {table.package}\n{row.text}" for row in table.rows.values()})
    assert rows == {name: shown(f"change={name}") for name in rows}
    assert rows["deep"]["model"] == {"width": 8, "depth": 3, "name": "a # b"}
    assert rows["deep"]["optimizer"]["lr"] == 0.001


def test_rows_are_chosen_beside_files_and_overridden_on_the_command_line(shown: Shown) -> None:
    assert shown("change=none")["method"] == "a file"
    assert shown("change=wide", "model.width=2", "optimizer=sgd") == {
        "method": "wide",
        "model": {"width": 2, "depth": 2, "name": "net"},
        "optimizer": {"lr": 0.1},
    }
    assert shown("experiment=paper/first")["method"] == "ours"


def test_a_group_offers_files_and_rows_but_no_table_and_nothing_internal(conf: Path) -> None:
    assert names(conf, "change") == ["base", "deep", "none", "wide"]
    assert names(conf, "experiment/paper") == ["first", "second"]
    assert {choice.group for choice in choices(conf)} == {"model", "optimizer", "change", "experiment/paper"}
    assert {choice.name: choice.purpose for choice in choices(conf, "experiment")} == {
        "first": "What it shows",
        "second": "That too",
    }
    assert [choice.row and choice.row.says for choice in choices(conf, "change")] == [
        "Nothing",
        "Deeper, too",
        None,
        "Twice the width",
    ]


def test_help_lists_experiments_that_are_rows_with_their_purpose_and_rows_among_the_choices(conf: Path) -> None:
    text = render(conf)
    assert "paper/first                        What it shows" in text
    assert "base, deep, none, wide" in text and "_hidden" not in text


def test_a_sweep_goes_through_the_rows_that_a_pattern_matches(loader: ConfigLoaderImpl) -> None:
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides(["change=glob(*,exclude=w*)"])
    assert list(override.sweep_string_iterator()) == ["base", "deep", "none"]
    assert loader.get_group_options("experiment") == []
    assert loader.list_groups("") == ["change", "experiment", "hydra", "model", "optimizer"]


def test_a_worker_that_is_a_new_process_knows_the_rows(loader: ConfigLoaderImpl, tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")  # as launchers do
    (tmp_path / "state").write_bytes(cloudpickle.dumps((Singleton.get_state(), loader)))
    worker = (
        "import pickle; from hydra.core.singleton import Singleton; from hydra.types import RunMode;"
        f"state, loader = pickle.load(open({str(tmp_path / 'state')!r}, 'rb')); Singleton.set_state(state);"
        "print(loader.load_configuration('config', ['change=wide'], RunMode.RUN).model.width)"
    )
    run = subprocess.run([sys.executable, "-c", worker], capture_output=True, text=True, check=False, cwd=CONF.parent)
    assert run.stdout.strip() == "8", run.stderr


def test_a_users_rows_go_before_files_and_rows_of_the_repository(conf: Path, tmp_path: Path, shown: Shown) -> None:
    own = tmp_path / "own"
    write(
        own,
        {"change.rows.yaml": "# @package _global_\nnone: {method: mine}\nbase: {method: mine too}\nnew: {method: n}"},
    )
    assert [
        shown("--config-dir", str(own), f"change={name}")["method"] for name in ("none", "base", "new", "wide")
    ] == [
        "mine",
        "mine too",
        "n",
        "wide",
    ]
    shutil.rmtree(own)
    write(own, {"change/wide.yaml": "# @package _global_\nmethod: a file of mine"})
    assert shown("--config-dir", str(own), "change=wide")["method"] == "a file of mine"


def test_a_misspelt_row_is_answered_with_the_nearest_one(mistake: Callable[..., str]) -> None:
    assert "there is no 'change/wdie'; did you mean 'change/wide'?" in mistake("change=wdie")
    assert "did you mean 'experiment/paper/first'?" in mistake("experiment=paper/frst")


def test_an_old_name_is_answered_with_the_new_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(lambda cfg: None, ["experiment=ssl/tabular_small", "data=tables/wine", "--cfg", "job"]) == 2
    assert "'data/tables/wine' is now 'data/tabular/wine'" in capsys.readouterr().err
    for new in mistakes.RENAMED.values():
        assert names(CONF, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected rows, a name with its settings each, found nothing"),
        ("{}", "found nothing"),
        ("- a\n- b", "found a list"),
        ("a: {b: 1", "not valid YAML"),
        ("a: {b: 1}\na: {b: 2}", "row 'a' in line 2: there is a row of this name above"),
        ("a: {b: 1}\nb:", "row 'b' in line 2: expected settings ({} if it changes nothing), found 'nothing'"),
        ("a: 3", "row 'a' in line 1: expected settings ({} if it changes nothing), found '3'"),
        ("a: {b: 1}\nnone: {b: 2}", "row 'none' has the name of the file"),
        ("a: &a {b: {c: 1}}\nd: {b: *a}", "row 'd': found undefined alias 'a'"),
    ],
)
def test_a_table_that_breaks_the_format_is_one_error_with_file_and_row(
    conf: Path, mistake: Callable[..., str], text: str, message: str
) -> None:
    (conf / "change.rows.yaml").write_text(text)
    told = mistake("change=d", "--cfg", "job")
    assert told.startswith("error: ") and told.count("\n") == 1
    assert "change.rows.yaml: " in told and message in told


def test_a_row_that_changes_nothing_may_say_so(conf: Path, shown: Shown) -> None:
    (conf / "change.rows.yaml").write_text("# @package _global_\nsame: {}")
    assert shown("change=same") == shown()


def test_an_edited_table_is_read_again(conf: Path, shown: Shown) -> None:
    assert shown("change=base")["method"] == "base"
    (conf / "change.rows.yaml").write_text("# @package _global_\nbase: {method: edited}")
    assert shown("change=base")["method"] == "edited"


def test_every_table_of_the_repository_can_be_read_and_every_row_says_what_it_is() -> None:
    rows = [choice for choice in choices(CONF) if choice.row]
    assert len(rows) > 200
    assert [f"{choice.group}/{choice.name}" for choice in rows if not choice.row.says] == []
