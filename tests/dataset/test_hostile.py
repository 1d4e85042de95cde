"""Hostile folders through the command line, the export and what the pages are made of: a finding or a sentence each."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from pages.components.dataset import journal_state
from pages.components.dataset.inspection_job import Glimpse, Inspected, fingerprint
from piper_core.__main__ import main
from piper_core.dataset.decoding import Unreadable, decode, read_header
from piper_core.dataset.export import export_dataset
from piper_core.dataset.inspection import inspect
from piper_core.dataset.journal import Journal
from piper_core.dataset.layouts import LAYOUTS, DatasetError, read_dataset
from piper_core.dataset.printable import printable
from tests.dataset import hostile
from tests.dataset import layouts_by_hand as by_hand

PATIENCE_S = 120
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NUMBER = re.compile(r"-?[\d.]+(e[+-]?\d+)?")


class Waited(BaseException):
    """Something waits for ever: no error of its own, which might be taken for a finding."""


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A pipe that is opened waits for ever: the test fails instead."""

    def stop(*_: object) -> None:
        raise Waited

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=hostile.FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "set"
    made.mkdir()
    try:
        hostile.FOLDERS[request.param](made)
    except OSError as error:
        pytest.skip(f"this file system refuses it: {error}")
    return made


def formulas(table: str) -> list[str]:
    """Cells that a spreadsheet would run."""
    cells = (cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row)
    return [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(cell)]


T = TypeVar("T")


def or_refusal(read: Callable[[], T]) -> T | str:
    """What `read` returns, or the sentence with which it refuses."""
    try:
        return read()
    except DatasetError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < 2000
    return sentence


def test_the_command_line_and_its_reports(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    reports = [argument for form in ("json", "html", "csv") for argument in (f"--{form}", str(tmp_path / f"r.{form}"))]
    status = main(["inspect", str(folder), "--jobs", "1", "--piper", *reports])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert _COMMANDS.findall(said.out + said.err) == []
    assert max(map(len, (said.out + said.err).splitlines())) < 2000
    assert status in (0, 1, 2)
    if status == 2:
        assert said.err.splitlines()[-1].startswith("piper_core: ")
        return
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert {"a1", "b1"} & {row["utterance_id"] for row in report["utterances"]}
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.search("<script|<img|<b>alert", page.partition("</style>")[2]) is None
    assert _COMMANDS.findall(page) == []
    assert formulas((tmp_path / "r.csv").read_text(encoding="utf-8")) == []


def test_the_export_and_the_pages_core(folder: Path, tmp_path: Path) -> None:
    fingerprint(folder)
    report = or_refusal(lambda: inspect(folder, jobs=1))
    if isinstance(report, str):
        return
    dataset = read_dataset(folder)
    shown = Inspected.of(report)
    Glimpse.of(dataset)
    for findings in shown.findings.values():
        for finding in findings:
            finding["message"].encode()
            assert len(finding["message"]) < 2000
    names = journal_state.names(shown.rows)
    journal = Journal.open(folder, tmp_path / "decisions")
    journal.leave_out(names[:1])
    journal.edit(names[-1], "=1+1 \x1b[31m <b>bold</b> \u202e")
    journal.fit([(u.utterance_id, u.row, str(u.path), u.text) for u in dataset.utterances])
    journal.undo()
    for layout, audio in (("ljspeech", "copy"), ("nemo", "link"), ("folder", "link"), ("nemo", "none")):
        target = tmp_path / f"{layout}-{audio}"
        exported = or_refusal(partial(export_dataset, dataset, target, layout, audio=audio))
        if isinstance(exported, str):
            assert not target.exists()
        else:
            assert read_dataset(target).layout == layout
            assert formulas(exported.log.read_text(encoding="utf-8")) == []
    assert sorted(path.name for path in tmp_path.glob(".exporting*")) == []


def test_words_from_outside_are_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "set").mkdir()
    hostile.metadata_is_a_secret(tmp_path / "set")
    assert main(["inspect", str(tmp_path / "set"), "--no-cache", "--json"]) == 2
    said = capsys.readouterr()
    assert "a link that leads out of the dataset's folder" in said.err
    assert "swordfish" not in said.out + said.err


def test_a_command_of_kaldi_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    hostile.kaldi_commands(tmp_path / "set")
    inspect(tmp_path / "set", jobs=1)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("make", [hostile.metadata_is_a_folder, hostile.metadata_is_a_pipe])
def test_metadata_that_is_no_file_is_called_so(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    with pytest.raises(DatasetError, match=r"metadata\.csv in .* is no file but a folder, a pipe or a device"):
        read_dataset(tmp_path)


def test_links_to_themselves_cost_their_clip_alone(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    hostile.rows(folder, "x|One.")
    (folder / "wavs/x.wav").symlink_to("x.wav")
    exported = export_dataset(read_dataset(folder), tmp_path / "out", "nemo", audio="copy")
    assert exported.clips == 3
    assert "not there any more" in exported.log.read_text()
    by_hand.text_beside(tmp_path / "beside")
    (tmp_path / "beside/anna/self").symlink_to("self")
    assert len(read_dataset(tmp_path / "beside").utterances) == 3


def test_a_folder_whose_name_is_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte that is no UTF-8, a line end and a terminal's command: read, reported and exported like any other."""
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    by_hand.ljspeech(tmp_path / "plain")
    by_hand.write_audio(tmp_path / "plain/wavs/c1.flac", "a1")
    with (tmp_path / "plain/metadata.csv").open("a") as file:
        file.write("c1|Of another format.\n")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/s\xff\n\x1b[31m"))
    try:
        (tmp_path / "plain").rename(folder)
    except OSError as error:
        pytest.skip(f"this file system refuses it: {error}")
    for form in ("json", "html", "csv"):
        assert main(["inspect", str(folder), "--jobs", "1", f"--{form}", str(tmp_path / f"r.{form}")]) in (0, 1)
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [row["duration_s"] for row in report["utterances"]] == [0.5, 0.6, 0.7, 0.5]
    for layout in ("ljspeech", "nemo"):
        assert export_dataset(read_dataset(folder), tmp_path / layout, layout, audio="copy").clips == 4
    Inspected.of(inspect(folder))
    assert main(["inspect", str(folder / "nowhere")]) == 2
    said = capsys.readouterr()
    assert _COMMANDS.findall(said.out + said.err) == []


# Files that go or change while they are looked at


def gone(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replaced_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [gone, emptied, halved, replaced_by_a_pipe, replaced_by_a_folder])
@pytest.mark.parametrize("when", ["on_dataset", "on_partial"])
def test_a_clip_that_changes_after_it_was_listed_or_its_header_read(
    tmp_path: Path, change: Callable[[Path], None], when: str
) -> None:
    hostile.rows(tmp_path)
    changed: list[bool] = []

    def now(_: object) -> None:
        if not changed:
            changed.append(True)
            change(tmp_path / "wavs/a2.wav")

    report = inspect(tmp_path, jobs=1, **{when: now})  # type: ignore[arg-type]
    assert changed
    assert [row.usable for row in report.utterances] == [True, False, True]
    assert {finding.utterance_id for finding in report.findings if finding.code == "unreadable"} == {"a2"}
    report.as_bytes("html")


def test_a_folder_that_is_taken_away_while_it_is_inspected(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    hostile.rows(folder)
    dataset = read_dataset(folder)
    report = inspect(folder, jobs=1, on_dataset=lambda _: shutil.rmtree(folder))
    assert [row.usable for row in report.utterances] == [False] * 3
    with pytest.raises(DatasetError, match="No clip can be exported"):
        export_dataset(dataset, tmp_path / "out", "nemo", audio="copy")
    with pytest.raises(DatasetError, match="There is no folder"):
        inspect(folder)


# No permission, and a disk that is full


def as_nobody(check: Callable[[], None]) -> None:
    """Runs `check` in a child process that may do no more than any user. It has no threads, nor workers, of ours."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            check()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the parent's part of the test must not run twice
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    made = {}
    for name, closed in (("clip", "wavs/a2.wav"), ("metadata", "metadata.csv"), ("wavs", "wavs"), ("folder", "")):
        made[name] = tmp_path / name
        made[name].mkdir()
        hostile.rows(made[name])
        (made[name] / closed).chmod(0)
    for above in (tmp_path, *tmp_path.parents[:-1]):
        if not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o711)
    decode(made["clip"] / "wavs/a1.wav", 10)  # what is imported the first time, a stranger may not read
    (tmp_path / "out").mkdir(mode=0o777)
    (tmp_path / "out").chmod(0o777)
    export_dataset(read_dataset(made["clip"]), tmp_path / "warm", "nemo", audio="copy")

    def check() -> None:
        for look in (read_header, partial(decode, max_s=10)):
            assert look(made["clip"] / "wavs/a2.wav") == Unreadable("The file can't be opened: Permission denied.")
        exported = export_dataset(read_dataset(made["clip"]), tmp_path / "out/clip", "nemo", audio="copy")
        assert exported.clips == 2
        for name in ("metadata", "wavs", "folder"):
            assert "Permission denied" in str(or_refusal(partial(read_dataset, made[name]))), name
        assert not Journal.open(made["folder"], tmp_path / "out/decisions").is_beside

    try:
        as_nobody(check)
    finally:
        for name, closed in (("clip", "wavs/a2.wav"), ("metadata", "metadata.csv"), ("wavs", "wavs"), ("folder", "")):
            (made[name] / closed).chmod(0o755)


FULL = """
import resource, signal, sys
from pathlib import Path
from piper_core.__main__ import main
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.export import export_dataset
from piper_core.dataset.journal import Journal, JournalError
from piper_core.dataset.layouts import DatasetError, read_dataset

folder, out, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
out.mkdir()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("inspect", main(["inspect", str(folder), "--jobs", "1"]), flush=True)
for form in ("json", "html", "csv"):
    print(form, main(["inspect", str(folder), "--jobs", "1", f"--{form}", str(out / f"r.{form}")]), flush=True)
journal = Journal.open(folder, out / "decisions")
told = 0
try:
    for number in range(100):
        journal.edit(ClipName.of(f"a{number}", number, f"wavs/a{number}.wav", "Words."), "Another text. " * 20)
        told += 1
except JournalError as error:
    print(error)
assert told < 100
assert len(Journal.open(folder, out / "decisions").texts) == told, "what was told of is kept"
for layout, audio in (("ljspeech", "copy"), ("ljspeech", "link"), ("nemo", "link")):
    try:
        export_dataset(read_dataset(folder), out / layout, layout, audio=audio)
    except DatasetError as error:
        print(error)
    else:
        raise AssertionError(layout)
print("left:", sorted(path.name for path in out.rglob("*")))
"""


@pytest.mark.parametrize(("make", "limit"), [(by_hand.ljspeech, 200), (by_hand.nemo, 0), (by_hand.nemo, 6000)])
def test_a_disk_that_is_full(tmp_path: Path, make: Callable[[Path], None], limit: int, project_root: Path) -> None:
    """No file may grow beyond `limit` bytes, as on a disk that has no more."""
    folder = tmp_path / "set"
    make(folder)
    if make is by_hand.nemo:  # spans are cut, and so written by libsndfile
        line = '{"audio_filepath": "wavs/b1.wav", "text": "Part %d.", "offset": %f, "duration": 0.2}\n'
        with (folder / "manifest.json").open("a") as file:
            file.write("".join(line % (number, number / 10) for number in range(60)))
    else:
        with (folder / "metadata.csv").open("a") as file:
            file.write("".join(f"a1|Another text of the same clip, number {number}.\n" for number in range(200)))
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(folder), str(tmp_path / "out"), str(limit)],
        cwd=project_root, env=os.environ | {"WORKSPACE_DIR": str(tmp_path / "workspace")},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr
    assert "inspect 1" in ran.stdout
    assert "The measurements could not be kept" in ran.stdout
    assert ran.stderr.count("The report can't be written to") == 3
    assert "The decision could not be kept" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "left: []"


# Any text at all


def anything(chance: random.Random) -> str:
    """A text of characters that mean something somewhere, and of any others."""
    special = (
        "|,;\t\"'\\\n\r\0\x1b\x7f\x85\u2028\u202e\u2066\u200b\ufeff=+-@<>&%{}[]()/.~$`\u0301\ud800\udcff\U0001f600"
    )
    length = chance.choice((0, 1, 2, 5, 30, 300))
    return "".join(
        chance.choice(special) if chance.random() < 0.5 else chr(chance.randrange(0x110000)) for _ in range(length)
    )


@pytest.mark.parametrize("seed", range(40))
def test_any_names_and_texts_come_through(tmp_path: Path, seed: int) -> None:
    """Seeded: rows of anything, and files of any names; what is reported can be read back, and is what is there."""
    chance = random.Random(seed)
    folder = tmp_path / "set"
    by_hand.ljspeech(folder)
    content = (folder / "wavs/a1.wav").read_bytes()
    lines = []
    for _ in range(chance.randrange(1, 12)):
        name, text = anything(chance), anything(chance)
        lines.append(f"{name}|{text}\n")
        inside = os.fsencode(folder / "wavs") + b"/" + name.encode(errors="replace")[:80] + b".wav"
        if b"\0" not in inside and inside.count(b"/") == os.fsencode(folder / "wavs").count(b"/") + 1:
            Path(os.fsdecode(inside)).write_bytes(content)
    with (folder / "metadata.csv").open("ab") as file:
        file.write("".join(lines).encode(errors=chance.choice(("replace", "surrogatepass"))))
    report = or_refusal(lambda: inspect(folder, jobs=1, pitch=False))
    if isinstance(report, str):
        return
    assert _COMMANDS.findall(report.summary_text()) == []
    read = json.loads(report.as_bytes("json"))
    assert [row["text"] for row in read["utterances"]] == [row.text for row in report.utterances]
    assert re.search("<script|<img", report.as_bytes("html").decode().partition("</style>")[2]) is None
    assert formulas(report.as_bytes("csv").decode()) == []
    Inspected.of(report)
    exported = or_refusal(lambda: export_dataset(read_dataset(folder), tmp_path / "out", chance.choice(list(LAYOUTS))))
    if not isinstance(exported, str):
        assert exported.clips == len(read_dataset(exported.folder).utterances)


@pytest.mark.parametrize("seed", range(20))
def test_printable_hides_nothing_and_commands_nothing(seed: int) -> None:
    text = anything(random.Random(seed))
    shown = printable(text)
    shown.encode()
    assert _COMMANDS.findall(shown) == []
    assert len(shown) >= len(text)
    plain = "".join(character for character in text if character.isprintable() or character in "\n\t")
    assert printable(plain) == plain
