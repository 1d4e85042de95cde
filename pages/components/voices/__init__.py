"""Checkpoints turned into voices (`voice_export`), and hearing them (`voice_speaker`)."""
