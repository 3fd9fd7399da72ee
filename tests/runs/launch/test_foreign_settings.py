"""Configuration and overrides of one's own, wrong in every way: one line that names the place, never a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from runs.launch import command

HEAD = "# @package _global_\n"
OWN = f"""{HEAD}# python launch.py experiment=own/a
# What it shows
defaults:
  - override /hardware: cpu
  - override /logger: [local]
method: mine
seed: 3
report: {{at_seconds: [1, 2.5]}}
task: {{_target_: builtins.dict, text: "a: b", path: ${{paths.data}}/x}}
trainer:
  max_epochs: 2
""".encode()
OVERRIDES = [
    "seed=01,2",
    "report.at_seconds=[1,5]",
    "hardware.threads=2",
    "method=${experiment}",
    "+more={a:[1,'x'],b:null}",
]


class Own:
    """A folder of one's own with one experiment, and what the command line says of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.path = folder / "conf" / "experiment" / "own" / "a.yaml"
        self.path.parent.mkdir(parents=True)

    def __call__(self, content: bytes, *overrides: str) -> tuple[int, str]:
        self.path.write_bytes(content)
        arguments = ["--config-dir", str(self.folder / "conf"), "experiment=own/a", *overrides]
        code = command.main(lambda cfg: None, arguments)
        return code, self.capsys.readouterr().err


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Own:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPRISE_OUTPUTS", str(tmp_path / "outputs"))
    return Own(tmp_path, capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            f"{HEAD}task:\n\tseconds: 0\n".encode(),
            "a.yaml, line 3: found character '\\t' that cannot start any token; indent",
        ),
        (f"{HEAD}seed: 1\nseed: 2\n".encode(), "a.yaml, line 3: found duplicate key seed"),
        (b"\xef\xbb\xbf" + OWN, "a.yaml, line 1: begins with a byte order mark"),
        (OWN.replace(b"mine", b"m\xffne"), "a.yaml, line 7: not a text in UTF-8"),
        (b"", "a.yaml, line 1: expected settings, a name with its value each, found nothing; write {} for none"),
        (b"# a remark", "a.yaml, line 1: expected settings, a name with its value each, found nothing"),
        (b"just a text", "a.yaml, line 1: expected settings, a name with its value each, found a text"),
        (b"{}", "experiment is {}, not a name; does the experiment's file begin with the line '# @package _global_'?"),
        (b"- a\n- b\n", "a.yaml, line 1: expected settings, a name with its value each, found a list"),
        (f"{HEAD}defaults: 5\n".encode(), "defaults must be a list"),
        (f"{HEAD}a: ${{b\n".encode(), "a.yaml: no viable alternative at input '${b'"),
        (
            f"{HEAD}a: !!python/object/apply:os.getcwd []\n".encode(),
            "a.yaml, line 2: could not determine a constructor",
        ),
    ],
    ids=[
        "tab",
        "doubled key",
        "byte order mark",
        "no UTF-8",
        "empty",
        "remark",
        "text",
        "no settings",
        "list",
        "defaults",
        "interpolation",
        "tag",
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(own: Own, content: bytes, said: str) -> None:
    code, errors = own(content)
    assert code == 2
    assert said in errors and len(errors.splitlines()) == 1


def mutated(content: bytes, chance: random.Random) -> bytes:
    """With some bytes replaced, removed, repeated or put in."""
    pieces = [
        b"\t",
        b"\n",
        b":",
        b"- ",
        b"${",
        b"}",
        b"[",
        b'"',
        b"'",
        b"\x00",
        b"\xff",
        b"&a ",
        b"*a",
        b"!!",
        b"null",
        b"@",
        b"%",
    ]
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.randint(0, 6))
        middle = chance.choice([b"", chance.choice(pieces), content[start:end] * 2, bytes([chance.randrange(256)])])
        content = content[:start] + middle + content[end:]
    return content


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 1500))]
)
def test_whatever_a_file_and_overrides_say_ends_in_a_code_and_a_line(own: Own, seed: int) -> None:
    chance = random.Random(seed)
    content, overrides = OWN, [chance.choice(OVERRIDES)]
    if seed % 2:
        content = mutated(OWN, chance)
    else:
        text = mutated(overrides[0].encode(), chance).decode(errors="ignore").replace("\0", "").lstrip("-")
        overrides = [text]
    code, errors = own(content, *overrides)
    assert code in (0, 1, 2)
    assert len(errors.strip().splitlines()) <= 1, errors
    assert "Traceback" not in errors
