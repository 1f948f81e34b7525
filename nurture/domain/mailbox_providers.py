"""Which provider stands behind a mail domain, where one company runs several: pace is theirs, not the name's."""

from __future__ import annotations

from functools import lru_cache

_FAMILIES = {
    "google": ("gmail.com", "googlemail.com", "google.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com", "windowslive.com"),
    "yahoo": ("yahoo.com", "ymail.com", "rocketmail.com", "myyahoo.com", "aol.com", "aim.com", "verizon.net"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "gmx": ("gmx.com", "gmx.net", "gmx.de", "gmx.at", "gmx.ch", "web.de", "mail.com"),
    "proton": ("proton.me", "protonmail.com", "pm.me"),
    "yandex": ("yandex.com", "yandex.ru", "ya.ru"),
}
_FAMILY_OF = {domain: family for family, domains in _FAMILIES.items() for domain in domains}
# hotmail.co.uk, outlook.fr, live.se, yahoo.co.jp: one name, many countries.
_NATIONAL = {"hotmail": "microsoft", "outlook": "microsoft", "live": "microsoft", "yahoo": "yahoo"}
_SECOND_LEVELS = frozenset({"co", "com", "org", "net"})


def provider_of(address_or_domain: str) -> str:
    """`google`, `microsoft`, ... or the domain itself in lower case. Accepts `ana@Gmail.com` and `gmail.com`."""
    return _provider(address_or_domain.rpartition("@")[2].lower().rstrip("."))


@lru_cache(maxsize=4096)
def _provider(domain: str) -> str:
    known = _FAMILY_OF.get(domain)
    if known is not None:
        return known
    name, _, rest = domain.partition(".")
    labels = rest.split(".")
    is_national = len(labels[-1]) == 2 and (len(labels) == 1 or (len(labels) == 2 and labels[0] in _SECOND_LEVELS))
    return _NATIONAL.get(name, domain) if is_national else domain
