"""The kinds of files there are, and the model of each. Also the source of the JSON Schema."""

from __future__ import annotations

from nurture.language.behaviour_file import BehaviourFile, CapsFile
from nurture.language.campaign_file import CampaignFile
from nurture.language.incoming_file import EventsFile, WebhooksFile
from nurture.language.people_file import PersonFile, StoryFile
from nurture.language.project_file import ProjectFile, SegmentsFile
from nurture.language.steps import Strict

FILE_KINDS: dict[str, type[Strict]] = {
    "campaign": CampaignFile,
    "project": ProjectFile,
    "segments": SegmentsFile,
    "person": PersonFile,
    "test": StoryFile,
    "behaviour": BehaviourFile,
    "caps": CapsFile,
    "events": EventsFile,
    "webhooks": WebhooksFile,
}
