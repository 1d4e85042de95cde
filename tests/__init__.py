"""The tests mirror the packages; browser/ drives a real Chromium over the real app."""
