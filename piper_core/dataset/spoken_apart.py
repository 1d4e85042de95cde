"""Made-up and unusual texts -> phonemes, in a process of its own: espeak-ng dies of some of them.

Some pictures' names (U+1F920 in German, after others) end the whole process, which must not be the pages'. The text
that it died of is left out, and the next process goes on behind it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from piper_core.dataset import text

_MOST_DEATHS = 40
_PATIENCE_S = 120


def spoken_apart(texts: Sequence[str], language: str) -> list[str]:
    """As `text.phonemize_own`; empty for a text that espeak-ng dies of. Raises TextError."""
    text.check_language(language)
    heard: list[str] = []
    for _ in range(_MOST_DEATHS):
        if len(heard) >= len(texts):
            break
        asked = json.dumps({"language": language, "texts": texts[len(heard) :]})
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__], input=asked, capture_output=True, text=True, encoding="utf-8",
                timeout=_PATIENCE_S, cwd=Path(__file__).parents[2], check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise text.TextError(f"espeak-ng took too long to speak in {language}.") from error
        lines = done.stdout.splitlines()
        heard += [str(json.loads(line)) for line in lines]
        if done.returncode > 0:
            raise text.TextError(f"espeak-ng could not speak in {language}: {done.stderr.strip()[-200:]}")
        if done.returncode < 0:
            heard.append("")
    return (heard + [""] * len(texts))[: len(texts)]


def _speak() -> None:
    asked = json.load(sys.stdin)
    for one in asked["texts"]:
        (phonemes,) = text.phonemize_own([one], asked["language"])
        # Flushed, so that what was spoken before a death is known.
        print(json.dumps(phonemes), flush=True)


if __name__ == "__main__":
    _speak()
