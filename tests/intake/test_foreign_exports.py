"""What Mailchimp, Klaviyo, HubSpot and listmonk export, as their documentation has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.intake.columns import remap
from nurture.intake.consents import words_in
from nurture.intake.contacts_csv import ContactRow, look_at, read_contacts
from nurture.intake.origins import Target

MAILCHIMP = (
    "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,"
    "GMTOFF,DSTOFF,TIMEZONE,CC,REGION,{more}LAST_CHANGED,LEID,EUID,NOTES,TAGS\n"
    'ana@example.com,Ana,Silva,2,"2015-03-01 10:33:02",192.0.2.4,"2015-03-01 11:00:00",192.0.2.4,38.7,-9.1,0,1,'
    'Europe/Lisbon,PT,11,{values}"2020-02-02 02:02:02",1,abc,"calls a lot","""vip"",""tea, green"""\n'
)
KLAVIYO = """\
Email,Klaviyo ID,First Name,Last Name,Phone Number,City,State / Region,Country,Zip Code,Latitude,Longitude,Source,\
IP Address,Email Marketing Consent,Email Marketing Consent Timestamp,SMS Marketing Consent,\
Email Suppressions,External ID
ana@example.com,01A,Ana,Silva,+351123,Lisbon,,PT,01000,38.7,-9.1,Form,192.0.2.4,SUBSCRIBED,2024-03-01T10:00:00+01:00,\
,,u-1
ben@example.com,01B,Ben,,,,,,,,,,,UNSUBSCRIBED,,,,
cid@example.com,01C,Cid,,,,,,,,,,,NEVER_SUBSCRIBED,,,,
dora@example.com,01D,Dora,,,,,,,,,,,SUBSCRIBED,2024-03-01T10:00:00Z,,HARD_BOUNCE,
eve@example.com,01E,Eve,,,,,,,,,,,SUBSCRIBED,2024-03-01T10:00:00Z,,SPAM_COMPLAINT,
fay@example.com,01F,Fay,,,,,,,,,,,SUBSCRIBED,2024-03-01T10:00:00Z,,UNSUBSCRIBE,
gil@example.com,01G,Gil,,,,,,,,,,,SUBSCRIBED,2024-03-01T10:00:00Z,,USER_SUPPRESSED,
"""
HUBSPOT = """\
Record ID,First Name,Last Name,Email,Lifecycle Stage,Time Zone,Preferred language,Create Date,Contact owner,\
Marketing contact status,Unsubscribed from all email,Email hard bounce reason,Invalid email address
101,Ana,Silva,ana@example.com,customer,europe_slash_lisbon,pt,2024-01-02 10:33,Max,Marketing contact,No,,No
102,Ben,,ben@example.com,lead,,,2024-01-02 10:33,,Non-marketing contact,Yes,,
103,Cid,,cid@example.com,lead,,,2024-01-02 10:33,,Non-marketing contact,,UNKNOWN_USER,
104,Dora,,dora@example.com,lead,,,2024-01-02 10:33,,,,,Yes
"""
LISTMONK = (
    "uuid,email,name,attributes,status,created_at,updated_at,lists\n"
    '0a-1,ana@example.com,Ana Silva,"{""city"": ""Lisbon"", ""visits"": 3}",enabled,2024-01-02T10:00:00Z,'
    '2024-01-03T10:00:00Z,"[{""id"": 1, ""name"": ""News"", ""optin"": ""double"",'
    ' ""subscription_status"": ""confirmed""}, {""id"": 2, ""name"": ""Old"",'
    ' ""subscription_status"": ""unsubscribed""}]"\n'
    "0a-2,bad@example.com,Bad,{},blocklisted,2024-01-02T10:00:00Z,2024-01-03T10:00:00Z,\n"
    "0a-3,off@example.com,Off,{},disabled,2024-01-02T10:00:00Z,2024-01-03T10:00:00Z,\n"
    '0a-4,ben@example.com,Ben,{},enabled,,,"[{""name"": ""News"", ""optin"": ""double"",'
    ' ""subscription_status"": ""unconfirmed""}]"\n'
    '0a-5,cid@example.com,Cid,{},enabled,,,"[{""name"": ""News"", ""optin"": ""single"",'
    ' ""subscription_status"": ""unconfirmed""}]"\n'
    '0a-6,dora@example.com,Dora,{},enabled,,,"[{""name"": ""News"", ""subscription_status"": ""unsubscribed""}]"\n'
)


def people(path: Path, origin: str | None = None) -> dict[str, ContactRow]:
    rows = list(read_contacts(look_at(path, origin)))
    found = {row.email.partition("@")[0]: row for row in rows if isinstance(row, ContactRow) and row.email}
    assert len(found) == len(rows)
    return found


def said(row: ContactRow) -> tuple[Consent | None, SuppressionReason | None]:
    return row.consent, row.suppressed


def written(tmp_path: Path, text: str, name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "more", "consent", "suppressed"),
    [
        ("subscribed_email_audience_export_1a.csv", "", Consent.GRANTED, None),
        ("unsubscribed_email_audience_export_1a.csv", "UNSUB_TIME,UNSUB_REASON,", Consent.WITHDRAWN, None),
        ("cleaned_email_audience_export_1a.csv", "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,", None, SuppressionReason.BOUNCED),
        ("nonsubscribed_email_audience_export_1a.csv", "", Consent.NONE, None),
        ("export.csv", "", None, None),
        ("renamed.csv", "UNSUB_TIME,UNSUB_REASON,", Consent.WITHDRAWN, None),
        ("subscribed_no_more.csv", "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,", None, SuppressionReason.BOUNCED),
    ],
)
def test_a_mailchimp_file_says_by_its_columns_or_its_name_what_its_people_agreed_to(
    tmp_path: Path, name: str, more: str, consent: Consent | None, suppressed: SuppressionReason | None
) -> None:
    values = '"2021-01-01 00:00:00",x,' if more else ""
    path = written(tmp_path, MAILCHIMP.format(more=more, values=values), name)
    assert look_at(path).origin == "mailchimp"
    ana = people(path)["ana"]
    assert said(ana) == (consent, suppressed)
    assert (ana.zone, ana.consent_at) == ("Europe/Lisbon", datetime(2015, 3, 1, 11, tzinfo=UTC))
    assert ana.attributes == {
        "first_name": "Ana", "last_name": "Silva", "country": "PT", "region": 11, "tags": ["vip", "tea, green"],
        "optin_time": "2015-03-01 10:33:02",
    }  # fmt: skip


def test_a_klaviyo_export_brings_consent_its_time_and_who_is_suppressed_and_why(tmp_path: Path) -> None:
    path = written(tmp_path, KLAVIYO)
    assert look_at(path).origin == "klaviyo"
    found = people(path)
    ana = found["ana"]
    assert (ana.external_id, ana.consent_at) == ("u-1", datetime(2024, 3, 1, 9, tzinfo=UTC))  # ours before Klaviyo's id
    assert ana.attributes == {
        "first_name": "Ana", "last_name": "Silva", "phone": "+351123", "city": "Lisbon", "country": "PT",
        "postal_code": "01000", "source": "Form", "klaviyo_id": "01A",
    }  # fmt: skip
    assert {name: said(row) for name, row in found.items()} == {
        "ana": (Consent.GRANTED, None),
        "ben": (Consent.WITHDRAWN, None),
        "cid": (Consent.NONE, None),
        "dora": (Consent.GRANTED, SuppressionReason.BOUNCED),
        "eve": (Consent.GRANTED, SuppressionReason.COMPLAINED),
        "fay": (Consent.WITHDRAWN, None),
        "gil": (Consent.GRANTED, SuppressionReason.MANUAL),
    }


def test_a_hubspot_export_brings_stages_and_every_no_but_no_yes(tmp_path: Path) -> None:
    path = written(tmp_path, HUBSPOT)
    assert look_at(path).origin == "hubspot"
    found = people(path)
    ana = found["ana"]
    assert (ana.external_id, ana.stage, ana.zone, ana.locale) == ("101", "customer", "Europe/Lisbon", "pt")
    assert ana.attributes == {"first_name": "Ana", "last_name": "Silva", "create_date": "2024-01-02 10:33"}
    assert {name: said(row) for name, row in found.items()} == {
        "ana": (None, None),
        "ben": (Consent.WITHDRAWN, None),
        "cid": (None, SuppressionReason.BOUNCED),
        "dora": (None, SuppressionReason.BOUNCED),
    }


def test_a_listmonk_export_brings_its_json_its_lists_and_its_blocklist(tmp_path: Path) -> None:
    path = written(tmp_path, LISTMONK)
    assert look_at(path).origin == "listmonk"
    found = people(path)
    assert found["ana"].attributes == {
        "name": "Ana Silva", "city": "Lisbon", "visits": 3, "lists": ["News"], "signed_up_at": "2024-01-02T10:00:00Z",
    }  # fmt: skip
    assert {name: said(row) for name, row in found.items()} == {
        "ana": (Consent.GRANTED, None),
        "bad": (None, SuppressionReason.MANUAL),
        "off": (Consent.NONE, None),
        "ben": (Consent.NONE, None),  # never confirmed
        "cid": (Consent.GRANTED, None),
        "dora": (Consent.WITHDRAWN, None),
    }


def test_who_wrote_a_file_can_be_said_where_its_header_does_not_tell(tmp_path: Path) -> None:
    text = "Email Address,First Name,NOTES,TAGS\nana@example.com,Ana,x,\n"
    path = written(tmp_path, text, "unsubscribed_members.csv")
    assert said(people(path)["ana"]) == (None, None)
    ana = people(path, "mailchimp")["ana"]
    assert said(ana) == (Consent.WITHDRAWN, None)
    assert ana.attributes == {"first_name": "Ana"}
    plain = written(tmp_path, MAILCHIMP.format(more="", values=""), "subscribed.csv")
    assert people(plain, "csv")["ana"].attributes["leid"] == 1


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("consent,unsubscribed", "yes,2024-01-02", (Consent.WITHDRAWN, None)),  # a date of leaving is a no
        ("consent,unsubscribed", "yes,false", (Consent.GRANTED, None)),
        ("consent,Opted out", "cleaned,yes", (Consent.WITHDRAWN, SuppressionReason.BOUNCED)),
    ],
)
def test_of_two_columns_that_disagree_the_no_counts(
    tmp_path: Path, columns: str, cells: str, expected: tuple[Consent, SuppressionReason | None]
) -> None:
    assert said(people(written(tmp_path, f"email,{columns}\nana@example.com,{cells}\n"))["ana"]) == expected


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("vip", ["vip"]),
        ("vip, tea", ["vip", "tea"]),
        ("vip;tea, green", ["vip", "tea, green"]),
        ('"vip","tea, green"', ["vip", "tea, green"]),
        ('["vip", 3]', ["vip", "3"]),
        ("[vip", ["[vip"]),
        ('"open', ["open"]),
        ("a\nb,,c", ["a b", "c"]),
    ],
)
def test_a_cell_of_several_words_is_a_list(cell: str, words: list[str]) -> None:
    assert words_in(cell) == words


def test_any_column_can_be_made_a_list(tmp_path: Path) -> None:
    source = look_at(written(tmp_path, "email,Interests,Bad\na@example.com,tea;rakes,yes\n"))
    columns = remap(source.columns, {"Interests": "contact.likes[]", "Bad": "suppressed"})
    assert [(each.target, each.name, each.meaning) for each in columns[1:]] == [
        (Target.ATTRIBUTE, "likes", "contact.likes (list)"),
        (Target.SUPPRESSED, "", "who is suppressed, and why"),
    ]
