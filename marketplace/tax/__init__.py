"""Tax shape: what sellers say of themselves for the authorities, and what a year's report says of them.

Shaped by DAC7 (Council Directive (EU) 2021/514, Annex V, section III). Personal data: read by the seller
and by admins with their own scope, kept out of logs and of the audit log's facts (docs/decisions/0034).
"""
