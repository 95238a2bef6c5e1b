"""JSON over HTTP, by audience: buyers, sellers, admins, and Stripe's webhooks."""
