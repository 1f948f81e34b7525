"""Webhooks of shops and other systems: signatures over the bytes as they came, and what their messages mean."""
