-- insert_team --
INSERT INTO teams (id, name, made_by) VALUES (%(id)s, %(name)s, %(made_by)s)

-- get_team --
-- With the roles of a user in it.
SELECT t.id, t.name, t.made_by, t.created_at, t.updated_at, m.roles
FROM teams AS t LEFT JOIN team_members AS m ON m.team_id = t.id AND m.user_id = %(user_id)s
WHERE t.id = %(id)s

-- lock_team --
-- Memberships of a team are changed one after the other.
SELECT id FROM teams WHERE id = %(id)s FOR UPDATE

-- list_teams --
SELECT t.id, t.name, t.made_by, t.created_at, t.updated_at FROM teams AS t
WHERE %(after)s::text IS NULL OR t.id < %(after)s
ORDER BY t.id DESC LIMIT %(limit)s

-- list_teams_of --
SELECT t.id, t.name, t.made_by, t.created_at, t.updated_at, m.roles
FROM team_members AS m JOIN teams AS t ON t.id = m.team_id
WHERE m.user_id = %(user_id)s AND (%(after)s::text IS NULL OR t.id < %(after)s)
ORDER BY t.id DESC LIMIT %(limit)s

-- rename_team --
UPDATE teams SET name = %(name)s, updated_at = now() WHERE id = %(id)s

-- delete_team --
DELETE FROM teams WHERE id = %(id)s

-- user_ids --
SELECT user_id FROM team_members WHERE team_id = %(team_id)s

-- get_user --
-- How many teams they are in, too. The user is not deleted before the transaction ends.
SELECT u.id, u.email, u.is_confirmed, u.name, (SELECT count(*) FROM team_members AS m WHERE m.user_id = u.id) AS teams
FROM {users} AS u WHERE u.id = %(id)s FOR KEY SHARE OF u

-- count_members --
SELECT count(*) FROM team_members WHERE team_id = %(team_id)s

-- insert_member --
INSERT INTO team_members (id, team_id, user_id, roles) VALUES (%(id)s, %(team_id)s, %(user_id)s, %(roles)s)
ON CONFLICT (team_id, user_id) DO NOTHING

-- get_member --
SELECT m.id, m.team_id, m.user_id, u.email, u.name, m.roles, m.joined_at
FROM team_members AS m JOIN {users} AS u ON u.id = m.user_id
WHERE m.team_id = %(team_id)s AND m.id = %(id)s

-- get_member_of --
SELECT m.id, m.team_id, m.user_id, u.email, u.name, m.roles, m.joined_at
FROM team_members AS m JOIN {users} AS u ON u.id = m.user_id
WHERE m.team_id = %(team_id)s AND m.user_id = %(user_id)s

-- list_members --
SELECT m.id, m.team_id, m.user_id, u.email, u.name, m.roles, m.joined_at
FROM team_members AS m JOIN {users} AS u ON u.id = m.user_id
WHERE m.team_id = %(team_id)s AND (%(after)s::text IS NULL OR m.id > %(after)s)
ORDER BY m.id LIMIT %(limit)s

-- has_member --
-- Somebody of that address.
SELECT EXISTS (
  SELECT FROM team_members AS m JOIN {users} AS u ON u.id = m.user_id
  WHERE m.team_id = %(team_id)s AND u.email = %(email)s
)

-- has_other_owner --
SELECT EXISTS (
  SELECT FROM team_members AS m JOIN {users} AS u ON u.id = m.user_id
  WHERE m.team_id = %(team_id)s AND m.id <> %(id)s AND 'owner' = ANY (m.roles)
)

-- set_roles --
UPDATE team_members SET roles = %(roles)s WHERE id = %(id)s

-- delete_member --
DELETE FROM team_members WHERE id = %(id)s

-- count_invitations --
SELECT count(*) FROM team_invitations WHERE team_id = %(team_id)s AND email <> %(email)s AND expires_at > now()

-- put_invitation --
-- A second one to the same address takes the place of the first, whose link ends.
INSERT INTO team_invitations (id, team_id, email, roles, token_hash, invited_by, expires_at)
VALUES (
  %(id)s, %(team_id)s, %(email)s, %(roles)s, %(token_hash)s, %(invited_by)s,
  now() + make_interval(days => %(days)s)
)
ON CONFLICT (team_id, email) DO UPDATE
SET id = excluded.id, roles = excluded.roles, token_hash = excluded.token_hash, invited_by = excluded.invited_by,
    created_at = now(), expires_at = excluded.expires_at
RETURNING id, team_id, email, roles, invited_by, created_at, expires_at

-- list_invitations --
SELECT id, team_id, email, roles, invited_by, created_at, expires_at FROM team_invitations
WHERE team_id = %(team_id)s AND (%(after)s::text IS NULL OR id > %(after)s)
ORDER BY id LIMIT %(limit)s

-- find_invitation --
-- Of which team; it may have been taken by the time that the team is locked.
SELECT team_id FROM team_invitations WHERE token_hash = %(token_hash)s AND expires_at > now()

-- take_invitation --
DELETE FROM team_invitations WHERE token_hash = %(token_hash)s AND expires_at > now()
RETURNING id, team_id, email, roles, invited_by, created_at, expires_at

-- delete_invitation --
DELETE FROM team_invitations WHERE team_id = %(team_id)s AND id = %(id)s

-- count_expired --
SELECT count(*) FROM (SELECT FROM team_invitations WHERE expires_at < %(before)s LIMIT %(most)s) AS old

-- purge_expired --
DELETE FROM team_invitations WHERE id IN (
  SELECT id FROM team_invitations WHERE expires_at < %(before)s
  ORDER BY expires_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)
