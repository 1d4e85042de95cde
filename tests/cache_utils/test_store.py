"""CacheStore on a real disk: use, limit, leases of real processes, and several processes at once."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from cache_utils import leases
from cache_utils.store import CacheStore, Freed

KB = 1024


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def filled(root: Path, entries: int, size_bytes: int = KB, limit: int = 10**9, threshold: float = 0.8) -> CacheStore:
    """A store whose entry `n` was used at second `1000 + n`."""
    store = CacheStore(root, limit, threshold)
    for number in range(entries):
        path = store.put(key_of(number), bytes(size_bytes))
        os.utime(path, (1000 + number, 1000 + number))
    return store


def numbers_left(store: CacheStore, entries: int) -> list[int]:
    return [number for number in range(entries) if store.contains(key_of(number))]


# Reading and writing


def test_what_was_put_is_got(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    path = store.put("abcd", b"features")
    assert store.get("abcd") == b"features"
    assert store.path("abcd") == path
    assert path.read_bytes() == b"features"
    assert (store.get("abce"), store.path("abce"), store.contains("abce")) == (None, None, False)
    assert store.has_all(["abcd"])
    assert not store.has_all(["abcd", "abce"])
    assert store.volume() == 8


def test_putting_again_replaces(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", b"one")
    store.put("abcd", b"three")
    assert store.get("abcd") == b"three"
    assert len(store.entries()) == 1


@pytest.mark.parametrize("key", ["", "a", "../../etc/passwd", "ab/cd", ".hidden", "ab cd", "x" * 300, "ab\n"])
def test_a_key_that_could_leave_the_cache_is_refused(tmp_path: Path, key: str) -> None:
    store = CacheStore(tmp_path, 10**6)
    for use in (
        store.get,
        store.path,
        store.contains,
        lambda bad: store.put(bad, b""),
        lambda bad: store.lease("r", [bad]),
    ):
        with pytest.raises(ValueError, match="is no key"):
            use(key)


def test_limits_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="above 0"):
        CacheStore(tmp_path, 0)
    with pytest.raises(ValueError, match="at most 1"):
        CacheStore(tmp_path, 10, threshold=1.5)


def test_sizes_are_of_what_is_there_and_mark_its_use(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    for key in ("aa-old", "bb-new"):
        os.utime(store.put(key, b"12345"), (1.0, 1.0))
    assert store.sizes(["aa-old", "cc-none"]) == {"aa-old": 5}
    used = {entry.key: entry.last_used for entry in store.entries()}
    assert used["bb-new"] == 1.0
    assert used["aa-old"] > 1.0
    store.discard("aa-old")
    store.discard("aa-old")
    assert store.sizes(["aa-old", "bb-new"]) == {"bb-new": 5}
    with pytest.raises(ValueError, match="no key"):
        store.sizes(["../x"])


def test_a_failed_write_leaves_the_old_entry_and_no_stray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", b"old")

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(OSError, match="No space left"):
        store.put("abcd", b"new")
    assert store.get("abcd") == b"old"
    assert [path.name for path in (tmp_path / "entries/ab").iterdir()] == ["abcd"]


def test_a_store_travels_to_another_process(tmp_path: Path) -> None:
    """DataLoader workers get a pickled copy."""
    store = CacheStore(tmp_path, 10**6, 0.5)
    store.put("abcd", b"x")
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.get("abcd"), copy.max_bytes, copy.threshold) == (b"x", 10**6, 0.5)


# Eviction


def test_cull_does_nothing_below_the_limit_and_clean_goes_to_the_threshold(tmp_path: Path) -> None:
    store = filled(tmp_path, 9, limit=10 * KB, threshold=0.5)
    assert store.cull() == Freed(0, 0)
    assert store.clean() == Freed(4, 4 * KB)
    assert numbers_left(store, 9) == [4, 5, 6, 7, 8]
    assert store.clean() == Freed(0, 0)


@pytest.mark.parametrize("use", [CacheStore.get, CacheStore.path])
def test_use_counts_not_the_time_of_writing(tmp_path: Path, use) -> None:  # type: ignore[no-untyped-def]
    store = filled(tmp_path, 10, limit=10 * KB, threshold=0.2)
    use(store, key_of(0))
    store.contains(key_of(1))  # a look is no use
    store.clean()
    assert numbers_left(store, 10) == [0, 9]


def test_a_write_past_the_limit_culls_down_to_the_threshold(tmp_path: Path) -> None:
    store = filled(tmp_path, 10, limit=10 * KB)
    assert store.volume() == 10 * KB
    store.put(key_of(10), bytes(KB))
    assert numbers_left(store, 11) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert store.volume() == 8 * KB


def test_the_entry_just_written_stays_however_large(tmp_path: Path) -> None:
    store = filled(tmp_path, 5, limit=10 * KB)
    path = store.put("large", bytes(50 * KB))
    assert path.is_file()
    assert len(store.entries()) == 1


def test_many_small_writes_never_pass_the_limit(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 64 * KB)
    for number in range(300):
        store.put(key_of(number), bytes(KB))
        assert store.volume() <= 64 * KB
    assert numbers_left(store, 300)[-51:] == list(range(249, 300))


def test_a_store_opened_on_a_full_cache_culls_at_its_first_write(tmp_path: Path) -> None:
    filled(tmp_path, 20, limit=10**9)
    CacheStore(tmp_path, 10 * KB).put("newest", b"")
    assert len(CacheStore(tmp_path, 10 * KB).entries()) == 9


def test_clear_empties_all_that_no_run_uses(tmp_path: Path) -> None:
    store = filled(tmp_path, 5)
    store.lease("run", [key_of(2)])
    assert store.clear() == Freed(4, 4 * KB)
    assert numbers_left(store, 5) == [2]
    store.release("run")
    assert store.clear() == Freed(1, KB)
    assert store.volume() == 0


# Leases


def test_leased_entries_outlive_every_kind_of_eviction(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 5 * KB, 0.4)
    old = [key_of(number) for number in range(8)]  # more than the limit
    store.lease("run", old)
    filled(tmp_path, 8, limit=5 * KB)
    for free in (store.cull, store.clean, store.clear):
        free()
        assert store.has_all(old)
    for number in range(20, 40):
        store.put(key_of(number), bytes(KB))
    assert store.has_all(old)


def test_a_lease_may_come_before_its_entries_and_a_new_one_replaces_it(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.lease("run", ["abcd"])
    store.put("abcd", b"x")
    store.put("abce", b"x")
    store.clear()
    assert numbers_of(store) == {"abcd"}
    store.lease("run", ["abce"])
    assert store.leased() == frozenset({"abce"})


def numbers_of(store: CacheStore) -> set[str]:
    return {entry.key for entry in store.entries()}


LEASING = """
import sys, time
from pathlib import Path
from cache_utils.store import CacheStore
store = CacheStore(Path(sys.argv[1]), 10**6)
store.lease("run", sys.argv[2:])
print("leased", flush=True)
time.sleep(600)
"""


def start_leasing(root: Path, *keys: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LEASING, str(root), *keys], stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "leased\n"
    return process


def test_the_lease_of_another_live_process_counts_and_dies_with_it(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", b"x")
    trainer = start_leasing(tmp_path, "abcd")
    try:
        store.clear()
        assert store.contains("abcd")
        store.release("run")  # of this process: not the other's
        assert store.leased() == frozenset({"abcd"})
        trainer.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        # Not waited for: it stays a zombie, and a zombie uses nothing.
        while store.leased() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert store.leased() == frozenset()
        store.clear()
        assert not store.contains("abcd")
    finally:
        trainer.kill()
        trainer.wait()
        assert trainer.stdout is not None
        trainer.stdout.close()


def test_a_later_process_with_the_same_pid_holds_nothing(tmp_path: Path) -> None:
    path = leases.take(tmp_path, "run", ["abcd"])
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"process": "another boot:1"}))
    (_, lease), *_ = leases.read_all(tmp_path)
    assert lease is not None
    assert not lease.alive(time.time())


def test_the_lease_of_another_machine_counts_for_a_day(tmp_path: Path) -> None:
    """Its processes can't be seen from here."""
    path = leases.take(tmp_path, "run", ["abcd"])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "another", "process": "there:1"}))
    (_, lease), *_ = leases.read_all(tmp_path)
    assert lease is not None
    assert lease.alive(lease.taken_at + 3600)
    assert not lease.alive(lease.taken_at + 25 * 3600)


def test_process_identity_of_live_dead_and_odd_pids() -> None:
    assert leases.process_identity(os.getpid()) == leases.process_identity(os.getpid())
    assert leases.process_identity(2**22 + 1) is None
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 60
    while leases.process_identity(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert leases.process_identity(child.pid) is None  # a zombie until it is waited for
    child.wait()


# Check


def test_check_finds_and_fixes_what_does_not_belong(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", b"x")
    assert store.check() == []
    (tmp_path / "entries/ab/.999999999.00ff.tmp").write_bytes(b"half")
    (tmp_path / f"entries/ab/.{os.getpid()}.00ff.tmp").write_bytes(b"being written")
    (tmp_path / "entries/ab/zz-elsewhere").write_bytes(b"")
    (tmp_path / "leases/bad.json").write_text("{")
    path = leases.take(tmp_path / "leases", "dead run", ["abcd"])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"process": "gone:1"}))
    problems = store.check(fix=True)
    assert len(problems) == 4
    for part in (
        "half written by process 999999999",
        "zz-elsewhere is not an entry",
        "bad.json is no lease",
        "dead run",
    ):
        assert sum(part in problem for problem in problems) == 1, part
    assert store.check() == []
    assert store.get("abcd") == b"x"
    assert (tmp_path / f"entries/ab/.{os.getpid()}.00ff.tmp").is_file()  # its writer lives


def test_unfinished_files_are_no_entries(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", b"x")
    (tmp_path / "entries/ab/.123.00ff.tmp").write_bytes(b"half")
    assert numbers_of(store) == {"abcd"}


# Several at once


def churn(root: Path, seed: int) -> list[str]:
    """Puts, gets and culls on a cache that is far too small; returns what went wrong."""
    store = CacheStore(root, 40 * KB, 0.5)
    wrong = []
    own = [key_of(seed * 1000 + number) for number in range(5)]
    store.lease(f"run {seed}", own)
    for key in own:
        store.put(key, key.encode() * 8)
    for number in range(150):
        shared = key_of(10**6 + (seed + number) % 60)
        store.put(shared, shared.encode() * 16)
        for key, repeats in ((shared, 16), (own[number % 5], 8), (key_of(10**6 + number % 60), 16)):
            data = store.get(key)
            if data is None and key in own:
                wrong.append(f"a leased entry of {seed} is gone")
            if data is not None and data != key.encode() * repeats:
                wrong.append(f"a wrong entry: {data[:20]!r}")
        if number % 20 == seed % 20:
            (store.cull, store.clean, store.clear)[number % 3]()
    return wrong


def test_processes_that_put_get_and_cull_at_once_do_no_harm(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert [problem for problems in pool.map(churn, [tmp_path] * 4, range(4)) for problem in problems] == []
    store = CacheStore(tmp_path, 40 * KB, 0.5)
    store.check(fix=True)
    store.clean()
    assert store.leased() == frozenset()
    assert store.volume() <= 20 * KB
    assert store.check() == []


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, 50 * KB)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put(key_of(number), bytes(KB)), range(200)))
    assert 40 * KB - 8 * KB <= store.volume() <= 50 * KB


def test_an_eviction_under_way_does_not_miss_a_new_lease(tmp_path: Path) -> None:
    """While one holds the lock to evict, a lease waits: after it returns, what is still there stays."""
    store = filled(tmp_path, 300)
    keys = [key_of(number) for number in range(300)]
    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(store.clear)
        store.lease("run", keys)
        there = [key for key in keys if store.contains(key)]
        clearing.result()
    assert all(store.contains(key) for key in there)
