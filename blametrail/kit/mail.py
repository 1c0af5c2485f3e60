"""Plain-text e-mail over SMTP, when an operator configured it."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import structlog

from blametrail.settings import settings

log = structlog.get_logger(__name__)
SECONDS = 10.0


def can_send() -> bool:
    return bool(settings().smtp_url)


def send(to: str, subject: str, text: str) -> bool:
    """Send and answer whether the server took it; a failure is logged, never raised."""
    server = urlsplit(settings().smtp_url)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings().mail_from, to, " ".join(subject.split())
    message.set_content(text)
    tls = server.scheme == "smtps"
    connect = smtplib.SMTP_SSL if tls else smtplib.SMTP
    try:
        with connect(server.hostname or "", server.port or (465 if tls else 25), timeout=SECONDS) as smtp:
            if not tls and smtp.has_extn("starttls"):
                smtp.starttls()
            if server.username:
                smtp.login(unquote(server.username), unquote(server.password or ""))
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        log.warning("e-mail not sent", reason=type(error).__name__)
        return False
    return True
