-- Teams, who is in them, and who has been asked to. The version before knows nothing of them.
-- needs: 202611282200_accounts
CREATE TABLE teams (
  id text PRIMARY KEY,
  name text NOT NULL,
  made_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN teams.made_by IS 'the principal who made it: a user, or a key';

CREATE TABLE team_members (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  roles text[] NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (team_id, user_id)
);
COMMENT ON TABLE team_members IS 'users in teams; a team whose last owner was deleted has none until an operator names one';
COMMENT ON COLUMN team_members.roles IS 'owner, admin, member, or words of the team''s own, each once';
CREATE INDEX team_members_user ON team_members (user_id);

CREATE TABLE team_invitations (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams ON DELETE CASCADE,
  email text NOT NULL,
  roles text[] NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  invited_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (team_id, email)
);
COMMENT ON COLUMN team_invitations.email IS 'where it was sent, in lower case';
COMMENT ON COLUMN team_invitations.token_hash IS 'SHA-256 of the token in its link';
COMMENT ON COLUMN team_invitations.invited_by IS 'the principal who invites: a user, or a key';
CREATE INDEX team_invitations_expires_at ON team_invitations (expires_at);
