"""One artifact: hit only when whole, remade otherwise, clear errors from the disk."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runs import interrupt
from runs.errors import ConfigError, StorageError
from runs.store.cache import ArtifactCache, config_key, json_bytes, json_value, npz_arrays, npz_bytes


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache")


def _only_file(cache: ArtifactCache) -> Path:
    (path,) = cache.root.rglob("*.artifact")
    return path


def test_key_ignores_the_order_of_keys_and_the_kind_of_container() -> None:
    plain = {"a": 1, "b": {"c": [1, 2.5, None, True, "x"]}}
    assert config_key(plain) == config_key({"b": {"c": (1, 2.5, None, True, "x")}, "a": np.int64(1)})
    assert config_key(plain) == config_key(OmegaConf.create(plain))
    assert config_key(OmegaConf.create({"a": 1, "b": {"c": "${a}"}})) == config_key({"a": 1, "b": {"c": 1}})


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.booleans(), max_size=3), st.data())
def test_key_differs_wherever_the_config_differs(config: dict[str, object], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([*config, "new"]))
    changed = {**config, key: [config.get(key)]}
    assert config_key(changed) != config_key(config)
    assert config_key(dict(reversed(config.items()))) == config_key(config)


@pytest.mark.parametrize("bad", [{"f": len}, {"s": {1, 2}}, {1: "a"}, {"a": [{"b": object()}]}])
def test_key_refuses_what_has_no_canonical_form(bad: dict[object, object]) -> None:
    with pytest.raises(ConfigError, match="no canonical form"):
        config_key(bad)  # type: ignore[arg-type]


def test_second_request_is_a_hit(cache: ArtifactCache) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"payload"

    key = cache.key({"seed": 1})
    assert cache.get(key) is None
    assert cache.get_or_make(key, make) == b"payload"
    assert ArtifactCache(cache.root).get_or_make(key, make) == b"payload"
    assert made == [1]
    assert cache.get(cache.key({"seed": 2})) is None


def test_no_truncation_is_a_hit(cache: ArtifactCache) -> None:
    cache.get_or_make("k", lambda: b"0123456789")
    path = _only_file(cache)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.get("k") is None, f"{length} of {len(whole)} bytes were a hit"
    assert cache.get_or_make("k", lambda: b"0123456789") == b"0123456789"
    assert path.read_bytes() == whole


def test_no_flipped_bit_is_a_hit(cache: ArtifactCache) -> None:
    cache.get_or_make("k", lambda: b"0123456789")
    path = _only_file(cache)
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert cache.get("k") is None, f"bit {position} flipped was a hit"


def test_a_mapped_payload_is_the_same_and_checked_and_writing_into_it_stays_in_the_process(tmp_path: Path) -> None:
    items = ArtifactCache(tmp_path).collection("c", {"a": 1})
    assert items.mapped("x") is None
    items.put("x", b"payload")
    mapped = items.mapped("x")
    assert mapped is not None and bytes(mapped) == items.get("x") == b"payload"
    mapped[0] = 0
    assert items.get("x") == b"payload"
    (path,) = tmp_path.rglob("*.artifact")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:-1] + b"D"):
        path.write_bytes(damaged)
        assert items.mapped("x") is None


def test_a_file_copied_to_another_key_or_collection_is_no_hit(cache: ArtifactCache) -> None:
    one, other = cache.collection("designs", {"seed": 1}), cache.collection("designs", {"seed": 2})
    one.put(0, b"a")
    content = _only_file(cache).read_bytes()
    other.folder.mkdir(parents=True)
    (one.folder / "1.artifact").write_bytes(content)
    (other.folder / "0.artifact").write_bytes(content)
    assert (one.get(0), one.get(1), other.get(0)) == (b"a", None, None)


def test_collections_describe_themselves(cache: ArtifactCache) -> None:
    collection = cache.collection("expert/ilp", {"nodes": 4})
    collection.put("x", b"")
    assert json_value((collection.folder / "config.json").read_bytes()) == {"nodes": 4}
    assert collection.get("x") == b""


@given(name=st.text(min_size=1, max_size=150))
def test_any_item_name_stays_inside_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.mktemp("names")
    collection = ArtifactCache(root).collection("n", {})
    with collection.claim(name) as mine:
        assert mine
        collection.put(name, name.encode())
    assert collection.get(name) == name.encode()
    (path,) = root.rglob("*.artifact")
    assert path.parent == collection.folder


def test_concurrent_requests_make_once(cache: ArtifactCache) -> None:
    made, results = [], []
    begun = threading.Event()

    def make() -> bytes:
        begun.set()
        made.append(threading.get_ident())
        waiting.wait(0.3)
        return b"x"

    waiting = threading.Event()
    threads = [threading.Thread(target=lambda: results.append(cache.get_or_make("k", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), results) == (1, [b"x"] * 4)


def test_an_exception_of_make_gives_the_claim_back(cache: ArtifactCache) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("k", lambda: bytes(1 // 0))
    assert cache.get_or_make("k", lambda: b"x") == b"x"


def test_waiting_for_another_process_heeds_an_interrupt(cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise interrupt.Interrupted

    monkeypatch.setattr(interrupt, "check", stop)
    with cache.collection("c", {}).claim("k"), pytest.raises(interrupt.Interrupted):
        cache.collection("c", {}).get_or_make("k", lambda: b"x")


def test_arrays_and_json_survive_the_round_trip() -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "s": np.array(["x", "yz"])}
    back = npz_arrays(npz_bytes(arrays))
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
    assert npz_bytes(arrays) == npz_bytes(arrays)
    assert json_value(json_bytes({"b": [1, None]})) == {"b": [1, None]}


def test_no_pickle_goes_in_or_out(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="array 'o' holds Python objects"):
        npz_bytes({"o": np.array([object()])})
    np.savez(tmp_path / "evil.npz", o=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        npz_arrays((tmp_path / "evil.npz").read_bytes())
    with pytest.raises(ValueError, match=r"not an \.npz archive"):
        npz_arrays(b"PK\x03\x04")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
)
@pytest.mark.parametrize("call", ["write", "replace", "mkdir", "open"])
def test_a_refusing_disk_is_named_with_its_remedy(
    cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, call: str, code: int, remedy: str
) -> None:
    original: Callable[..., object] = getattr(os, call)

    def refuse(*arguments: object, **options: object) -> object:
        if call != "open" or str(arguments[0]).startswith(str(cache.root)):
            raise OSError(code, os.strerror(code))
        return original(*arguments, **options)

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match=remedy) as caught:
        cache.get_or_make("k", lambda: b"x")
    assert str(cache.root) in str(caught.value)
    monkeypatch.undo()
    assert cache.get("k") is None
    assert not list(cache.root.rglob("*.part"))
    assert cache.get_or_make("k", lambda: b"x") == b"x"


def test_hits_need_no_write_permission(cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.get_or_make("k", lambda: b"x")

    def refuse(*arguments: object, **options: object) -> object:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for call in ("write", "replace", "mkdir", "unlink"):
        monkeypatch.setattr(os, call, refuse)
    assert cache.get_or_make("k", lambda: b"y") == b"x"


def test_an_unreadable_artifact_is_an_error_not_a_miss(cache: ArtifactCache) -> None:
    cache.get_or_make("k", lambda: b"x")
    path = _only_file(cache)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        cache.get("k")


def test_a_write_cut_off_by_the_kernel_leaves_the_old_artifact(tmp_path: Path) -> None:
    program = (
        "from runs.store.cache import ArtifactCache; import sys\n"
        "c = ArtifactCache(sys.argv[1]).collection('c', {})\n"
        "c.put(0, b'old')\n"
        "c.put(0, bytes(200_000))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert "StorageError" in result.stderr and "ulimit -f" in result.stderr
    assert ArtifactCache(tmp_path).collection("c", {}).get(0) == b"old"
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_system_without_flock_is_refused(cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def missing(*arguments: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.warns(UserWarning, match="flock"), pytest.raises(StorageError, match="claims need flock"):
        cache.get_or_make("k", lambda: b"x")


def test_a_claim_is_exclusive_and_leaves_no_file_once_the_item_is_made(cache: ArtifactCache) -> None:
    collection = cache.collection("c", {})
    with collection.claim("a") as first, collection.claim("a") as second, collection.claim("b") as third:
        assert (first, second, third) == (True, False, True)
        collection.put("a", b"x")
    assert [path.name for path in (collection.folder / "claims").iterdir()] == ["b.lock"]


def test_a_discarded_item_is_gone_and_may_be_discarded_again(cache: ArtifactCache) -> None:
    items = cache.collection("items", {"a": 1})
    with items.claim("x"):
        items.put("x", b"1")
    items.discard("x")
    items.discard("x")
    assert items.get("x") is None
