"""What other features may know of teams."""

from __future__ import annotations

# `{team_roles}` in their queries: the roles (`team:ID`, `team:ID/owner`, `member:ID`) that each user has by membership,
# a row each.
TEAM_ROLES = b"""(
  SELECT m.user_id, r.role
  FROM team_members AS m
  CROSS JOIN LATERAL unnest(
    ARRAY['team:' || m.team_id, 'member:' || m.id]
    || ARRAY(SELECT 'team:' || m.team_id || '/' || each FROM unnest(m.roles) AS each)
  ) AS r (role)
)"""
