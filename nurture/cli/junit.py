"""Results of stories as JUnit XML, which every build server reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from nurture.cli.output import printable

if TYPE_CHECKING:
    from nurture.engine.stories import StoryResult


def as_junit(results: Sequence[StoryResult]) -> str:
    """One suite a campaign, one case a story; a failure carries the differences and the timeline."""
    failed = sum(not result.passed for result in results)
    root = ET.Element("testsuites", name="nurture", tests=str(len(results)), failures=str(failed))
    for campaign in dict.fromkeys(result.story.campaign for result in results):
        own = [result for result in results if result.story.campaign == campaign]
        bad = sum(not result.passed for result in own)
        suite = ET.SubElement(root, "testsuite", name=campaign, tests=str(len(own)), failures=str(bad))
        for result in own:
            story = result.story
            case = ET.SubElement(
                suite, "testcase", name=printable(story.name), classname=campaign, file=story.file, line=str(story.line)
            )
            if not result.passed:
                failure = ET.SubElement(case, "failure", message=printable(result.differences[0]))
                failure.text = "\n".join(printable(line) for line in (*result.differences, "", *result.timeline))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
