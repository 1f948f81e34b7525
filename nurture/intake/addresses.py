"""Is a text a mail address? Only its form is judged; nobody is asked over the network."""

from __future__ import annotations

import re

# The plain case, and nearly every case: letters, digits and the usual signs, a domain with a dot.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
)
MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3, less the brackets
MAX_LOCAL = 64


def address_problem(text: str) -> str | None:
    """Why a text cannot be an address, None if it can."""
    if len(text) <= MAX_LENGTH and _PLAIN.match(text) and text.index("@") <= MAX_LOCAL:
        return None
    from email_validator import EmailNotValidError, validate_email

    try:
        domain = validate_email(text, check_deliverability=False, globally_deliverable=False).ascii_domain
    except EmailNotValidError as error:
        return f"is not a mail address: {str(error)[:1].lower()}{str(error)[1:]}".rstrip(".")
    return None if "." in domain else "is not a mail address: the part after @ needs a dot, as in example.com"
