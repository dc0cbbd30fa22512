-- From where a key may be used, who made it, and which key took its place. Code of the version before writes none of them,
-- and does not look at `networks`: keys that have some are made by this version only.
ALTER TABLE api_keys
  ADD COLUMN networks text[],
  ADD COLUMN made_by text,
  ADD COLUMN replaced_by text;
COMMENT ON COLUMN api_keys.networks IS 'CIDRs that it may be used from; null: from everywhere';
COMMENT ON COLUMN api_keys.made_by IS 'the principal who made it; null: made before this was written down';
COMMENT ON COLUMN api_keys.replaced_by IS 'the key that was made in its place by rotation';
