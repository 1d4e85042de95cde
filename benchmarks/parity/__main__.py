"""Every check of `benchmarks.parity`, a line each; exit status 1 when one fails. `make parity` runs it.

`--cases NAME ...` takes a part of the networks, `--keep DIR` keeps what was written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.parity.agreement import Agreement, compare
from benchmarks.parity.cases import CASES, write_case
from benchmarks.parity.exchange import Differs, Exchange
from benchmarks.parity.reading import readings_agree
from benchmarks.peer.environment import PROJECT_ROOT, peer_python


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument(
        "--cases", nargs="*", choices=CASES, default=list(CASES), help="networks whose step is compared"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for checkpoints and logs")
    options = parser.parse_args()
    python = peer_python()
    with tempfile.TemporaryDirectory(prefix="parity-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        failed = steps_agree(folder, options.cases, python) if options.cases else 0
        failed += all_pass({"metadata is read alike": lambda: readings_agree(folder, python)})
        failed += checkpoints_go_both_ways(folder, python)
    print(f"{failed} checks failed" if failed else "All checks passed")
    return 1 if failed else 0


def steps_agree(folder: Path, cases: list[str], python: Path) -> int:
    """Compares a step of each case; returns how many differ."""
    for case in cases:
        write_case(folder / f"{case}.case.pt", **CASES[case])
    run_steps(folder, cases, python, "float32")
    found = {case: compare(_step(folder, case, "ours"), _step(folder, case, "peer")) for case in cases}
    doubtful = [case for case, agreement in found.items() if agreement.faults]
    if doubtful:
        run_steps(folder, doubtful, python, "float64")
        for case in doubtful:
            exact = (_step(folder, case, "ours", "float64"), _step(folder, case, "peer", "float64"))
            found[case] = compare(_step(folder, case, "ours"), _step(folder, case, "peer"), exact)
    for case, agreement in found.items():
        print(_told(case, agreement), flush=True)
    return sum(bool(agreement.faults) for agreement in found.values())


def run_steps(folder: Path, cases: list[str], python: Path, number_format: str) -> None:
    """Both sides at a time, in their environments."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"}
    sides = {"ours": sys.executable, "peer": str(python)}
    running = {}
    for side, interpreter in sides.items():
        command = [interpreter, "-m", "benchmarks.parity.step", side, number_format, str(folder), *cases]
        with (folder / f"steps.{side}.{number_format}.log").open("w") as log:
            running[side] = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)
    for side, process in running.items():
        if process.wait() != 0:
            log_path = folder / f"steps.{side}.{number_format}.log"
            raise SystemExit(f"The step of {side} failed:\n{log_path.read_text()[-2000:]}")


def checkpoints_go_both_ways(folder: Path, python: Path) -> int:
    """Every check of `exchange`; returns how many failed."""
    exchange = Exchange(folder / "exchange", python)
    checks = {
        "both trainers run": exchange.prepare,
        "the peer resumes ours": exchange.peer_resumes_ours,
        "the peer warm-starts from ours": exchange.peer_warmstarts_from_ours,
        "we resume the peer's": exchange.we_resume_theirs,
        "we warm-start from the peer's": exchange.we_warmstart_from_theirs,
        "an old checkpoint is read": exchange.legacy_is_read,
    }
    return all_pass(checks)


def all_pass(checks: Mapping[str, Callable[[], str]]) -> int:
    """Runs each check and prints its line; returns how many failed."""
    failed = 0
    for name, check in checks.items():
        started = time.monotonic()
        try:
            told, mark = check(), "ok  "
        except Differs as error:
            told, mark, failed = str(error), "FAIL", failed + 1
        print(f"{mark} {name}: {told} ({time.monotonic() - started:.0f} s)", flush=True)
        if failed and name == "both trainers run":
            break
    return failed


def _step(folder: Path, case: str, side: str, number_format: str = "float32") -> dict[str, dict[str, torch.Tensor]]:
    return torch.load(folder / f"{case}.{side}.{number_format}.pt", weights_only=True)


def _told(case: str, agreement: Agreement) -> str:
    if not agreement.faults:
        return f"ok   one step of {case}: {agreement.line}"
    faults = "\n    ".join(agreement.faults[:10])
    return f"FAIL one step of {case}: {len(agreement.faults)} differences\n    {faults}"


if __name__ == "__main__":
    sys.exit(main())
