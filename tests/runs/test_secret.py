"""What may be written down of a configuration that reads secrets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from runs.names import register_resolvers
from runs.secret import HIDDEN, hidden, is_secret, kept_out_of_logs, plain, without_secrets
from runs.store.cache import ArtifactCache


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


def test_what_an_artifact_is_known_by_has_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_API_KEY", "do-not-show-me")
    register_resolvers()
    cfg = OmegaConf.create(
        {"a": {"key": "${oc.env:SOME_API_KEY}", "typed": "x/do-not-show-me"}, "settings": "${json_of:a,a.key}"}
    )
    assert "do-not-show-me" not in cfg.settings and cfg.settings.count(HIDDEN) == 3
    with hidden():
        assert HIDDEN in cfg.settings and cfg.a.key == HIDDEN, "one inside the other"
    assert cfg.a.key == "do-not-show-me"
    made = ArtifactCache(tmp_path).collection("made", {"key": "do-not-show-me"})
    with made.claim("item"):
        made.put("item", b"")
    made.record_failure("other", "do-not-show-me is refused")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3 and not any(b"do-not-show-me" in path.read_bytes() for path in files)


def test_no_log_has_a_secret(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SOME_API_KEY", "do-not-show-me")
    before = logging.getLogRecordFactory()
    kept_out_of_logs()
    try:
        logging.getLogger("some").warning("jobs: %s", "key=do-not-show-me")
        try:
            raise ValueError("do-not-show-me is refused")
        except ValueError:
            logging.getLogger("some").exception("it failed")
    finally:
        logging.setLogRecordFactory(before)
    assert f"jobs: key={HIDDEN}" in caplog.text and f"ValueError: {HIDDEN} is refused" in caplog.text
    assert "do-not-show-me" not in caplog.text
