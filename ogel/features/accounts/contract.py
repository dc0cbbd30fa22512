"""What other features may know of accounts."""

from __future__ import annotations

# `{users}` in their queries: the people there are, with how others may see them. `name` is what they call themselves.
USERS = b"""(
  SELECT id, email, email_confirmed_at IS NOT NULL AS is_confirmed,
         left(coalesce(raw_user_meta_data ->> 'name', raw_user_meta_data ->> 'full_name'), 200) AS name
  FROM users WHERE deleted_at IS NULL
)"""
