"""What may be written down of a configuration that reads secrets."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from runs.secret import HIDDEN, is_secret, plain, without_secrets


@pytest.mark.parametrize(
    "name", ["WANDB_API_KEY", "HF_TOKEN", "DB_PASSWORD", "aws_secret_access_key", "GITHUB_TOKEN_2"]
)
def test_a_variable_is_secret_by_a_word_of_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "HOME", "KEYBOARD", "PASSAGE", "REPRISE_DATA"])
def test_a_word_within_a_word_makes_no_secret(name: str) -> None:
    assert not is_secret(name)


def test_a_secret_is_hidden_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "abc")
    monkeypatch.setenv("SOME_PLACE", "here")
    cfg = OmegaConf.create(
        {
            "key": "${oc.env:SOME_API_KEY}",
            "url": "https://${key}@${oc.env:SOME_PLACE}",
            "list": ["${url}", 1],
            "abc": "abc",
        }
    )
    url = f"https://{HIDDEN}@here"
    assert plain(cfg) == {"key": HIDDEN, "url": url, "list": [url, 1], "abc": "abc"}
    assert cfg.key == "abc", "who uses it gets its value"


def test_a_long_secret_is_hidden_in_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "do-not-show-me")
    assert without_secrets(["x=do-not-show-me", {"a": ("do-not-show-me!", 2)}]) == [
        f"x={HIDDEN}",
        {"a": [f"{HIDDEN}!", 2]},
    ]
