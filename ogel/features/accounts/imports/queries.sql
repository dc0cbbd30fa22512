-- known --
SELECT id FROM users WHERE id = ANY (%(ids)s)

-- insert_users --
-- Those whose address or number nobody has.
INSERT INTO users (
  id, role, email, email_confirmed_at, phone, phone_confirmed_at, encrypted_password, invited_at, last_sign_in_at,
  raw_app_meta_data, raw_user_meta_data, labels, banned_until, is_anonymous, created_at
)
SELECT
  id, role, email, email_confirmed_at, phone, phone_confirmed_at, encrypted_password, invited_at, last_sign_in_at,
  raw_app_meta_data, raw_user_meta_data, labels, banned_until, is_anonymous, created_at
FROM jsonb_populate_recordset(NULL::users, %(rows)s::jsonb)
ON CONFLICT DO NOTHING
RETURNING id

-- insert_identities --
INSERT INTO identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at)
SELECT user_id, provider, provider_id, identity_data, last_sign_in_at, created_at
FROM jsonb_populate_recordset(NULL::identities, %(rows)s::jsonb)
ON CONFLICT DO NOTHING
RETURNING provider, provider_id
