"""The journal: nothing is lost by a crash, a restart or another session, and nothing of the dataset is written over."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from piper_core.dataset.decisions import ClipName, Reason
from piper_core.dataset.journal import JOURNAL_NAME, Journal, JournalError

ROWS = [
    ("a", 1, "wavs/a.wav", "One."),
    ("b", 2, "wavs/b.wav", "Two."),
    ("b", 3, "wavs/b.wav", "Two, again."),
    ("c", 4, "wavs/c.wav", "Three."),
]
A, B, B_AGAIN, C = (ClipName.of(*row) for row in ROWS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "voice"
    made.mkdir()
    (made / "metadata.csv").write_text("a|One.\nb|Two.\nb|Two, again.\nc|Three.\n", encoding="utf-8")
    return made


def reopened(folder: Path) -> Journal:
    return Journal.open(folder, folder.parent / "workspace")


def state(journal: Journal) -> tuple[dict[int, str], dict[int, Reason], frozenset[int]]:
    fitted = journal.fit(ROWS)
    return fitted.texts, fitted.left_out, fitted.kept


def test_looking_writes_nothing(folder: Path) -> None:
    journal = reopened(folder)
    assert journal.is_beside
    assert not journal.can_undo
    assert [path.name for path in folder.iterdir()] == ["metadata.csv"]


def test_decisions_stand_after_a_restart_and_are_undone_and_redone_there(folder: Path) -> None:
    before = (folder / "metadata.csv").read_bytes()
    reason = Reason("clipping", 2.5, 1.0, "%", "Is cut off at full scale.")
    journal = reopened(folder)
    journal.leave_out(A, reason)
    journal.edit(B_AGAIN, "Two,  once more. ")
    journal.keep(C)
    assert state(reopened(folder)) == ({3: "Two, once more."}, {1: reason}, frozenset({4}))

    later = reopened(folder)
    undone = later.undo()
    assert undone is not None
    assert (undone.action, undone.clips) == ("keep", (C,))
    assert later.undo() is not None
    assert state(reopened(folder)) == ({}, {1: reason}, frozenset())
    again = reopened(folder)
    assert again.redo() is not None
    assert state(again) == ({3: "Two, once more."}, {1: reason}, frozenset())
    again.keep(A)
    assert state(again)[1] == {}, "a clip that is kept is no longer left out"
    assert not again.can_redo, "a new decision ends what could be done again"
    assert again.redo() is None
    assert (folder / "metadata.csv").read_bytes() == before


def test_many_clips_are_one_decision(folder: Path) -> None:
    journal = reopened(folder)
    reasons = [Reason("duration", value, 15.0, "s") for value in (16.0, 17.0)]
    journal.leave_out([A, C], reasons)
    assert state(reopened(folder))[1] == {1: reasons[0], 4: reasons[1]}
    journal.undo()
    assert state(reopened(folder))[1] == {}


def test_an_edit_back_to_the_datasets_own_text_is_no_edit(folder: Path) -> None:
    journal = reopened(folder)
    journal.edit(A, "Won.")
    journal.edit(A, "One.")
    assert state(journal) == ({}, {}, frozenset())
    assert journal.undo() is not None
    assert state(journal)[0] == {1: "Won."}


def test_limits_are_kept_and_put_back(folder: Path) -> None:
    journal = reopened(folder)
    journal.limit("duration", 12.0)
    journal.limit("noise", 20.0)
    journal.limit("noise", None)
    assert reopened(folder).limits == {"duration": 12.0}


def test_moved_limits_are_undone_and_done_again_after_a_restart_too(folder: Path) -> None:
    journal = reopened(folder)
    journal.limit("duration-long", 12.0)
    journal.leave_out(A)
    journal.limit("duration-long", 9.0)
    journal.limit("noise", 25.0)
    journal.put_limits_back()
    seen = []
    while (decision := reopened(folder).undo()) is not None:
        now = reopened(folder)
        seen.append((decision.action, now.limits, len(now.left_out)))
    assert seen == [
        ("limit", {"duration-long": 9.0, "noise": 25.0}, 1),
        ("limit", {"duration-long": 9.0}, 1),
        ("limit", {"duration-long": 12.0}, 1),
        ("leave-out", {"duration-long": 12.0}, 0),
        ("limit", {}, 0),
    ]
    assert reopened(folder).redo() is not None
    assert reopened(folder).limits == {"duration-long": 12.0}


def test_a_limit_as_earlier_journals_wrote_it_is_read(folder: Path) -> None:
    line = '{"version": 1, "key": "k", "at": "", "do": "limit", "name": "noise", "value": 25}\n'
    (folder / "metadata.journal.jsonl").write_text(line)
    journal = reopened(folder)
    assert (journal.limits, journal.notes) == ({"noise": 25.0}, ())


def test_a_changed_dataset_keeps_what_fits_and_names_what_does_not(folder: Path) -> None:
    journal = reopened(folder)
    journal.leave_out(A)
    journal.edit(B, "Too.")
    journal.keep(C)
    changed = [("new", 1, "wavs/new.wav", "Zero."), ("a", 2, "wavs/a.wav", "One."), ("b", 3, "wavs/b.wav", "Changed.")]
    fitted = journal.fit(changed)
    assert fitted.left_out == {2: Reason()}, "the row has moved"
    assert fitted.texts == {}
    assert [name.utterance_id for name in fitted.stale] == ["b", "c"]
    assert fitted.decided == {2}


def test_two_rows_alike_are_told_apart_by_path_and_row(folder: Path) -> None:
    rows = [("a", 1, "x/a.wav", "Same."), ("a", 2, "y/a.wav", "Same."), ("a", 5, "y/a.wav", "Same.")]
    journal = reopened(folder)
    journal.leave_out(ClipName.of(*rows[2]))
    journal.keep(ClipName.of(*rows[0]))
    fitted = journal.fit(rows)
    assert set(fitted.left_out) == {5}
    assert fitted.kept == {1}


def test_a_line_that_was_cut_off_costs_that_line_alone(folder: Path) -> None:
    journal = reopened(folder)
    journal.leave_out(A)
    path = folder / JOURNAL_NAME
    whole = path.read_bytes()
    journal.keep(C)
    torn = path.read_bytes()[:-30]
    path.write_bytes(torn)
    later = reopened(folder)
    assert state(later) == ({}, {1: Reason()}, frozenset())
    assert "cut off" in " ".join(later.notes)
    later.edit(B, "Too.")
    last = reopened(folder)
    assert state(last) == ({2: "Too."}, {1: Reason()}, frozenset())
    assert path.read_bytes().startswith(whole), "what was written stays as it was"
    assert len(last.notes) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"null", b'{"key": "x"}', b'{"key": "x", "do": "dance", "clips": []}', b"[" * 100_000, b"\xff\xfe\x00",
        b'{"key": "x", "do": "edit", "clips": [{"id": 3, "row": 1, "path": "", "text_hash": ""}], "text": ""}',
        b'{"key": "x", "do": "leave-out", "clips": [{"id": "a", "row": NaN, "path": "", "text_hash": ""}]}',
        b'{"key": "x", "do": "limit", "name": "noise", "value": "loud"}', b'{"key": "x", "do": "undo", "of": "?"}',
        b"{" + b'"a":{' * 5000,
    ],
)  # fmt: skip
def test_a_strangers_line_is_passed_over(folder: Path, line: bytes) -> None:
    (folder / JOURNAL_NAME).write_bytes(line + b"\n")
    journal = reopened(folder)
    assert state(journal) == ({}, {}, frozenset())
    journal.keep(A)
    assert state(reopened(folder))[2] == {1}


WRITER = """
import sys
from pathlib import Path
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import Journal
journal = Journal.open(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
for number in range(int(sys.argv[4])):
    name = ClipName.of(f"{sys.argv[3]}{number}", number + 1, "wavs/x.wav", "Text.")
    journal.edit(name, f"{number} " + "word " * 2000)
    print(number, flush=True)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", WRITER, str(folder), str(folder.parent / "workspace"), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


def test_sessions_that_write_at_once_lose_nothing(folder: Path) -> None:
    writers = [writer(folder, name, 40) for name in "xyz"]
    for each in writers:
        each.communicate(timeout=120)
        assert each.returncode == 0
    journal = reopened(folder)
    assert journal.texts.keys() == {f"{name}{number}" for name in "xyz" for number in range(40)}
    assert journal.notes == ()


def test_a_writer_killed_at_any_moment_loses_no_decision_that_it_has_told_of(folder: Path) -> None:
    chance = random.Random(4)
    for round_ in range(6):
        process = writer(folder, f"r{round_}-", 100_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout.read().splitlines() if line.strip()]
        process.wait()
        journal = reopened(folder)
        texts = journal.texts
        assert {f"r{round_}-{number}" for number in told} <= texts.keys()
        assert all(text.split()[0] == name.split("-")[1] for name, text in texts.items())
    assert journal.undo() is not None, "and it goes on from there"


def test_another_sessions_decisions_are_seen_and_undone(folder: Path) -> None:
    one, other = reopened(folder), reopened(folder)
    one.leave_out(A)
    assert state(other)[1] == {}
    assert other.refresh()
    assert not other.refresh()
    assert state(other)[1] == {1: Reason()}
    other.keep(C)
    undone = one.undo()
    assert undone is not None
    assert undone.clips == (C,), "the last decision, whoever made it"
    assert state(one) == ({}, {1: Reason()}, frozenset())


def test_a_journal_that_was_replaced_or_taken_away_is_read_anew(folder: Path) -> None:
    journal = reopened(folder)
    journal.leave_out(A)
    (folder / JOURNAL_NAME).unlink()
    assert journal.refresh()
    assert state(journal) == ({}, {}, frozenset())
    journal.keep(C)
    assert state(reopened(folder)) == ({}, {}, frozenset({4}))


def test_a_dataset_that_can_not_be_written_has_its_journal_in_the_workspace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: os.PathLike[str] | str, flags: int, *rest: int) -> int:
        if Path(path).parent == folder and flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    journal = reopened(folder)
    journal.leave_out(A)
    assert not journal.is_beside
    assert journal.path.is_relative_to(folder.parent / "workspace")
    assert [path.name for path in folder.iterdir()] == ["metadata.csv"]
    assert state(reopened(folder))[1] == {1: Reason()}


def test_a_link_in_its_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine\n")
    (folder / JOURNAL_NAME).symlink_to(precious)
    journal = reopened(folder)
    journal.leave_out(A)
    assert precious.read_text() == "mine\n"
    assert not journal.is_beside
    assert state(reopened(folder))[1] == {1: Reason()}


def test_nowhere_to_write_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    (folder / JOURNAL_NAME).mkdir()
    (tmp_path / "workspace").write_text("a file where the folder should be")
    journal = Journal.open(folder, tmp_path / "workspace")
    with pytest.raises(JournalError, match="could not be kept"):
        journal.leave_out(A)
    assert not journal.can_undo


def test_odd_names_and_texts_come_back_as_they_were(folder: Path) -> None:
    rows = [("x\udce9\u2028y", 1, "wavs/\udce9.wav", "Line\u2028two"), ("ü" * 300, 2, "wavs/ü.wav", "Ü")]
    journal = reopened(folder)
    journal.edit(ClipName.of(*rows[0]), 'He said "no" | and\u2028left')
    journal.keep(ClipName.of(*rows[1]))
    fitted = reopened(folder).fit(rows)
    assert fitted.texts == {1: 'He said "no" | and left'}
    assert fitted.kept == {2}
    lines = (folder / JOURNAL_NAME).read_bytes().splitlines()
    assert all(json.loads(line)["version"] == 1 for line in lines)
