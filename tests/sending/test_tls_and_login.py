from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.retry import Fault, Phase, Scope, classify
from nurture.sending.connect import open_session, tls_context
from nurture.sending.outcome import NoSession
from nurture.sending.relay import Relay, Security
from nurture.testing.certificates import Authority
from nurture.testing.outgoing import brisk
from nurture.testing.smtp import ScriptedServer, drop, hang, raw, say

HOW = pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
LOGIN = {"username": "shop", "password": "s3cret/ö"}
USERS = {"shop": "s3cret/ö"}


def server_with(certificate, security, **options):
    return ScriptedServer(certificate=certificate, implicit_tls=security is Security.IMPLICIT, **options)


def untouched(server):
    """Nobody logged in and nobody was named."""
    return not [line for line in server.commands if line.startswith(("AUTH", "MAIL", "RCPT"))]


@HOW
def test_a_mail_goes_encrypted_and_logged_in(security, authority, attempt):
    with server_with(authority.issue("localhost"), security, users=USERS) as server:
        result = attempt(server, host="localhost", security=security, ca_file=authority.root, **LOGIN)
    assert result.phase is Phase.DONE
    assert (server.messages[0].tls, server.messages[0].user) == (True, "shop")


@HOW
def test_an_address_in_the_certificate_is_a_name_too(security, authority, attempt):
    with server_with(authority.issue("127.0.0.1"), security) as server:
        assert attempt(server, security=security, ca_file=authority.root).phase is Phase.DONE


@HOW
@pytest.mark.parametrize("wrong", ["self-signed", "other name", "expired"])
def test_a_certificate_that_does_not_hold_stops_everything(wrong, security, authority, attempt, tmp_path):
    signer = Authority(tmp_path, "somebody else") if wrong == "self-signed" else authority
    name = "mail.elsewhere.example" if wrong == "other name" else "localhost"
    with server_with(signer.issue(name, expired=wrong == "expired"), security, users=USERS) as server:
        result = attempt(server, host="localhost", security=security, ca_file=authority.root, **LOGIN)
    assert (result.phase, result.fault) == (Phase.TLS, Fault.BAD_CERTIFICATE)
    assert classify(result).scope is Scope.RELAY_MISCONFIGURED
    assert "certificate" in result.text
    assert untouched(server)


def test_without_starttls_there_is_no_login_and_no_mail(attempt):
    with ScriptedServer(users=USERS) as server:
        result = attempt(server, security=Security.STARTTLS, **LOGIN)
    assert (result.phase, result.fault) == (Phase.TLS, Fault.NO_TLS)
    assert "STARTTLS" in result.text
    assert classify(result).alarm
    assert untouched(server)


@pytest.fixture
def old_context(authority) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return authority.issue("localhost").server_context(newest=ssl.TLSVersion.TLSv1_1)


def test_tls_1_1_is_too_old(old_context, authority):
    """Over a blocking socket, as asyncio's server closes without the alert that real servers send."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[str] = []

        def refuse() -> None:
            connection, _ = listener.accept()
            try:
                old_context.wrap_socket(connection, server_side=True)
            except ssl.SSLError as error:
                heard.append(error.reason)
            finally:
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        port = listener.getsockname()[1]
        relay = Relay("localhost", port, Security.IMPLICIT, ca_file=authority.root, timeouts=brisk())
        with pytest.raises(NoSession) as failure:
            asyncio.run(open_session(relay, tls_context(relay)))
        thread.join()
    assert (failure.value.attempt.phase, failure.value.attempt.fault) == (Phase.TLS, Fault.NO_TLS)
    assert heard == ["UNSUPPORTED_PROTOCOL"]


@HOW
def test_a_failed_handshake_never_leads_to_a_login_or_a_mail(security, authority, attempt, old_context):
    server = server_with(authority.issue("localhost"), security, users=USERS)
    server.context = old_context
    with server:
        result = attempt(server, host="localhost", security=security, ca_file=authority.root, **LOGIN)
    assert classify(result).scope.is_relay
    assert untouched(server)


def test_tls_to_a_server_that_speaks_in_clear_is_a_wrong_set_up(attempt):
    with ScriptedServer() as server:
        result = attempt(server, security=Security.IMPLICIT)
    assert (result.phase, result.fault) == (Phase.TLS, Fault.NO_TLS)


@pytest.mark.parametrize(
    ("act", "code", "fault", "scope"),
    [
        (say("454 4.7.0 TLS not available for now"), 454, None, Scope.RELAY_DOWN),
        (say("502 5.5.1 no"), 502, None, Scope.RELAY_MISCONFIGURED),
        (drop(), None, Fault.CLOSED, Scope.RELAY_DOWN),
        (hang(), None, Fault.TIMED_OUT, Scope.RELAY_DOWN),
        (raw(b"220 go\r\n") .then_close(), None, Fault.CLOSED, Scope.RELAY_DOWN),
    ],
    ids=["454", "502", "drop", "hang", "220 and drop"],
)  # fmt: skip
def test_a_refused_starttls_is_never_passed_over(act, code, fault, scope, authority, attempt):
    with server_with(authority.issue("localhost"), Security.STARTTLS, script={"STARTTLS": act}) as server:
        result = attempt(
            server, host="localhost", security=Security.STARTTLS, ca_file=authority.root, timeouts=brisk(greeting=0.5)
        )
    assert (result.phase, result.code, result.fault) == (Phase.TLS, code, fault)
    assert classify(result).scope is scope
    assert untouched(server)


def test_what_is_said_in_clear_behind_starttls_is_thrown_away(authority, attempt):
    """A man in the middle may add replies before the encryption begins (RFC 3207 6)."""
    injected = raw(b"220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n")
    with server_with(authority.issue("localhost"), Security.STARTTLS, script={"STARTTLS": injected}) as server:
        result = attempt(server, host="localhost", security=Security.STARTTLS, ca_file=authority.root)
    assert result.phase is Phase.DONE


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "GSSAPI LOGIN PLAIN"])
def test_the_common_ways_to_log_in_work(mechanisms, authority, attempt):
    certificate = authority.issue("localhost")
    with server_with(certificate, Security.IMPLICIT, users=USERS, auth=mechanisms) as server:
        result = attempt(server, host="localhost", security=Security.IMPLICIT, ca_file=authority.root, **LOGIN)
    assert result.phase is Phase.DONE
    assert server.messages[0].user == "shop"


@pytest.mark.parametrize(
    ("script", "code", "scope"),
    [
        ({}, 535, Scope.RELAY_MISCONFIGURED),
        ({"AUTH": say("534 5.7.9 too weak")}, 534, Scope.RELAY_MISCONFIGURED),
        ({"AUTH": say("538 5.7.11 encrypt")}, 538, Scope.RELAY_MISCONFIGURED),
        ({"AUTH": say("454 4.7.0 later")}, 454, Scope.RELAY_DOWN),
        ({"AUTH": say("421 too many").then_close()}, 421, Scope.RELAY_DOWN),
    ],
    ids=["535", "534", "538", "454", "421"],
)
def test_a_refused_login_is_one_try_and_names_nobody(script, code, scope, authority, attempt):
    certificate = authority.issue("localhost")
    with server_with(certificate, Security.IMPLICIT, users={"shop": "another"}, script=script) as server:
        result = attempt(server, host="localhost", security=Security.IMPLICIT, ca_file=authority.root, **LOGIN)
    assert (result.phase, result.code) == (Phase.AUTH, code)
    verdict = classify(result)
    assert (verdict.scope, verdict.uses_try, verdict.state) == (scope, False, DeliveryState.DEFERRED)
    assert len([line for line in server.commands if line.startswith("AUTH")]) == 1, "each wrong try may lock us out"
    assert not [line for line in server.commands if line.startswith("MAIL")]


def test_the_password_is_not_repeated_when_the_server_repeats_it(authority, attempt):
    script = {"AUTH": say(f"535 5.7.8 {USERS['shop']} is wrong")}
    with server_with(authority.issue("localhost"), Security.IMPLICIT, users=USERS, script=script) as server:
        result = attempt(server, host="localhost", security=Security.IMPLICIT, ca_file=authority.root, **LOGIN)
    assert result.text == "5.7.8 *** is wrong"


def test_a_server_without_a_login_we_know_is_a_wrong_set_up(authority, attempt):
    with server_with(authority.issue("localhost"), Security.IMPLICIT, users=USERS, auth="GSSAPI") as server:
        result = attempt(server, host="localhost", security=Security.IMPLICIT, ca_file=authority.root, **LOGIN)
    assert (result.phase, result.fault) == (Phase.AUTH, Fault.NO_AUTH)
    assert "gssapi" in result.text


def test_even_a_wrongly_built_relay_never_logs_in_in_clear(attempt):
    with ScriptedServer(users=USERS) as server:
        result = attempt(server, security=Security.OFF, **LOGIN)
    assert (result.phase, result.fault) == (Phase.AUTH, Fault.NO_AUTH)
    assert untouched(server)


@HOW
def test_a_mail_lost_after_the_dot_is_unknown_under_tls_too(security, authority, attempt):
    with server_with(authority.issue("localhost"), security, script={"DOT": drop()}) as server:
        result = attempt(server, host="localhost", security=security, ca_file=authority.root)
    assert classify(result).state is DeliveryState.UNKNOWN
    assert len(server.copies) == 1


def test_a_certificate_file_that_cannot_be_read_says_so(tmp_path, attempt):
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    with ScriptedServer() as server:
        result = attempt(server, security=Security.IMPLICIT, ca_file=broken)
    assert (result.phase, result.fault) == (Phase.TLS, Fault.BAD_CERTIFICATE)
    assert "broken.pem" in result.text
