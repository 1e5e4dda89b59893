"""`[notices]` of service.toml: what is announced."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from telnyx_mcp.approval.team.notices import NoticeKind


class NoticesConfig(BaseModel):
    """Notices go to the webhook of TELNYX_MCP_NOTICE_URL; without it there are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kinds: tuple[NoticeKind, ...] = tuple(NoticeKind)
    """What is announced: proposed, approved (one of two), outcome, unknown."""
    format: Literal["text", "adaptive_card"] = "text"
    """What the webhook takes: `text` for Slack, Mattermost and Google Chat, `adaptive_card` for the
    workflows of Microsoft Teams."""
    with_amounts: bool = False
    """Whether a notice names the amount."""
