"""What earlier turns of a conversation say of the present one; `followup.py` puts it together."""
