"""Mails that come back, as mail servers write them: DSNs of several families, complaints, answers."""

from __future__ import annotations

NO_SUCH_USER = "550 5.1.1 <ana@people.example>: Recipient address rejected: User unknown in virtual mailbox table"


def dsn(
    to: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnosis: str = NO_SUCH_USER,
    returned: str = "Message-ID: <one@mail.example>",
    original: str = "",
    envid: str = "",
    message_id: str = "dsn-1",
) -> bytes:
    """As Postfix writes it (RFC 3464)."""
    of_mail = f"Original-Envelope-Id: {envid}\n" if envid else ""
    of_person = f"Original-Recipient: rfc822;{original}\n" if original else ""
    return f"""\
Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@mx.people.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <{message_id}@mx.people.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="AAA"

--AAA
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.people.example. I'm sorry.

<ana@people.example>: host said: {diagnosis}

--AAA
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.people.example
{of_mail}Arrival-Date: Mon,  2 Mar 2026 09:00:00 +0000 (UTC)

Final-Recipient: rfc822; ana@people.example
{of_person}Action: {action}
Status: {status}
Remote-MTA: dns; mx.people.example
Diagnostic-Code: smtp; {diagnosis}

--AAA
Content-Type: text/rfc822-headers

{returned}
Subject: Hello

--AAA--
""".encode()


def qmail_bounce(to: str) -> bytes:
    """No MIME at all: the form of qmail (QSBMF)."""
    return f"""\
Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@old.example
To: {to}
Subject: failure notice
Message-ID: <qmail-1@old.example>

Hi. This is the qmail-send program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ana@people.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <b@shop.example>
Subject: Hello
""".encode()


def arf(kind: str, returned: str, *, sender: str = "", message_id: str = "arf-1") -> bytes:
    """As mailbox providers write it (RFC 5965)."""
    original = f"Original-Mail-From: <{sender}>\n" if sender else ""
    return f"""\
From: <feedback@isp.example>
To: <fbl@shop.example>
Subject: FW: Hello
Message-ID: <{message_id}@isp.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="BBB"

--BBB
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from 192.0.2.1.

--BBB
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{original}
--BBB
Content-Type: message/rfc822
Content-Disposition: inline

{returned}
Subject: Hello

Hello there
--BBB--
""".encode()


def plain(to: str, subject: str = "unsubscribe", extra: str = "", message_id: str = "plain-1") -> bytes:
    """A mail by a person, or by her mail program."""
    return f"""\
From: Ana <ana@people.example>
To: {to}
Subject: {subject}
Message-ID: <{message_id}@people.example>
{extra}
Hello.
""".encode()
