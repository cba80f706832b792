"""Labelled questions, what became of them, and how sure the figures are; `evaluate.py` asks them."""
