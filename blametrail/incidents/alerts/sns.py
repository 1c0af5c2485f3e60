"""Amazon SNS: whether a message is signed by it, with certificates and confirmations from its genuine hosts only.

What is signed, and how: docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages". Any customer of Amazon's
has SNS sign, so a signature counts together with the topic that a source expects.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from sqlmodel import select

from blametrail.incidents.alerts.connect import find_by_secret
from blametrail.incidents.alerts.reading import decode
from blametrail.incidents.alerts.shapes import SourceKind, UnreadableAlert
from blametrail.incidents.alerts.tables import AlertSource, SnsCertificate
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.http import outbound
from blametrail.kit.jobs import GiveUp, Job, announce_job
from blametrail.kit.keys import KeyRing
from blametrail.kit.vault import VaultError, place_of, seal, unseal

log = structlog.get_logger(__name__)
FETCH_CERTIFICATE, CONFIRM_SUBSCRIPTION = "fetch_sns_certificate", "confirm_sns_subscription"
GENUINE = re.compile(r"https://sns\.[a-z]{2}(?:-[a-z]{2,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?/")
"""How an address of SNS begins, in any region; what follows is a path."""

CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-fA-F]{1,80}\.pem")
LARGEST_CERTIFICATE = 50_000
CONFIRMATION = "SubscriptionConfirmation"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
OPTIONAL = frozenset({"Subject"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message of SNS that says who signed it: `content` is what is signed, `certificate_url` where the key is."""

    kind: str
    topic: str
    content: bytes
    signature: bytes
    is_sha1: bool
    certificate_url: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Which source a message is for, by its topic, and the certificate that signs it, None while it is not here."""

    source_id: UUID
    organization_id: UUID
    pem: str | None


def read_envelope(body: bytes) -> Envelope | None:
    """None when it is no message of SNS, or is signed in a way that is not known."""
    try:
        message = decode(body)
    except UnreadableAlert:
        return None
    if not isinstance(message, dict) or not isinstance(kind := message.get("Type"), str) or kind not in SIGNED:
        return None
    names = [name for name in SIGNED[kind] if name not in OPTIONAL or message.get(name) is not None]
    told = {name: value for name in (*names, "Signature", "SigningCertURL") if isinstance(value := message.get(name), str)}
    if str(message.get("SignatureVersion")) not in {"1", "2"} or len(told) != len(names) + 2:
        return None
    try:
        signature = base64.b64decode(told["Signature"], validate=True)
        content = "".join(f"{name}\n{told[name]}\n" for name in names).encode()
    except (binascii.Error, ValueError):
        return None
    is_sha1 = str(message["SignatureVersion"]) == "1"
    return Envelope(kind, told["TopicArn"], content, signature, is_sha1, told["SigningCertURL"])


def look_up(session: ScopedSession, keys: KeyRing, envelope: Envelope) -> Seen | None:
    """The source that expects this topic; None when there is none."""
    topic = envelope.topic.encode()
    source_id = find_by_secret(
        session, keys, SourceKind.CLOUDWATCH, len(topic), lambda own: hmac.compare_digest(own.encode(), topic)
    )
    if source_id is None:
        return None
    organization_id = session.exec(select(AlertSource.organization_id).where(AlertSource.id == source_id)).one()
    known = session.get(SnsCertificate, envelope.certificate_url)
    return Seen(source_id, organization_id, known.pem if known else None)


def is_signed(envelope: Envelope, pem: str) -> bool:
    """By the key of this certificate, which must be valid today."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
        if (
            not isinstance(key, RSAPublicKey)
            or not certificate.not_valid_before_utc <= now() <= certificate.not_valid_after_utc
        ):
            return False
        key.verify(envelope.signature, envelope.content, PKCS1v15(), SHA1() if envelope.is_sha1 else SHA256())  # noqa: S303
    except (InvalidSignature, ValueError):
        return False
    return True


def is_genuine_certificate(url: str, genuine: re.Pattern[str] = GENUINE) -> bool:
    found = genuine.match(url)
    return found is not None and CERTIFICATE.fullmatch(url, found.end()) is not None


def ask_for_certificate(session: ScopedSession, url: str) -> None:
    """Have the certificate fetched; what it signs is taken once it is here."""
    announce_job(session, FETCH_CERTIFICATE, url, {"url": url})


async def fetch_certificate(db: Database, job: Job, genuine: re.Pattern[str] = GENUINE) -> None:
    """Done by a job: keep a certificate of SNS. An address that has none is somebody's invention, and is let be."""
    url = str(job.payload["url"])
    if not is_genuine_certificate(url, genuine):
        return
    async with outbound(largest_answer=LARGEST_CERTIFICATE) as client:
        answer = await client.get(url, follow_redirects=False)
    if answer.status_code >= 500:
        raise RuntimeError(f"Amazon answered {answer.status_code} instead of a certificate.")
    if answer.status_code != 200 or not _is_certificate(answer.text):
        log.warning("no certificate of SNS at the address that a message names", status=answer.status_code)
        return
    await db.write(EVERY_ORGANIZATION, _keep, url, answer.text)


def plan_confirmation(session: ScopedSession, keys: KeyRing, source: AlertSource, message: Any) -> str:
    """Have a subscription confirmed, if this message asks for it at a genuine address; what happens, in words, else empty."""
    if not isinstance(message, Mapping) or message.get("Type") != CONFIRMATION:
        return ""
    url = message.get("SubscribeURL")
    if not isinstance(url, str) or len(url) > 2_000 or not GENUINE.match(url):
        return "A subscription was not confirmed: its address is not one of Amazon SNS."
    source.confirm_sealed = seal(keys, place_of(source, "confirm_sealed"), url)
    session.add(source)
    announce_job(session, CONFIRM_SUBSCRIPTION, str(source.id), {"source_id": str(source.id)})
    return "The subscription is being confirmed at Amazon."


async def confirm_subscription(db: Database, keys: KeyRing, job: Job, genuine: re.Pattern[str] = GENUINE) -> None:
    """Done by a job: visit the address that confirms a subscription, which lies at SNS and is left by no redirect."""
    source_id = UUID(str(job.payload["source_id"]))
    url = await db.read(job.organization_id, _confirmation, keys, source_id)
    if not url or not genuine.match(url):
        return
    async with outbound() as client:
        answer = await client.get(url, follow_redirects=False)
    if answer.status_code >= 500 or answer.status_code == 429:
        raise RuntimeError(f"Amazon answered {answer.status_code} when the subscription was confirmed.")
    if answer.status_code != 200:
        raise GiveUp(
            f"Amazon answered {answer.status_code} when the subscription was confirmed. Ask for a new confirmation there."
        )
    await db.write(job.organization_id, _confirmed, source_id, url, keys)


def _confirmation(session: ScopedSession, keys: KeyRing, source_id: UUID) -> str:
    row = session.exec(select(AlertSource).where(AlertSource.id == source_id)).first()
    if row is None or not row.confirm_sealed:
        return ""
    try:
        return unseal(keys, place_of(row, "confirm_sealed"), row.confirm_sealed)
    except VaultError as error:
        raise GiveUp(f"The address to confirm the subscription cannot be opened: {error}.") from None


def _confirmed(session: ScopedSession, source_id: UUID, url: str, keys: KeyRing) -> None:
    row = session.exec(select(AlertSource).where(AlertSource.id == source_id)).first()
    if row is not None and _confirmation(session, keys, source_id) == url:
        row.confirm_sealed = ""
        session.add(row)
        session.announce("alerts")


def _keep(session: ScopedSession, url: str, pem: str) -> None:
    if session.get(SnsCertificate, url) is None:
        session.add(SnsCertificate(url=url, pem=pem))


def _is_certificate(pem: str) -> bool:
    try:
        return isinstance(x509.load_pem_x509_certificate(pem.encode()).public_key(), RSAPublicKey)
    except ValueError:
        return False
