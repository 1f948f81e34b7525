"""Who sent a report: signatures of providers, checked on the octets as they came, before anything is read from them.

Comparisons take constant time. A report may be a day old: providers try again for up to a day with the first signature,
and a report that comes twice has no second effect.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.errors import ConfigurationError

STALE, AHEAD = timedelta(hours=25), timedelta(minutes=5)
_HOST = re.compile(
    r"https://sns\.[a-z0-9-]{5,30}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{8,64}\.pem"
)
_ARN = re.compile(r"arn:aws[a-z-]{0,10}:sns:([a-z0-9-]{5,30}):\d{12}:[A-Za-z0-9_-]{1,256}")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class ForgedError(ValueError):
    """It does not come from the provider, or too late. The text says which check failed, and holds nothing of it."""


def check_password(secret: str, authorization: str | None) -> None:
    """`secret` is `user:password` for Basic, or a token for Bearer. Raises ForgedError."""
    kind, _, value = (authorization or "").strip().partition(" ")
    if ":" in secret:
        try:
            given = base64.b64decode(value.strip(), validate=True) if kind.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
    else:
        given = value.strip().encode() if kind.lower() == "bearer" else b""
    if not hmac.compare_digest(given, secret.encode()):
        raise ForgedError("its password is not the one that is set")


def check_mailgun(secret: str, signature: Any, now: datetime) -> str:
    """`signature` is that part of the body; the answer is its token, which is good for one body. Raises ForgedError."""
    parts = signature if isinstance(signature, dict) else {}
    stamp, token, given = (str(parts.get(name, ""))[:200] for name in ("timestamp", "token", "signature"))
    wanted = hmac.new(secret.encode(), f"{stamp}{token}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
        raise ForgedError("its signature does not fit")
    _check_time(stamp, now)
    return token


def check_sendgrid(public_key: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """ECDSA over P-256 and SHA-256 of the timestamp and the body. Raises ForgedError, ConfigurationError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        assert isinstance(key, ec.EllipticCurvePublicKey)
    except (ValueError, AssertionError):
        raise ConfigurationError("NURTURE_WEBHOOK_SENDGRID is no verification key, as SendGrid shows it") from None
    stamp = headers.get("x-twilio-email-event-webhook-timestamp", "")[:40]
    try:
        given = base64.b64decode(headers.get("x-twilio-email-event-webhook-signature", ""), validate=True)
        key.verify(given, stamp.encode() + body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise ForgedError("its signature does not fit") from None
    _check_time(stamp, now)


def certificate_address(message: Any, topics: str) -> str:
    """Where the certificate of a message of one of `topics` is (ARNs with commas between), if that is with Amazon.

    Raises ForgedError.
    """
    if not isinstance(message, dict) or message.get("TopicArn") not in {each.strip() for each in topics.split(",")}:
        raise ForgedError("its topic is not the one that is set")
    address = message.get("SigningCertURL")
    if not isinstance(address, str) or not _HOST.fullmatch(address):
        raise ForgedError("its certificate is not with Amazon")
    return address


def check_sns(message: Mapping[str, Any], certificate: bytes, now: datetime) -> None:
    """An SNS message, of signature version 1 or 2. Raises ForgedError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.x509 import load_pem_x509_certificate

    names = _SIGNED.get(str(message.get("Type")))
    if names is None:
        raise ForgedError("it is no message of SNS")
    text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
    # Version 1 is Amazon's default for topics, and signs with SHA-1.
    digest = hashes.SHA256() if message.get("SignatureVersion") == "2" else hashes.SHA1()  # noqa: S303
    try:
        found = load_pem_x509_certificate(certificate)
        key = found.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        given = base64.b64decode(str(message.get("Signature")), validate=True)
        key.verify(given, text.encode("utf-8", "replace"), padding.PKCS1v15(), digest)
    except (InvalidSignature, binascii.Error, ValueError, AssertionError):
        raise ForgedError("its signature does not fit") from None
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise ForgedError("its certificate is not valid now")
    _check_time(str(message.get("Timestamp")), now)


def confirmation_address(message: Mapping[str, Any]) -> str:
    """What confirms a subscription: made of the topic, not taken from the message. Raises ForgedError."""
    topic, token = str(message.get("TopicArn")), str(message.get("Token"))
    found = _ARN.fullmatch(topic)
    if found is None or not re.fullmatch(r"[0-9a-f]{20,400}", token):
        raise ForgedError("its topic or its token is not one of SNS")
    host = f"sns.{found[1]}.amazonaws.com{'.cn' if found[1].startswith('cn-') else ''}"
    return f"https://{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"


def _check_time(stamp: str, now: datetime) -> None:
    try:
        at = datetime.fromtimestamp(float(stamp), UTC) if "-" not in stamp else datetime.fromisoformat(stamp)
    except (ValueError, OverflowError, OSError):
        raise ForgedError("it does not say when it was sent") from None
    if at.tzinfo is None or not now - STALE <= at <= now + AHEAD:
        raise ForgedError("it was sent too long ago, or its clock is wrong")
