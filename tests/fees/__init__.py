"""Fee schedules: drafts, approval, credits, replays, and what chance makes of the rules."""
