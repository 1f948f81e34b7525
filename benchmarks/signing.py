"""What a DKIM signature adds to a mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from benchmarks import shop
from benchmarks.building import builder
from benchmarks.figures import Figure, interleaved
from nurture.rendering.dkim import DkimSigner

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
TIMES = 200


def measure(*, quick: bool = False) -> list[Figure]:
    message = builder(shop.LARGE)(3)
    modern, common = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    signers = [DkimSigner("northwind.example", "s1", key) for key in (modern, common)]

    def times(sign: Callable[[], object]) -> Callable[[], object]:
        return lambda: [sign() for _ in range(TIMES)]

    small, large, bare = (
        seconds / TIMES
        for seconds in interleaved(
            [
                times(lambda: signers[0].sign(message, NOW, is_canonical=True)),
                times(lambda: signers[1].sign(message, NOW, is_canonical=True)),
                times(lambda: common.sign(b"x" * 600, padding.PKCS1v15(), hashes.SHA256())),
            ],
            3 if quick else 9,
        )
    )
    how = "CPU; fields chosen, body hashed and signed, 58-KB mail"
    return [
        Figure("an Ed25519 signature adds", 1e6 * small, "us", at_most=100, how=how),
        Figure(
            "an RSA-2048 signature, against one bare signature",
            large / bare, "times", at_most=1.3, against=f"{1e6 * large:,.0f} us against {1e6 * bare:,.0f} us", how=how,
        ),
    ]  # fmt: skip
