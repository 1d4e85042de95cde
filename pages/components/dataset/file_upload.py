"""Upload a folder, or a metadata file with its recordings, however many there are.

`st.file_uploader` sends every file at the same time: with some thousands of them the browser refuses
(ERR_INSUFFICIENT_RESOURCES) and the page stands still. This one sends four at a time to the server's own route and
counts files, bytes and the time left.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from piper_core.dataset import arrivals
from piper_core.dataset.audio_files import AUDIO_SUFFIXES
from piper_core.dataset.intake import METADATA_NAMES, METADATA_SUFFIXES
from piper_core.settings import Settings

ADDRESS = "/dataset_files"
"""Where the server takes the files, one PUT each: `?ticket=...&name=...`."""
_TICKET = "upload_ticket"
_HTML = """
<div class="upload">
  <div class="choice">
    <p>Drop a folder or files here, or</p>
    <div class="buttons">
      <button type="button" class="folder">Choose a folder</button>
      <button type="button" class="files">Choose files</button>
    </div>
    <input type="file" class="folder-input" webkitdirectory multiple hidden aria-label="Folder of the dataset" />
    <input type="file" class="files-input" multiple hidden aria-label="Metadata and recordings" />
  </div>
  <div class="progress" hidden>
    <p class="line" role="status"></p>
    <div class="track"><div class="bar"></div></div>
    <button type="button" class="cancel">Cancel</button>
  </div>
  <p class="problem" role="alert" hidden></p>
</div>
"""
_CSS = """
.upload { font: inherit; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.9rem; padding: 1rem;
  background: var(--st-secondary-background-color); border: 1px dashed var(--st-border-color);
  border-radius: var(--st-base-radius); }
.upload.over { border-color: var(--st-primary-color); }
.upload p { margin: 0 0 0.6rem 0; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; }
button { font: inherit; color: inherit; padding: 0.4rem 0.8rem; cursor: pointer; background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); }
button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
.track { height: 0.4rem; margin-bottom: 0.7rem; border-radius: 0.2rem; background: var(--st-border-color); }
.bar { height: 100%; width: 0; border-radius: 0.2rem; background: var(--st-primary-color); }
.problem { color: var(--st-red-text-color); margin: 0.6rem 0 0 0 !important; }
[hidden] { display: none !important; }
"""
_SCRIPT = """
const AT_ONCE = 4, TRIES = 3;
const find = (parent, name) => parent.querySelector("." + name);
const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0) + " MB";
const spell = (seconds) => seconds < 60 ? Math.max(1, Math.round(seconds)) + " s" : Math.round(seconds / 60) + " min";

async function walk(entry, path, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ name: path + entry.name, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) await walk(inner, path + entry.name + "/", found);
  }
}

async function send(files, data, show, signal) {
  const started = performance.now();
  const total = files.reduce((sum, each) => sum + each.file.size, 0);
  let next = 0, done = 0, bytes = 0;
  const put = async ({ name, file }) => {
    const address = data.address + "?" + new URLSearchParams({ ticket: data.ticket, name });
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await fetch(address, { method: "PUT", body: file, signal });
        if (answer.ok) return;
        const told = await answer.json().catch(() => ({}));
        const reason = told.error || "The server did not take " + name + " (" + answer.status + ").";
        throw Object.assign(new Error(reason), { final: answer.status < 500 });
      } catch (error) {
        if (signal.aborted || error.final || tried === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500 * tried));
      }
    }
  };
  const work = async () => {
    while (next < files.length) {
      const each = files[next++];
      await put(each);
      done += 1;
      bytes += each.file.size;
      const left = (performance.now() - started) / 1000 * (total - bytes) / Math.max(bytes, 1);
      const line = done.toLocaleString("en") + " of " + files.length.toLocaleString("en") + " files, "
        + megabytes(bytes) + " of " + megabytes(total) + ", about " + spell(left) + " left";
      show(bytes / Math.max(total, 1), line);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = find(parentElement, "upload"), choice = find(box, "choice"), progress = find(box, "progress");
  const problem = find(box, "problem"), bar = find(box, "bar"), line = find(box, "line");
  const say = (sentence) => { problem.textContent = sentence; problem.hidden = !sentence; };
  const sending = (on) => { choice.hidden = on; progress.hidden = !on; };
  const show = (share, sentence) => { bar.style.width = (100 * share) + "%"; line.textContent = sentence; };

  const begin = async (given) => {
    const wanted = given.filter(({ name }) => {
      const hidden = name.split("/").some((part) => part.startsWith("."));
      return !hidden && data.suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
    });
    if (!wanted.length) { say("There are no recordings and no metadata among these files."); return; }
    // The metadata first: when it is refused, nothing has travelled in vain.
    wanted.sort((one, other) => one.file.size - other.file.size);
    const stop = new AbortController();
    find(box, "cancel").onclick = () => stop.abort();
    say(""); show(0, "Starting ..."); sending(true);
    try {
      await send(wanted, data, show, stop.signal);
      line.textContent = "All files are here; putting them in order ...";
      setTriggerValue("arrived", { ticket: data.ticket, first: wanted[0].name, files: wanted.length });
    } catch (error) {
      sending(false);
      say(stop.signal.aborted ? "The upload was cancelled." : "The upload broke off: " + error.message);
      stop.abort();
    }
  };
  const listed = (input) => [...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
  for (const kind of ["folder", "files"]) {
    const input = find(box, kind + "-input");
    find(box, kind).onclick = () => input.click();
    input.onchange = () => { const chosen = listed(input); input.value = ""; if (chosen.length) begin(chosen); };
  }
  box.ondragover = (event) => { event.preventDefault(); box.classList.add("over"); };
  box.ondragleave = () => box.classList.remove("over");
  box.ondrop = async (event) => {
    event.preventDefault();
    box.classList.remove("over");
    if (choice.hidden) return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    begin(found);
  };
  // A new ticket means that the last upload was taken or refused: be ready for the next.
  if (box.dataset.ticket !== data.ticket) { box.dataset.ticket = data.ticket; sending(false); }
}
"""


def arrivals_dir(settings: Settings) -> Path:
    """Where files wait until their upload is whole."""
    return settings.workspace_dir.absolute() / "arrivals"


def file_upload(settings: Settings) -> tuple[str, str] | None:
    """Show the upload; once all files are in, the ticket of their arrival and a name for the dataset."""
    if _TICKET not in st.session_state:
        st.session_state[_TICKET] = arrivals.open_arrival(arrivals_dir(settings))
    show = st.components.v2.component("studio_file_upload", html=_HTML, css=_CSS, js=_SCRIPT)
    suffixes = [*AUDIO_SUFFIXES, *METADATA_SUFFIXES, *METADATA_NAMES]
    data = {"address": ADDRESS, "ticket": st.session_state[_TICKET], "suffixes": suffixes}
    result = show(key="file_upload", data=data, on_arrived_change=lambda: None)
    arrived = result.arrived
    if arrived is None or arrived["ticket"] != st.session_state[_TICKET]:
        return None
    del st.session_state[_TICKET]
    parts = Path(str(arrived["first"])).parts
    return str(arrived["ticket"]), parts[0] if len(parts) > 1 else "uploaded"
