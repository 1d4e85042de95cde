"""A folder of recordings and their texts: read it, look at every clip, and say what is wrong with it.

The way of the data, a module a step:

- `demo`        writes a small dataset spoken by espeak-ng, where nothing better is at hand
- `intake`      an uploaded zip, or many uploaded files, -> a dataset's folder; in `arrivals` files wait for each other
- `layouts`     a folder -> `Dataset` of `Utterance`s: which text belongs to which audio file
                (`metadata_file` reads lines, `text_encoding` tells how they are encoded, `audio_files` what lies where)
- `audio`       an audio file -> `ClipMeasurements`, in one decode; clips, mel spectrograms and waveforms to show
                (`decoding` and `audio_header` open files, whatever they claim, `flac` the common ones quickly,
                `ffmpeg` those of other formats;
                `loudness` is ITU-R BS.1770-4, `silence` finds edges and pauses, `wada` the noise, `bandwidth` what was
                upsampled, `pitch` how high the voice is; `signal_pass` holds their loops, compiled)
- `text`        a text -> phonemes and their ids, as Piper makes them; `text_rules` says what is odd about it
- `checks`      two tables: what is checked, and the limits it is checked by, each with its source; limits can be moved
                (`moved_limits` says them in words, and reads what a person writes)
- `rules`       clips -> `Finding`s: `clip_columns` makes columns of numbers of them, `limits` says who crosses what,
                `clip_rules` and `set_rules` say it in a sentence, about a clip and about the whole set
- `sounds`      a language's sounds, from espeak-ng alone (`spoken_apart`, in a process of its own); `coverage`: what
                texts hold of them, and which sentences would add the rest (`recording_sentences` for English)
- `change_points`  where a measurement steps along the recording; `vocabulary` counts characters and words
- `judgement`   all of that -> `DatasetReport`, by a table of limits; by another one again, with nothing decoded
- `sandbox`     what a limit that is moved would cost: clips, hours, phonemes
- `inspection`  all of the above for a whole folder, in stages, with progress and what is known so far
                (`gathered` holds what is known of each clip, `kept_measurements` keeps it for the next time,
                `batches` is what is done with clips and texts, `workers` are who does it: processes of our own, or in
                `cluster` other machines; `progress` tells how far it is)
- `decisions`   what a person decides about clips: keep, leave out, edit, undo; `journal` keeps it beside the dataset
                (`journal_lines` is the file: appended to, under a lock, by several at once)
- `audit`       does the text belong to the audio? espeak-ng speaks it (`espeak_voice`); `audit_cepstra` are what is
                compared, `audit_likeness` what counts as alike in this voice, `audit_alignment` the path between,
                `audit_calibration` where doubt begins in this set;
                `audit_comparison` lays one clip beside its text to be heard and seen,
                `audit_words` are the words that pocketsphinx hears
- `triage`      which clips to look at first; `cleaning`: which a cleaned dataset leaves out, by which rule, and the
                texts of those that stay
- `piper_reading`  what Piper's own trainer would make of the metadata: rows kept, altered, dropped
- `report`      `DatasetReport` -> JSON, CSV, HTML (`report_html`, `report_pictures`); `comparison`: two of
                them side by side; `manifest` writes the cleaned metadata beside the original,
                `export` a cleaned dataset in any layout elsewhere; `export_log` says what was left out and why;
                `spreadsheet` keeps their tables free of formulas, `printable` their words free of commands
"""
