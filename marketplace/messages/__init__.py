"""Messages: what people and programs are told. An outbox is written with the fact and sent afterwards.

E-mail goes out by SMTP, or into a readable mailbox on this machine when none is configured; sellers may
register webhooks of their own. Nothing here decides what is true.
"""
