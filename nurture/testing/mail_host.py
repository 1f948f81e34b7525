"""A mail host of programs that nobody here wrote: a private Postfix, whose Maildirs a private Dovecot serves by IMAP.

    with MailHost(program, boxes={"people.example": "people"}) as host:
        host.smtp_port                # hand it mail here
        host.fetch("people", 3)       # the octets of three mails, once they are there, by IMAP

Needs root, as these programs do. Mail for other domains goes `onward`, to a port of this machine. Everything lives in
one folder, which is gone afterwards.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from nurture.testing.processes import free_port, until

_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/postfix.log
maillog_file_prefixes = {root}
myhostname = host.northwind.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_tls_security_level = none
default_transport = {onward}
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""
_IMAP = """\
protocols = imap
listen = 127.0.0.1
base_dir = {root}/dovecot
log_path = {root}/dovecot.log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{root}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
}}
"""
_PASSWORD = "lab"


class MailHost:
    """`boxes` is a Maildir's name by domain: it takes all mail of that domain."""

    def __init__(self, program: Callable[[str], str], boxes: Mapping[str, str], onward: int | None = None) -> None:
        self.smtp_port, self.imap_port = free_port(), free_port()
        self._program, self._boxes, self._onward = program, boxes, onward
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.root = Path(tempfile.mkdtemp(prefix="nurture-mail-"))
        self.root.chmod(0o755)
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail", "dovecot"):
            (self.root / name).mkdir()
        for name in ("data", "mail"):
            os.chown(self.root / name, owner.pw_uid, owner.pw_gid)
        shared = {"root": self.root, "uid": owner.pw_uid, "gid": owner.pw_gid}
        boxes = ", ".join(f"{{ @{domain} = {name}/ }}" for domain, name in self._boxes.items())
        onward = f"smtp:[127.0.0.1]:{self._onward}" if self._onward is not None else "error:nowhere"
        main = _MAIN.format(domains=" ".join(self._boxes), boxes=boxes, onward=onward, **shared)
        (self.root / "etc" / "main.cf").write_text(main)
        (self.root / "etc" / "master.cf").write_text(_SERVICES.format(port=self.smtp_port))
        (self.root / "dovecot.conf").write_text(_IMAP.format(port=self.imap_port, password=_PASSWORD, **shared))
        self._start(self._program("postfix"), "-c", str(self.root / "etc"), "start-fg")
        self._start(self._program("dovecot"), "-F", "-c", str(self.root / "dovecot.conf"))
        until(lambda: self._listens(self.smtp_port) and self._listens(self.imap_port), 60, self.log)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            [self._program("postfix"), "-c", str(self.root / "etc"), "abort"], capture_output=True, check=False
        )
        for running in self._running:
            with suppress(ProcessLookupError):
                running.terminate()
            running.wait(30)
        shutil.rmtree(self.root, ignore_errors=True)

    def folder(self, box: str) -> Path:
        """The Maildir itself."""
        return self.root / "mail" / box

    @property
    def log(self) -> str:
        """What both said, for the message of a test that fails."""
        logs = (self.root / name for name in ("postfix.log", "dovecot.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())

    def until_delivered(self, box: str, number: int, seconds: float = 60) -> None:
        new = self.folder(box) / "new"
        until(lambda: new.is_dir() and sum(1 for _ in new.iterdir()) >= number, seconds, f"{number} mails in {box}")

    def fetch(self, box: str, number: int) -> list[bytes]:
        """Every mail of a box by IMAP, once there are so many."""
        self.until_delivered(box, number)
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30) as client:
            client.login(box, _PASSWORD)
            client.select(readonly=True)
            _, found = client.fetch("1:*", "(BODY.PEEK[])")
        return [each[1] for each in found if isinstance(each, tuple)]

    def _start(self, *command: str) -> None:
        self._running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def _listens(self, port: int) -> bool:
        wanted = f"0100007F:{port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(line[1] == wanted and line[3] == "0A" for line in lines)
