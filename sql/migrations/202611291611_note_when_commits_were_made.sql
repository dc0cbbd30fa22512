-- When the commit of a deployment was made, which Railway does not tell and the image may know: lead times are reckoned
-- from it. The version before knows nothing of it.
CREATE TABLE slo_commits (
  deployment    text PRIMARY KEY,
  committed_at  timestamptz NOT NULL,
  noted_at      timestamptz NOT NULL DEFAULT now()
);
