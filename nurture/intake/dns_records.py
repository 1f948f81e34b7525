"""What the world can look up about a sender's domain. The only place that asks name servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dns.resolver import Resolver

WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Records:
    """TXT records by purpose, as published. `unanswered` says why nothing could be learnt; empty if all was."""

    spf: tuple[str, ...] = ()
    dkim: tuple[str, ...] = ()
    dmarc: tuple[str, ...] = ()
    unanswered: str = ""


def records_of(
    domain: str,
    dkim_selector: str | None = None,
    dkim_domain: str | None = None,
    *,
    server: tuple[str, int] | None = None,
) -> Records:
    """SPF and DMARC records of `domain`, and the DKIM key of a selector. Raises nothing: silence is an answer too.

    `server` is the address and port of the name server to ask; the system's own if not given.
    """
    try:
        ask = _resolver(server)
        spf = [text for text in _texts(ask, domain) if text.lower().startswith("v=spf1")]
        dmarc = _dmarc(ask, domain)
        dkim: list[str] = []
        if dkim_selector is not None and dkim_domain is not None:
            dkim = [text for text in _texts(ask, f"{dkim_selector}._domainkey.{dkim_domain}") if "p=" in text]
    except _Unanswered as error:
        return Records(unanswered=str(error))
    return Records(tuple(spf), tuple(dkim), tuple(dmarc))


class _Unanswered(Exception):  # noqa: N818 - a fact about the network
    pass


def _resolver(server: tuple[str, int] | None) -> Resolver:
    import dns.resolver

    try:
        resolver = dns.resolver.Resolver(configure=server is None)
    except dns.resolver.NoResolverConfiguration as error:
        raise _Unanswered("this machine knows no name server") from error
    if server is not None:
        resolver.nameservers, resolver.port = [server[0]], server[1]
    resolver.lifetime = WAIT
    return resolver


def _dmarc(ask: Resolver, domain: str) -> list[str]:
    """The domain's own policy, else that of its parent domains down to two labels (RFC 7489 6.6.3, near enough)."""
    labels = domain.split(".")
    for start in range(max(len(labels) - 1, 1)):
        name = ".".join(labels[start:])
        if found := [text for text in _texts(ask, f"_dmarc.{name}") if text.lower().startswith("v=dmarc1")]:
            return found
    return []


def _texts(ask: Resolver, name: str) -> list[str]:
    import dns.exception
    import dns.name
    import dns.resolver

    try:
        answer = ask.resolve(dns.name.from_text(name), "TXT")
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise _Unanswered(f"no name server answered about {name} ({type(error).__name__})") from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
