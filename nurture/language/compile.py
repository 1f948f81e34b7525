"""All files of a project to one programme, or to every problem of every file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from nurture.domain.campaign import Campaign
from nurture.domain.conditions import Condition
from nurture.domain.forms import Form
from nurture.domain.incoming import EventSchema, WebhookSource
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.domain.surveys import Survey
from nurture.domain.tracking import FACTS_ONLY, Tracking
from nurture.language.campaign_file import CampaignFile
from nurture.language.campaigns import compile_campaign, send_ids
from nurture.language.checks import check_campaign
from nurture.language.circles import Place, warn_of_circles
from nurture.language.contract import COLUMNS, TemplateHead, attributes_set, check_contract, read_head
from nurture.language.edits import carried_over
from nurture.language.forms import compile_forms
from nurture.language.incoming import check_templates, compile_schemas, compile_sources
from nurture.language.incoming_file import EventsFile, WebhooksFile
from nurture.language.names import STANDARD_EVENTS, Known, Path, Scope, near_misses
from nurture.language.people import Person, compile_person
from nurture.language.people_file import PersonFile, StoryFile
from nurture.language.problems import Problem, in_order
from nurture.language.project import Policy, compile_policy, compile_segments, known_of, leaves_no_day, webhooks_of
from nurture.language.project_file import ProjectFile, SegmentsFile
from nurture.language.reading import read_model, read_text
from nurture.language.sense import warn_of_nonsense
from nurture.language.source import (
    BEHAVIOUR_FILE,
    BRAND_FILE,
    CAMPAIGNS,
    EVENTS_FILE,
    PROJECT_FILE,
    SEGMENTS_FILE,
    WEBHOOKS_FILE,
    SourceFile,
    template_files,
)
from nurture.language.steps import Strict
from nurture.language.stories import Story, compile_story
from nurture.language.surveys import check_links, compile_surveys

if TYPE_CHECKING:
    from nurture.language.behaviour import Behaviour

Model = TypeVar("Model", bound=Strict)


@dataclass(frozen=True, slots=True)
class Compiled:
    """`programme` is None when any problem is an error. Problems are in order of file, line and column.

    `sketch` is what can be made out of files with errors, if the project and brand files have none: enough to check
    templates by, never to run. `behaviour` is how simulated people behave; None without a (sound) behaviour file.
    """

    programme: Programme | None
    people: Mapping[str, Person]
    stories: tuple[Story, ...]
    problems: tuple[Problem, ...]
    sketch: Programme | None = None
    behaviour: Behaviour | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_error)


def compile_project(sources: Mapping[str, str], *, previous: Programme | None = None) -> Compiled:
    """Compile the files of a project (path to text, as `read_project` returns them).

    With `previous`, the applied programme, each campaign's `moved` says where people who stand at steps that are gone
    belong now, and `since` is carried over. Raises nothing: what is wrong is in `problems`.
    """
    return _Project(sources).compile(previous)


@dataclass(slots=True)
class _Project:
    sources: Mapping[str, str]
    files: list[SourceFile] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    heads: dict[str, TemplateHead] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def compile(self, previous: Programme | None) -> Compiled:
        project_file, project = self._read(PROJECT_FILE, ProjectFile)
        segments_file, segments = self._read(SEGMENTS_FILE, SegmentsFile)
        if SEGMENTS_FILE not in self.sources:
            segments = SegmentsFile.model_construct(version=1, segments={}, meta={})
        schemas, webhooks = self._incoming()
        campaign_rules = self._read_folder(CampaignFile, self._campaign_names())
        known = known_of(
            project_file,
            segments_file,
            templates=template_files(self.sources),
            steps=self._steps(campaign_rules),
            complete=self._are_complete(campaign_rules),
            schemas={event: frozenset(schema) for event, schema in schemas.items()},
        )
        policy = compile_policy(project, self._scope(project_file, known)) if project else None
        conditions = (
            compile_segments(segments, self._scope(segments_file, known)) if segments_file.data and segments else {}
        )
        campaigns = self._campaigns(campaign_rules, known, project, policy)
        forms = self._forms(project, self._scope(project_file, known), campaigns)
        surveys = compile_surveys(project.surveys, self._scope(project_file, known)) if project else {}
        self.files += check_links(self.sources, surveys)
        people = self._people(known)
        stories = self._stories(known, people)
        behaviour = self._behaviour(known)
        self._report_misplaced()
        brand = self._brand()
        self._check_templates(campaigns, people, conditions)
        check_templates(campaigns.values(), self.heads, schemas)
        if project is not None and project_file.is_whole:
            self._check_law(project, project_file, campaigns)
        self._near_misses(people, campaigns)
        if project is None or policy is None:
            return Compiled(None, people, stories, self._problems())
        programme = replace(
            self._programme(project, policy, conditions, campaigns, brand, forms, surveys),
            schemas=schemas,
            sources=webhooks,
        )
        if not any(problem.is_error for problem in self._problems()):
            warn_of_nonsense(programme, self.places)
        problems = self._problems()
        faulty = {problem.file for problem in problems if problem.is_error}
        if faulty:
            sketch = None if faulty & {PROJECT_FILE, BRAND_FILE} else programme
            return Compiled(None, people, stories, problems, sketch)
        programme = carried_over(previous, programme) if previous is not None else programme
        return Compiled(programme, people, stories, problems, behaviour=behaviour)

    def _problems(self) -> tuple[Problem, ...]:
        return in_order(problem for file in self.files for problem in file.problems)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, name: str, model: type[Model]) -> tuple[SourceFile, Model | None]:
        if name not in self.sources:
            file = SourceFile(name, "")
            self.files.append(file)
            if name == PROJECT_FILE:
                file.report_at(
                    "N112", 1, 1, f"{name} is missing", "run nurture init, or write it: lifecycle, senders, topics"
                )
            return file, None
        file = read_text(name, self.sources[name])
        self.files.append(file)
        return file, read_model(file, model)

    def _read_folder(self, model: type[Model], names: list[str]) -> list[tuple[SourceFile, Model | None]]:
        return [self._read(name, model) for name in names]

    def _incoming(self) -> tuple[dict[str, EventSchema], dict[str, WebhookSource]]:
        """What events bring, and whose webhooks are taken; nothing without those files."""
        schemas: dict[str, EventSchema] = {}
        webhooks: dict[str, WebhookSource] = {}
        if EVENTS_FILE in self.sources:
            file, events = self._read(EVENTS_FILE, EventsFile)
            schemas = compile_schemas(events, self._scope(file, Known())) if events else {}
        if WEBHOOKS_FILE in self.sources:
            file, rule = self._read(WEBHOOKS_FILE, WebhooksFile)
            webhooks = compile_sources(rule, self._scope(file, Known())) if rule else {}
        return schemas, webhooks

    def _campaign_names(self) -> list[str]:
        return [
            name
            for name in sorted(self.sources)
            if name.startswith(CAMPAIGNS) and name.count("/") == 1 and name.endswith(".yaml")
            and name not in {PROJECT_FILE, SEGMENTS_FILE, BEHAVIOUR_FILE} and not name.startswith(f"{CAMPAIGNS}_")
        ]  # fmt: skip

    def _below(self, folder: str) -> list[str]:
        return [name for name in sorted(self.sources) if name.startswith(CAMPAIGNS + folder) and name.endswith(".yaml")]

    def _steps(self, rules: list[tuple[SourceFile, CampaignFile | None]]) -> dict[str, frozenset[str]]:
        """The sends of every campaign, also of those that cannot be read, so that no mistake is reported twice."""
        steps: dict[str, frozenset[str]] = {}
        for file, rule in rules:
            name = (
                rule.campaign
                if rule is not None
                else file.data.get("campaign")
                if isinstance(file.data, dict)
                else None
            )
            if isinstance(name, str):
                steps[name] = steps.get(name, frozenset()) | send_ids(file.data)
        return steps

    def _are_complete(self, rules: list[tuple[SourceFile, CampaignFile | None]]) -> bool:
        names = [rule.campaign for _, rule in rules if rule is not None]
        return len(set(names)) == len(rules) and all(file.is_whole for file, _ in rules)

    def _scope(self, file: SourceFile, known: Known, **more: Any) -> Scope:
        scope = Scope(file, known, **more)
        self.scopes.append(scope)
        return scope

    # --- compiling ---------------------------------------------------------------------------------------------------

    def _campaigns(
        self,
        rules: list[tuple[SourceFile, CampaignFile | None]],
        known: Known,
        project: ProjectFile | None,
        policy: Policy | None,
    ) -> dict[str, Campaign]:
        campaigns: dict[str, Campaign] = {}
        first_file: dict[str, str] = {}
        capped = frozenset(cap.category for cap in policy.caps if cap.category) if policy else frozenset()
        for file, rule in rules:
            if rule is None:
                continue
            if rule.campaign in first_file:
                message = f'a campaign "{rule.campaign}" is already in {first_file[rule.campaign]}'
                file.report("N201", ("campaign",), message, "names are identities; choose another")
                continue
            first_file[rule.campaign] = file.name
            scope = self._scope(file, known, campaign=rule.campaign, offers=_offer_names(file.data))
            campaign, paths = compile_campaign(rule, scope)
            quiet = project.quiet_hours if project and not leaves_no_day(project.quiet_hours) else None
            if file.is_whole:
                check_campaign(campaign, paths, file, quiet=quiet, capped=capped, step_ids=known.steps[rule.campaign])
                campaigns[rule.campaign] = campaign
                self.places[rule.campaign] = file, paths
        warn_of_circles(campaigns, self.places)
        return campaigns

    def _forms(self, project: ProjectFile | None, scope: Scope, campaigns: Mapping[str, Campaign]) -> dict[str, Form]:
        if project is None:
            return {}
        grants = frozenset(project.consent.granted_by or ()) if project.consent else frozenset()
        return compile_forms(project.forms, grants, campaigns, scope)

    def _people(self, known: Known) -> dict[str, Person]:
        people: dict[str, Person] = {}
        for name in self._below("people/"):
            file, rule = self._read(name, PersonFile)
            if rule is None:
                continue
            if rule.person in people:
                file.report("N201", ("person",), f'"{rule.person}" is already in {people[rule.person].file}')
                continue
            people[rule.person] = compile_person(rule, self._scope(file, known))
        return people

    def _stories(self, known: Known, people: Mapping[str, Person]) -> tuple[Story, ...]:
        names = set(people)
        for file in self.files:
            if file.name.startswith(f"{CAMPAIGNS}people/") and isinstance(file.data, dict):
                names.add(str(file.data.get("person")))
        stories = []
        for name in self._below("tests/"):
            file, rule = self._read(name, StoryFile)
            if rule is not None:
                scope = self._scope(file, known, campaign=rule.campaign)
                stories.append(compile_story(rule, scope, people, frozenset(names)))
        return tuple(stories)

    def _behaviour(self, known: Known) -> Behaviour | None:
        if BEHAVIOUR_FILE not in self.sources:
            return None
        from nurture.language.behaviour import compile_behaviour  # late: a daemon has none
        from nurture.language.behaviour_file import BehaviourFile

        file, rule = self._read(BEHAVIOUR_FILE, BehaviourFile)
        return compile_behaviour(rule, self._scope(file, known)) if rule is not None else None

    def _report_misplaced(self) -> None:
        read = {file.name for file in self.files}
        for name, text in self.sources.items():
            if not name.startswith(CAMPAIGNS) or name in read:
                continue
            file = SourceFile(name, text)
            self.files.append(file)
            if name.endswith(".yml"):
                file.report_at("N109", 1, 1, f"{name} is not read", f"name it {name.removesuffix('.yml')}.yaml")
            else:
                hint = "campaigns stand in campaigns/, tests in campaigns/tests/, people in campaigns/people/"
                file.report_at("N109", 1, 1, f"{name} is not read here", hint)

    def _check_templates(
        self, campaigns: Mapping[str, Campaign], people: Mapping[str, Person], segments: Mapping[str, Condition]
    ) -> None:
        for template, path in template_files(self.sources).items():
            self.heads[template] = read_head(path, self.sources[path])
            self.files.append(self.heads[template].file)
        if not all(file.is_whole for file in self.files if file.name.startswith(f"{CAMPAIGNS}people/")):
            return
        for campaign in campaigns.values():
            check_contract(campaign, self.heads, people, segments)

    def _check_law(self, project: ProjectFile, file: SourceFile, campaigns: Mapping[str, Campaign]) -> None:
        marketing = any(send.kind is MailKind.MARKETING for c in campaigns.values() for send in c.sends)
        if marketing and not (project.postal_address or "").strip():
            hint = "write postal_address: with the street, town and country people can write to"
            path: Path = ("postal_address",) if "postal_address" in file.data else ()
            file.report("N701", path, "marketing mail must show a postal address", hint)

    def _near_misses(self, people: Mapping[str, Person], campaigns: Mapping[str, Campaign]) -> None:
        beside = (f"{CAMPAIGNS}tests/", f"{CAMPAIGNS}people/", BEHAVIOUR_FILE)
        events: dict[str, list[tuple[Scope, Path]]] = defaultdict(list)
        attributes: dict[str, list[tuple[Scope, Path]]] = defaultdict(list)
        twice = set(STANDARD_EVENTS)
        for scope in self.scopes:
            for name, path in scope.events:
                events[name].append((scope, path))
                if scope.file.name in {EVENTS_FILE, WEBHOOKS_FILE}:
                    twice.add(name)
                if name in FACTS_ONLY:
                    hint = 'ask for "Email Clicked", or for what people do in the shop'
                    scope.file.report("N216", path, f"nothing may depend on {name}: machines do it, too", hint)
                if scope.file.name.startswith(beside) and len(events[name]) > 1:
                    twice.add(name)
            for name, path in scope.attributes:
                attributes[name].append((scope, path))
        near_misses(events, twice, "N211", "event")
        given = {name for person in people.values() for name in person.attributes}
        needed = {need.parts[0] for head in self.heads.values() for need in head.needs if need.root == "contact"}
        near_misses(
            attributes, given | needed | attributes_set(campaigns.values()) | COLUMNS, "N215", "contact attribute"
        )

    def _programme(
        self,
        project: ProjectFile,
        policy: Policy,
        segments: Mapping[str, Condition],
        campaigns: Mapping[str, Campaign],
        brand: Mapping[str, Any],
        forms: Mapping[str, Form],
        surveys: Mapping[str, Survey],
    ) -> Programme:
        return Programme(
            lifecycle=policy.lifecycle,
            campaigns=campaigns,
            segments=segments,
            senders=policy.senders,
            topics=policy.topics,
            categories=policy.categories,
            caps=policy.caps,
            quiet_hours=project.quiet_hours,
            zone=project.zone,
            locale=project.locale,
            currency=project.currency,
            calendar=policy.calendar,
            postal_address=project.postal_address or "",
            hold_out=project.hold_out or 0.0,
            seed=project.seed,
            consent_granted_by=frozenset(project.consent.granted_by or ()) if project.consent else frozenset(),
            consent_withdrawn_by=frozenset(project.consent.withdrawn_by or ()) if project.consent else frozenset(),
            tracking=Tracking(**project.tracking.model_dump()) if project.tracking else None,
            teams=dict(project.teams),
            webhooks=webhooks_of(project),
            brand={**project.brand, **brand},
            forms=forms,
            surveys=surveys,
        )

    def _brand(self) -> dict[str, Any]:
        if BRAND_FILE not in self.sources:
            return {}
        file = read_text(BRAND_FILE, self.sources[BRAND_FILE])
        self.files.append(file)
        if isinstance(file.data, dict):
            return deepcopy(file.data)
        if not file.problems:
            file.report("N110", (), "the file must be a mapping of keys", "write lines like colour: green")
        return {}


def _offer_names(data: Any) -> frozenset[str]:
    """The offers a campaign defines, also those that cannot be read."""
    offers = data.get("offers") if isinstance(data, dict) else None
    return frozenset(offers) if isinstance(offers, dict) else frozenset()
