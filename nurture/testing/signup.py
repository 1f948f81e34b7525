"""A form to sign up with, and the campaign that asks whether it was her: what tests of both share."""

from __future__ import annotations

PROJECT = """\
forms:
  news:
    event: Newsletter Subscribed
    confirm: confirm
    topics: [tips, offers]
    fields: [first_name]
    texts:
      en: {title: Our letters, wording: I would like your letters., thanks: Good to have you.}
      fi: {title: Kirjeemme, wording: Haluan kirjeitänne., thanks: Mukavaa.}
"""
CONFIRM = """\
campaign: confirm
start: {manual: true}
steps:
  - {id: ask, send: ask, kind: transactional, late: drop after 1 day}
"""
