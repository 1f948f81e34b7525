"""What comes back from mailboxes and relays, read into notices. Pure: bytes in, values out."""
