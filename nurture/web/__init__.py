"""The HTTP side: events in, the people API, probes. Everything that touches the database runs in threads."""
