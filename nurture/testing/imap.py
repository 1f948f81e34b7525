"""A small IMAP server for tests: one folder, one user, the commands that a reader of unseen mails needs."""

from __future__ import annotations

import re
import socketserver

from nurture.testing.listener import Serving

PASSWORD = "imap secret"


class ImapServer(Serving):
    """`mails` by UID; `seen` are those marked so, `gone` those deleted meanwhile; `said` are the commands."""

    def __init__(self, *mails: bytes) -> None:
        self.mails = {10 * (number + 1): mail for number, mail in enumerate(mails)}
        self.seen: set[int] = set()
        self.gone: set[int] = set()
        self.said: list[str] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"* OK ready\r\n")
                for line in self.rfile:
                    tag, _, command = line.decode().strip().partition(" ")
                    server.said.append(command if not command.startswith("LOGIN") else "LOGIN")
                    for told in server.answer(command):
                        self.wfile.write(told)
                    bad = command.startswith("LOGIN") and PASSWORD not in command
                    self.wfile.write(f"{tag} {'NO bad ' + command if bad else 'OK done'}\r\n".encode())
                    if command == "LOGOUT":
                        return

        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        tcp.daemon_threads = True
        super().__init__(tcp)
        self.port = tcp.server_address[1]

    def answer(self, command: str) -> list[bytes]:
        """The untagged lines of an answer."""
        uids = sorted(self.mails)
        if command == "CAPABILITY":
            return [b"* CAPABILITY IMAP4rev1\r\n"]
        if command.startswith("SELECT"):
            return [f"* {len(uids)} EXISTS\r\n".encode(), b"* OK [UIDVALIDITY 7] valid\r\n"]
        if found := re.match(r"UID SEARCH (\d+):(\d+) UNSEEN", command):
            inside = uids[int(found[1]) - 1 : int(found[2])]
            return [f"* SEARCH {' '.join(str(uid) for uid in inside if uid not in self.seen)}\r\n".encode()]
        if found := re.match(r"UID FETCH (\d+) \(UID BODY\.PEEK\[\]<0\.(\d+)>\)", command):
            uid, most = int(found[1]), int(found[2])
            if uid in self.gone:
                return []
            part = self.mails[uid][:most]
            return [f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(part)}}}\r\n".encode(), part, b")\r\n"]
        if found := re.match(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", command):
            self.seen.add(int(found[1]))
        return []
