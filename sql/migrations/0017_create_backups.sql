-- A backup is a row here and objects in the store; it exists once its manifest does, which is written last. The row says
-- how far it is and which run may go on: a worker that disappeared and came back finds that it has been overtaken.
CREATE TABLE backups (
  id                  text PRIMARY KEY,
  status              text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'complete', 'failed')),
  scheduled           boolean NOT NULL DEFAULT false,
  note                text,
  run                 text,
  tables              integer NOT NULL DEFAULT 0,
  rows                bigint NOT NULL DEFAULT 0,
  bytes               bigint NOT NULL DEFAULT 0,
  expected_bytes      bigint,
  size                bigint NOT NULL DEFAULT 0,
  error               text,
  verification        text CHECK (verification IN ('running', 'passed', 'failed')),
  verification_error  text,
  verified_at         timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now(),
  finished_at         timestamptz
) WITH (fillfactor = 50);

COMMENT ON COLUMN backups.run IS 'the dump that may go on; objects of others under this backup are left over';
COMMENT ON COLUMN backups.bytes IS 'of rows as they were copied, of about expected_bytes; size: as they are stored';

-- One at a time: two snapshots would hold back vacuum twice, and compete for the same disk and network.
CREATE UNIQUE INDEX backups_running ON backups (status) WHERE status = 'running';
