"""Reports of mail providers as their documentation shows them, and what signs them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
PASSWORD = "reports:correct horse battery staple"
UNKNOWN_USER = "550 5.1.1 <ana@people.example>: user unknown"
ANA = "ana@people.example"


class Amazon:
    """Signs as SNS does; `fetch` is where its certificate is, and remembers what was asked of it."""

    def __init__(self, now: dt.datetime) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(1).not_valid_before(now - dt.timedelta(days=9))
        found = made.not_valid_after(now + dt.timedelta(days=9)).sign(self._key, hashes.SHA256())
        self.certificate = found.public_bytes(serialization.Encoding.PEM)
        self.asked: list[str] = []

    def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        return self.certificate

    def message(self, now: dt.datetime, inner: Any, version: str = "2", **changed: Any) -> bytes:
        """A notification, signed after what is `changed`."""
        message: dict[str, Any] = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Subject": "Amazon SES Email Event Notification",
            "Message": inner if isinstance(inner, str) else json.dumps(inner),
            "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            **changed,
        }
        if message["Type"] == "SubscriptionConfirmation":
            del message["Subject"]
        names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        message["Signature"] = base64.b64encode(self._key.sign(text, padding.PKCS1v15(), digest)).decode()
        return json.dumps(message).encode()

    def confirmation(self, now: dt.datetime, **changed: Any) -> bytes:
        told = {
            "Type": "SubscriptionConfirmation",
            "Token": "ab12" * 40,
            "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription",
            **changed,
        }
        return self.message(now, "You have chosen to subscribe to the topic.", **told)


class SendGrid:
    """Signs as SendGrid does; `public_key` is what its settings page shows."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = base64.b64encode(der).decode()

    def headers(self, now: dt.datetime, body: bytes) -> dict[str, str]:
        stamp = str(int(now.timestamp()))
        signed = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signed).decode(),
        }


def basic(password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(password.encode()).decode()}


def ses_bounce(
    source: str = "", kind: str = "Permanent", sub_kind: str = "General", said: str = "", status: str = "5.1.1"
) -> Any:
    recipient = {"emailAddress": ANA, "action": "failed", "status": status}
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": sub_kind,
            "bouncedRecipients": [{**recipient, "diagnosticCode": said or f"smtp; {UNKNOWN_USER}"}],
            "timestamp": "2026-03-02T08:59:00.000Z",
            "feedbackId": "00000138111222aa-33322211-cccc",
            "reportingMTA": "dns; email.example.com",
        },
        "mail": {
            "timestamp": "2026-03-02T08:58:00.000Z",
            "source": source,
            "messageId": "0000-1",
            "destination": [ANA],
        },
    }


def ses_complaint(source: str = "", kind: str = "abuse") -> Any:
    return {
        "notificationType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": ANA}],
            "timestamp": "2026-03-02T08:59:00.000Z",
            "feedbackId": "000001378603177f-18c07c78",
            "complaintFeedbackType": kind,
        },
        "mail": {"source": source, "messageId": "0000-2"},
    }


def mailgun(event: str, secret: str, now: dt.datetime, token: str = "t" * 50, sender: str = "", **fields: Any) -> bytes:
    stamp = str(int(now.timestamp()))
    signature = hmac.new(secret.encode(), (stamp + token).encode(), hashlib.sha256).hexdigest()
    told = {
        "event": event,
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": now.timestamp(),
        "recipient": ANA,
        "severity": "permanent",
        "reason": "bounce",
        "envelope": {"sender": sender, "transport": "smtp"},
        "message": {"headers": {"message-id": "20130503182626.18666.16540@northwind.example"}},
        "delivery-status": {"code": 550, "message": UNKNOWN_USER, "enhanced-code": "5.1.1", "description": ""},
        **fields,
    }
    return json.dumps(
        {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": told}
    ).encode()


def postmark(record: str = "Bounce", **fields: Any) -> Any:
    return {
        "RecordType": record,
        "ID": 42,
        "Type": "HardBounce",
        "MessageID": "00000000-0000-0000-0000-000000000000",
        "Email": ANA,
        "Details": f"smtp;{UNKNOWN_USER}",
        "Description": "The server was unable to deliver your message",
        "BouncedAt": "2026-03-02T08:59:00Z",
        **fields,
    }


def sendgrid(event: str = "bounce", **fields: Any) -> Any:
    return {
        "event": event,
        "email": ANA,
        "timestamp": 1772441940,
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "type": "bounce",
        "status": "5.1.1",
        "reason": UNKNOWN_USER,
        **fields,
    }


def mailjet(event: str = "bounce", **fields: Any) -> Any:
    return {
        "event": event,
        "time": 1772441940,
        "MessageID": 13792286917004336,
        "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
        "email": ANA,
        "blocked": False,
        "hard_bounce": True,
        "error_related_to": "recipient",
        "error": "user unknown",
        "comment": UNKNOWN_USER,
        **fields,
    }


def sparkpost(kind: str = "bounce", group: str = "message_event", **fields: Any) -> Any:
    told = {
        "type": kind,
        "event_id": "92356927693813856",
        "bounce_class": "10",
        "error_code": "550",
        "raw_reason": UNKNOWN_USER,
        "rcpt_to": ANA,
        "timestamp": "1772441940",
        "msg_from": "msprvs1=17827@bounces.northwind.example",
        **fields,
    }
    return {"msys": {group: told}}
