"""What columns of contact files can fill, and what the exports of well-known tools mean by theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nurture.domain.contact import Consent, SuppressionReason


class Target(StrEnum):
    """What a column fills. `attribute` needs a name.

    `opted_out`, `bounced` and `suppressed` only ever say no, so a file may have several of them.
    """

    EMAIL = "email"
    EXTERNAL_ID = "external_id"
    ZONE = "zone"
    LOCALE = "locale"
    STAGE = "stage"
    CONSENT = "consent"
    CONSENT_AT = "consent_at"
    LISTS = "lists"
    OPTED_OUT = "opted_out"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    ATTRIBUTE = "attribute"
    ATTRIBUTES = "attributes"
    IGNORE = "ignore"


NOES = frozenset({Target.OPTED_OUT, Target.BOUNCED, Target.SUPPRESSED})
REPEATABLE = NOES | {Target.ATTRIBUTE, Target.IGNORE}


class Kind(StrEnum):
    """How the values of an attribute are read."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes or no"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Origin:
    """A tool that writes such files: known by headers only it uses, all of one signature being there.

    Headers are written as words in lower case. `meanings` stand before those that any file has. `status` is what a
    header says of everybody in the file, `by_name` what the beginning of the file's name says.
    """

    signatures: tuple[frozenset[str], ...]
    meanings: Mapping[str, Target] = field(default_factory=dict)
    status: Mapping[str, Consent | SuppressionReason] = field(default_factory=dict)
    by_name: Mapping[str, Consent | SuppressionReason] = field(default_factory=dict)

    def said_of_all(self, headers: frozenset[str], name: str) -> Consent | SuppressionReason | None:
        """What is said of all people of a file by its headers, else by its name."""
        by_header = next((said for header, said in self.status.items() if header in headers), None)
        lowered = name.lower()
        return by_header or next((said for start, said in self.by_name.items() if lowered.startswith(start)), None)


def _left_out(*headers: str) -> dict[str, Target]:
    return dict.fromkeys(headers, Target.IGNORE)


ORIGINS: Mapping[str, Origin] = {
    # One file for each status: https://mailchimp.com/help/view-export-contacts/
    "mailchimp": Origin(
        signatures=(frozenset({"member rating", "leid", "euid"}),),
        meanings={
            "status": Target.CONSENT,
            **_left_out(
                "member rating", "optin ip", "confirm ip", "latitude", "longitude", "gmtoff", "dstoff", "last changed",
                "leid", "euid", "notes", "unsub time", "unsub campaign title", "unsub campaign id", "unsub reason",
                "unsub reason other", "clean time", "clean campaign title", "clean campaign id",
            ),
        },
        status={"unsub time": Consent.WITHDRAWN, "clean time": SuppressionReason.BOUNCED},
        by_name={
            "unsub": Consent.WITHDRAWN,
            "cleaned": SuppressionReason.BOUNCED,
            "non": Consent.NONE,
            "subscribed": Consent.GRANTED,
        },
    ),
    # https://help.klaviyo.com: export of lists, segments and suppressed profiles
    "klaviyo": Origin(
        signatures=(frozenset({"klaviyo id"}), frozenset({"email marketing consent"})),
        meanings={
            "email marketing consent": Target.CONSENT,
            "email marketing consent timestamp": Target.CONSENT_AT,
            **dict.fromkeys(
                ("email suppressions", "email suppression", "email suppressed", "suppressed", "suppressions",
                 "suppression reason", "email suppression reason", "email marketing suppressions"),
                Target.SUPPRESSED,
            ),
            **_left_out(
                "sms marketing consent", "sms marketing consent timestamp", "sms suppressions", "ip address",
                "latitude", "longitude", "email suppressions timestamp", "email suppression timestamp",
                "suppression timestamp", "profile updated on", "updated",
            ),
        },
    ),
    # https://knowledge.hubspot.com/import-and-export/export-records; default contact properties
    "hubspot": Origin(
        signatures=(
            frozenset({"record id", "lifecycle stage"}),
            frozenset({"record id", "marketing contact status"}),
            frozenset({"record id", "unsubscribed from all email"}),
        ),
        meanings={
            "unsubscribed from all email": Target.OPTED_OUT,
            "email hard bounce reason": Target.BOUNCED,
            "invalid email address": Target.BOUNCED,
            "email address quarantined": Target.SUPPRESSED,
            "email address quarantine reason": Target.SUPPRESSED,
            **_left_out(
                "marketing contact status", "contact owner", "associated company ids", "associated company",
                "associated company ids primary", "associated company primary", "last modified date",
                "last activity date", "lead status updated at", "associated deal ids", "associated ticket ids",
            ),
        },
    ),
    # cmd/subscribers.go writes the file; `lists` is what GET /api/subscribers has under that name
    "listmonk": Origin(
        signatures=(frozenset({"uuid", "attributes", "status"}), frozenset({"email", "name", "attributes"})),
        meanings={"status": Target.CONSENT, "lists": Target.LISTS, **_left_out("updated at", "id")},
    ),
}  # fmt: skip
CSV = "csv"  # a file of nobody in particular
NAMES = (*sorted(ORIGINS), CSV)


def origin_of(headers: frozenset[str]) -> str:
    """The tool that wrote a file with these headers, "csv" if no signature fits."""
    return next(
        (name for name, origin in ORIGINS.items() if any(signature <= headers for signature in origin.signatures)), CSV
    )
