"""A player that obeys the keyboard: P plays and stops, Space too, E goes into the text, and a new clip plays by itself.

Buttons' own shortcuts (`st.button(shortcut=...)`) go to the server; playing must not wait for it, so this component
listens in the browser. No key is taken while a person writes, holds Ctrl, Alt or Meta, or has a dialog open. The clip
travels as WAV in its data: the component knows which clip is new, plays that one, and lets no other go on beside it.
"""

from __future__ import annotations

import base64

import numpy as np
import streamlit as st

from piper_core.wav import wav_bytes

_HTML = """
<div class="keyed-player">
  <audio controls preload="auto"></audio>
  <div class="keys">
    <button type="button" class="play"><span class="word">Play</span> <kbd>P</kbd></button>
    <button type="button" class="edit">Edit the text <kbd>E</kbd></button>
  </div>
</div>
"""
_CSS = """
.keyed-player { font-family: var(--st-font); color: var(--st-text-color); }
audio { width: 100%; height: 2.6rem; display: block; margin-bottom: 0.5rem; }
.keys { display: flex; flex-wrap: wrap; gap: 0.5rem; }
button { font: inherit; color: inherit; padding: 0.35rem 0.8rem; cursor: pointer; min-width: 6.5rem;
  background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); }
button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
kbd { font: inherit; font-size: 0.8em; opacity: 0.65; margin-left: 0.35rem; }
"""
_SCRIPT = """
const WRITES = new Set(["INPUT", "TEXTAREA", "SELECT"]);
const HOLDS_SPACE = new Set(["BUTTON", "A", "AUDIO", "SUMMARY"]);
const inside = (event, test) => event.composedPath().some((each) => each instanceof Element && test(each));

export default function ({ data, parentElement }) {
  const audio = parentElement.querySelector("audio"), play = parentElement.querySelector(".play");
  const word = parentElement.querySelector(".word"), edit = parentElement.querySelector(".edit");
  const field = () => document.querySelector("." + data.text + " textarea");
  const toggle = () => {
    if (!audio.paused) { audio.pause(); return; }
    audio.currentTime = 0;
    audio.play().catch(() => {});  // Refused by the browser until a person has done something: Play is there.
  };
  const write = () => {
    const text = field();
    if (!text) return;
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
  };
  play.onclick = toggle;
  edit.onclick = write;
  audio.onplay = () => {
    word.textContent = "Stop";
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  };
  audio.onpause = audio.onended = () => { word.textContent = "Play"; };

  if (audio.dataset.clip !== data.clip) {
    audio.dataset.clip = data.clip;
    audio.setAttribute("aria-label", data.name);
    if (audio.dataset.url) URL.revokeObjectURL(audio.dataset.url);
    const bytes = Uint8Array.from(atob(data.wav), (sign) => sign.charCodeAt(0));
    audio.dataset.url = data.wav ? URL.createObjectURL(new Blob([bytes], { type: "audio/wav" })) : "";
    if (data.wav) audio.src = audio.dataset.url; else { audio.removeAttribute("src"); audio.load(); }
    play.disabled = !data.wav;
    word.textContent = "Play";
    if (data.wav && data.autoplay) audio.play().catch(() => {});
  }

  const heed = (event) => {
    if (event.key === "Escape" && field() && field() === document.activeElement) { field().blur(); return; }
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.defaultPrevented) return;
    if (inside(event, (each) => WRITES.has(each.tagName) || each.isContentEditable)) return;
    if (document.querySelector("[role=dialog]")) return;
    const key = event.key.toLowerCase();
    const space = key === " " && !inside(event, (each) => HOLDS_SPACE.has(each.tagName));
    if (key !== "p" && key !== "e" && !space) return;
    event.preventDefault();
    if (key === "e") write(); else toggle();
  };
  // One listener a player, whatever number of times the page draws it.
  if (audio.heed) document.removeEventListener("keydown", audio.heed);
  audio.heed = heed;
  document.addEventListener("keydown", heed);
  return () => {
    document.removeEventListener("keydown", heed);
    audio.pause();
    if (audio.dataset.url) URL.revokeObjectURL(audio.dataset.url);
  };
}
"""


def keyed_player(
    samples: np.ndarray | None, sample_rate: int, *, clip: str, name: str, text_key: str, autoplay: bool, key: str
) -> None:
    """Show a player of `samples` [N], None where there is nothing to hear.

    Another `clip` than before is another sound, which plays at once with `autoplay` if the browser lets it. `name`
    says what is heard; E goes into the text area inside the element of key `text_key`.
    """
    wav = "" if samples is None or samples.size == 0 else base64.b64encode(wav_bytes(samples, sample_rate)).decode()
    show = st.components.v2.component("studio_keyed_player", html=_HTML, css=_CSS, js=_SCRIPT)
    data = {"wav": wav, "clip": clip, "name": name, "text": f"st-key-{text_key}", "autoplay": autoplay}
    show(key=key, data=data)
