"""Classifies an SMTP server's refusal: whether it concerns the recipient, the letter, or our account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.letter import Bounced
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber

Stage = Literal["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"]
# What ProviderError calls `ours`, `retry_after_seconds`, `deferred`, `final`, Bounced, and none of these.
Verdict = Literal["ours", "busy", "elsewhere", "refused", "bounced", "failed"]

# Seconds to wait for a server that reports a rate limit without saying for how long.
BUSY_SECONDS = 30.0
_SHOWN_CHARACTERS = 300
_READ_CHARACTERS = 2000
_AFTER_MAIL: Sequence[Stage] = ("RCPT", "DATA")
_EVERYWHERE: Sequence[Stage] = ("connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")

# RFC 2034: at the beginning of each line, RFC 3463: class, subject, detail. qmail writes `(#5.1.1)`, Cisco `#5.1.0`.
_ENHANCED = re.compile(r"(?:^\s*#?|\(#)([245])\.(\d{1,3}\.\d{1,3})(?!\.?\d)", re.MULTILINE)
# Somebody else's words: an address `user-unknown@…` and a page `…/blocked` say nothing of their own.
_QUOTED = re.compile(r"\b\w+://\S+|<[^<>\s]*>|\S*@\S*")


class Rule(NamedTuple):
    """
    Of refusals at these stages that have one of these enhanced codes (`7.8`: the class is that of the reply) or say
    this. `permanent`: of replies of the class 5 only.
    """

    verdict: Verdict
    codes: str = ""
    says: str = ""
    stages: Sequence[Stage] = ("MAIL", "RCPT", "DATA")
    permanent: bool = False


_WHO = (
    r"\bauth(entication)?\b( credentials)?( is| was)? ?(required|needed|missing|failed)|credentials|smtp auth\b"
    r"|\b(must|please|to|you) (authenticate|log ?in)|not (been )?(authenticated|logged in)|unauthenticated senders"
    r"|\bpassword\b|is not authorized to|authentifizier"
)
# The first one counts. Texts come before the mailbox's codes, as servers use those for other things too: "5.2.1 … Your
# IP address is blacklisted" is no mailbox, and Exim's "No Such User Here" stands in refusals of senders.
# Codes: RFC 3463 §3, RFC 4954 §6 (7.8), RFC 7505 §4.2 (1.10), RFC 7372 (7.20 to 7.25, the sender's authentication),
# RFC 5321 §4.2.3; Google's support.google.com/a/answer/3726730 (4.5, 7.26, 7.27), Exchange Online's non-delivery
# reports at learn.microsoft.com (7.54, 7.57, 7.60, 7.64, 7.509).
RULES: Sequence[Rule] = (
    # How fast somebody's mailbox fills is no matter of ours.
    Rule("elsewhere", says=r"(user|recipient|account|mailbox)\b.{0,40} (is )?receiving (mail|messages|e-?mail|too)"
         r"|recipient has exceeded"),
    # Our account's sending quota is used up.
    Rule("ours", "4.5", stages=_EVERYWHERE, permanent=True),
    Rule("ours", says=r"\b(send|sending|daily|hourly|monthly|24-hour|submission|relay|outbound|outgoing|external)\b"
         r"(\W+\w+){0,4}\W+(limit|quota)\b|\b(limit|quota)\b(\W+\w+){0,4}\W+(per|this|today)\b|credits? exceeded"
         r"|(message|e?mail) (limit|quota)\b.{0,20}(exceeded|reached)|unusual sending activity|versandlimit"
         r"|\byour\b(\W+\w+){0,3}\W+(limit|quota)\b"
         r"|\b(daily|hourly|monthly)\b(\W+\w+){0,3}\W+(allowance|maximum|volume)\b"
         r"|\b(exceed\w*|reached|max(imum)?|limit)\b.{0,60}(\b(per|an?)\b|/) ?(hour|day|month)\b",
         stages=_EVERYWHERE),
    # RFC 3463 X.2.2: it may be emptied.
    Rule("elsewhere", "2.2", r"(mailbox|inbox|postfach|user|account)\b.{0,40} (full|over ?quota|voll)\b|quota exceeded"
         r"|over (storage )?quota|(storage|disk) (space|quota|allocation|limit)|speicher|messages on the server",
         _AFTER_MAIL),
    Rule("busy", says=r"\brate[ -]?limit|(sending|message|unusual) rate\b|throttl|slow down"
         r"|too many (?!hops|recipients)|too (fast|quickly)|concurrent connection", stages=_EVERYWHERE),
    # The sender of this letter: another one, or another provider, may do.
    Rule("elsewhere", "1.7 1.8 7.20 7.21 7.22 7.23 7.24 7.26 7.27 7.60 7.509",
         r"\b(sender|absender|identities|spf|dkim|dmarc|mail ?from|envelope from|send as)\b"
         r"|\bfrom (address|header|domain)|address is not verified"),
    # Our reputation. Up to MAIL the server knows only who we are; later it may be about the way to one recipient.
    Rule("ours", says=r"\byour account\b|sending paused"),
    Rule("ours", "7.8 7.57", _WHO, ("MAIL",)),
    Rule("failed", "7.8 7.57 7.54 7.64", _WHO
         + r"|\brelay(ing)?\b.{0,40}(deni|not |prohibit|refus|reject|disallow|forbid)"
         r"|relaying|(unable|not|cannot|can't|refus\w+|no)( \w+)? (to )?relay|rcpthosts"
         r"|\b(helo|ehlo)\b|fully[ -]qualified host"),
    # The machine that the server sees.
    Rule("failed", "7.25", r"\bip\b|\b(client|your) (host|server|network)|reputation|spamhaus|\b(dns|ur|r)bl\b"
         r"|(black|block|deny)[ -]?list|\bptr\b|(reverse|in) dns\b", permanent=True),
    # The letter itself: its size, its form, what it says.
    Rule("refused", "2.3 3.4 6.0 6.1 6.2 6.3 6.5 6.6",
         r"too (large|big)|size (limit |is )?exceed|(message|mail) (size|length)|exceeds? .{0,30}\bsize",
         permanent=True),
    Rule("refused", says=r"\bspam\b|unsolicited|virus|malware|phish|junk|\bcontent\b",
         stages=("DATA",), permanent=True),
    Rule("bounced", "1.1 1.2 1.3 1.6 1.10 2.1", stages=_AFTER_MAIL, permanent=True),
    # Without a code that tells, nothing but the words that the field has for it. "Mailbox unavailable" are RFC 5321's
    # for any 550, and "unrouteable" says a relay whose own look-ups fail.
    Rule("bounced", says=r"\bunknown (or illegal )?(user|recipient|mailbox|account|address|local.?part|alias)"
         r"|\b(user|recipient|mailbox|account)( address| name| id)?( is| was)? (unknown|not known|not found)\b"
         r"|\b(user|recipient|mailbox)( is| was)? (disabled|inactive|deactivated)\b|address not found"
         r"|\bno such (local )?(user|recipient|mailbox|account|address|person)|no (mailbox|user) (here )?by that name"
         r"|\b(user|recipient|mailbox|account|address|reach)\b.{0,30} (do(es)? not|doesn't|no longer) exist"
         r"|\binvalid (recipient|mailbox)|not a valid (recipient|mailbox|user)"
         r"|(user|recipient)\b.{0,20} (doesn't|does not) have an? .{0,30}account"
         r"|(benutzer|konto|empf(ä|ae)nger|postfach|adresse)\b.{0,20}"
         r" (unbekannt|existiert nicht|nicht (bekannt|gefunden))"
         r"|unbekannter? (benutzer|empf(ä|ae)nger)",
         stages=_AFTER_MAIL, permanent=True),
    # Other things about an address or the way to it.
    Rule("elsewhere", "1.* 2.* 4.*", r"\bmailbox (is )?(temporarily )?(unavailable|busy)", _AFTER_MAIL),
)  # fmt: skip
# RFC 3463's "other or undefined": beside these, words may tell.
_UNTELLING = frozenset({"0.0", "1.0", "2.0"})
# RFC 4954 §6.
_CODES_OF_AUTH = frozenset({530, 534, 535, 538})


def refusal(stage: Stage, code: int, said: str, scrub: Scrubber = NOTHING_SECRET) -> ProviderError:
    """The error of a reply of the classes 4 and 5. `said` is its text, line by line; `scrub` is for what is shown."""
    message = f"smtp answered {code} ({shown(scrub(said))})"
    match _judged(stage, code, said):
        case "bounced":
            return Bounced(message)
        case "busy":
            return ProviderError(message, retry_after_seconds=BUSY_SECONDS)
        case verdict:
            return ProviderError(
                message,
                ours=verdict == "ours",
                deferred=verdict == "elsewhere",
                final=verdict == "refused",
            )


def shown(said: str) -> str:
    """Returns it on one line, shortened."""
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:_SHOWN_CHARACTERS]


def _judged(stage: Stage, code: int, said: str) -> Verdict:
    if code in _CODES_OF_AUTH:
        return "ours"
    said = said[:_READ_CHARACTERS]
    found = _ENHANCED.findall(said)
    details = {detail for _, detail in found}
    # When the reply code and the enhanced code contradict each other, the milder one counts: trying again does no harm.
    permanent = code >= 500 and all(kind == "5" for kind, _ in found)
    words = " ".join(_QUOTED.sub(" ", _ENHANCED.sub(" ", said)).lower().split())
    for rule in RULES:
        if stage in rule.stages and (permanent or not rule.permanent) and _fits(rule, details, words):
            return rule.verdict
    return _otherwise(stage, code, permanent)


def _fits(rule: Rule, details: set[str], words: str) -> bool:
    """`details`: of the enhanced codes of all lines, which should be one and the same."""
    codes, says = rule.codes.split(), bool(rule.says) and re.search(rule.says, words) is not None
    if rule.verdict == "bounced":
        # All of them must say so, of two opinions none is good enough; words count where no code tells.
        return details <= _UNTELLING and says if rule.says else bool(details) and details <= set(codes)
    return says or any(each in codes or f"{each.partition('.')[0]}.*" in codes for each in details)


def _otherwise(stage: Stage, code: int, permanent: bool) -> Verdict:
    """
    Nothing is known but where it happened. It counts against the provider; but one that is well, and says "not now" or
    "not from him" of one letter, is not to be left alone for that.
    """
    match stage:
        case "EHLO" | "STARTTLS" | "AUTH":
            return "ours" if permanent else "failed"
        case "MAIL" | "DATA" if code == 552 and permanent:
            return "refused"  # RFC 5321 §4.5.3.1.7: too much of it
        case "MAIL":
            return "elsewhere" if permanent else "failed"
        case "RCPT":
            return "failed" if permanent or code == 421 else "elsewhere"
    return "failed"
