"""django-post_office: queue and send N mails to a sink. Runs in the peers' own environment: PORT N FOLDER."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

PORT, MAILS, FOLDER = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])


def set_up() -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    settings.configure(
        SECRET_KEY="benchmark" * 6, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        LOGGING_CONFIG=None,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "django.db")}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "post_office"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        EMAIL_HOST="127.0.0.1", EMAIL_PORT=PORT, EMAIL_BACKEND="post_office.EmailBackend",
        POST_OFFICE={"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
                     "BATCH_SIZE": MAILS, "LOG_LEVEL": 0, "THREADS_PER_PROCESS": 1},
    )  # fmt: skip
    django.setup()
    call_command("migrate", verbosity=0, run_syncdb=True)
    connection.cursor().execute("PRAGMA journal_mode=WAL")  # kinder than the default


def work() -> None:
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command
    from post_office import mail
    from post_office.models import Email, EmailTemplate

    read = {name: (FOLDER / name).read_text(encoding="utf-8") for name in ("mail.html", "mail.txt", "start.json")}
    template = EmailTemplate.objects.create(
        name="hello", subject="Your garden is ready", content=read["mail.txt"], html_content=read["mail.html"]
    )
    start = json.loads(read["start.json"])
    for first in range(0, MAILS, 500):
        mail.send_many([
            {
                "recipients": [f"contact{number}@example.net"],
                "sender": "hello@northwind.example",
                "template": template,
                "context": {
                    "start": start,
                    "contact": {"first_name": "Ann", "email": f"contact{number}@example.net"},
                    "unsubscribe_url": f"https://mail.northwind.example/u/{number}",
                    "preferences_url": f"https://mail.northwind.example/p/{number}",
                },
            }
            for number in range(first, min(MAILS, first + 500))
        ])  # fmt: skip
    call_command("send_queued_mail", processes=1, verbosity=0)
    assert Email.objects.filter(status=0).count() == MAILS


set_up()
cpu, wall = getrusage(RUSAGE_SELF), time.perf_counter()
work()
used = getrusage(RUSAGE_SELF)
spent = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
print(json.dumps({"cpu": spent, "wall": time.perf_counter() - wall}))
