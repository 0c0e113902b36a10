r"""What was kept of a message without body; the reference's tables as views, for scripts that read them.

Names and columns are X-Road's (doc/DataModels/dm-ml_x-road_message_log_data_model.md, messagelog-changelog.xml),
read only. Records keep their numbers; time-stamps, which have numbers of their own here, count from -1
downwards, so that an id means one row. Later revisions that rebuild a table drop the views first.

On SQLite no function exists for some columns: `timestamp` is NULL, and so is `signature` unless it stands
in one piece; `signaturehash` is hexadecimal, and the three codes stay percent-encoded. `attachment` is NULL
everywhere: bodies are files.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A text may be anything a sender wrote: what is no UTF-8 must not fail a whole query.
TEXT = r"""
CREATE FUNCTION surma_text(value bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN convert_from(value, 'UTF8');
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$
"""

BASE64 = r"""
CREATE FUNCTION surma_base64(value bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT translate(encode(value, 'base64'), E'\n', '')
$$
"""

# The n-th segment of an identifier in URL form; NULL where there is none.
SEGMENT = r"""
CREATE FUNCTION surma_segment(path text, number integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT surma_text(decode(string_agg(
    CASE WHEN left(found.piece[1], 1) = '%' THEN substr(found.piece[1], 2)
         ELSE encode(convert_to(found.piece[1], 'UTF8'), 'hex') END,
    '' ORDER BY found.place), 'hex'))
  FROM regexp_matches(split_part(path, '/', number), '%[0-9A-Fa-f]{2}|.', 'g')
    WITH ORDINALITY AS found(piece, place)
$$
"""

# The values behind their tags again, see gateway/messagelog/skeletons.py.
SIGNATURE = r"""
CREATE FUNCTION surma_signature(skeleton bytea, filling bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN filling IS NULL THEN surma_text(skeleton) ELSE (
    SELECT string_agg(coalesce(part.text, '') || coalesce(part.value, ''), '' ORDER BY part.place)
    FROM unnest(
      string_to_array(regexp_replace(
        surma_text(skeleton),
        '(<(?:\w+:)?DigestValue>|<(?:\w+:)?SignatureValue(?: [^<>]*)?>|<(?:\w+:)?SigningTime>)',
        E'\\1\x01', 'g'), E'\x01'),
      string_to_array(surma_text(filling), '<')
    ) WITH ORDINALITY AS part(text, value, place)) END
$$
"""

LOGRECORD = """
CREATE VIEW logrecord AS
SELECT m.sequence AS id, 'm' AS discriminator, m.time_ms AS time,
  EXISTS (SELECT 1 FROM archived_entries a WHERE a.sequence = m.sequence) AS archived,
  m.query_id AS queryid,
  CASE WHEN m.key_id IS NULL THEN {message} END AS message,
  {signature} AS signature,
  {hash_chain} AS hashchain,
  {hash_chain_result} AS hashchainresult,
  CASE WHEN r.sequence IS NULL THEN {signature_digest} END AS signaturehash,
  -r.timestamp_id AS timestamprecord,
  {timestamp_chain} AS timestamphashchain,
  m.is_response AS response,
  {no_text} AS timestamp,
  {member_class} AS memberclass, {member_code} AS membercode, {subsystem_code} AS subsystemcode,
  m.x_request_id AS xrequestid, m.key_id AS keyid,
  CASE WHEN m.key_id IS NOT NULL THEN m.message END AS ciphermessage
FROM (SELECT *, CASE side WHEN 'consumer' THEN client ELSE provider END AS party FROM message_records) m
LEFT JOIN signature_skeletons s ON s.key = m.skeleton_key
LEFT JOIN record_timestamps r ON r.sequence = m.sequence
UNION ALL
SELECT -t.id, 't', t.time_ms,
  NOT EXISTS (
    SELECT 1 FROM record_timestamps r WHERE r.timestamp_id = t.id
    AND NOT EXISTS (SELECT 1 FROM archived_entries a WHERE a.sequence = r.sequence)),
  NULL, NULL, NULL, NULL, {result}, NULL, NULL, NULL, NULL, {token}, NULL, NULL, NULL, NULL, NULL, NULL
FROM timestamps t
"""

MESSAGE_ATTACHMENT = """
CREATE VIEW message_attachment AS
SELECT b.sequence * 10000 + b.number AS id, b.sequence AS logrecord_id, b.number AS attachment_no,
  {no_object} AS attachment
FROM message_bodies b WHERE b.location IS NOT NULL
"""

LAST_ARCHIVE_DIGEST = """
CREATE VIEW last_archive_digest AS
SELECT f.id AS id, f.last_digest AS digest, f.name AS filename, NULLIF(f.group_name, '') AS groupname
FROM archive_files f WHERE f.id IN (SELECT max(id) FROM archive_files GROUP BY group_name)
"""

POSTGRESQL = {
    "message": "surma_text(m.message)",
    "signature": "coalesce(surma_text(r.signature), surma_signature(s.skeleton, m.signature_values))",
    "hash_chain": "surma_text(m.hash_chain)",
    "hash_chain_result": "surma_text(m.hash_chain_result)",
    "signature_digest": "surma_base64(m.signature_digest)",
    "timestamp_chain": "surma_text(r.hash_chain)",
    "no_text": "CAST(NULL AS text)",
    "member_class": "surma_segment(m.party, 2)",
    "member_code": "surma_segment(m.party, 3)",
    "subsystem_code": "surma_segment(m.party, 4)",
    "result": "surma_text(t.hash_chain_result)",
    "token": "surma_base64(t.token)",
    "no_object": "CAST(NULL AS oid)",
}

# An identifier in URL form holds no quote, so it becomes a JSON list by its slashes.
SQLITE_SEGMENT = """json_extract('["' || replace(m.party, '/', '","') || '"]', '$[{}]')"""

SQLITE = {
    "message": "CAST(m.message AS TEXT)",
    "signature": (
        "coalesce(CAST(r.signature AS TEXT), CASE WHEN m.signature_values IS NULL THEN CAST(s.skeleton AS TEXT) END)"
    ),
    "hash_chain": "CAST(m.hash_chain AS TEXT)",
    "hash_chain_result": "CAST(m.hash_chain_result AS TEXT)",
    "signature_digest": "lower(hex(m.signature_digest))",
    "timestamp_chain": "CAST(r.hash_chain AS TEXT)",
    "no_text": "NULL",
    "member_class": SQLITE_SEGMENT.format(1),
    "member_code": SQLITE_SEGMENT.format(2),
    "subsystem_code": SQLITE_SEGMENT.format(3),
    "result": "CAST(t.hash_chain_result AS TEXT)",
    "token": "NULL",
    "no_object": "NULL",
}


def upgrade() -> None:
    """Add the column and the views."""
    op.add_column("message_records", sa.Column("kept_digest", sa.LargeBinary))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for function in () if is_sqlite else (TEXT, BASE64, SEGMENT, SIGNATURE):
        execute(function)
    words = SQLITE if is_sqlite else POSTGRESQL
    for view in (LOGRECORD, MESSAGE_ATTACHMENT, LAST_ARCHIVE_DIGEST):
        execute(view.format(**words))


def execute(statement: str) -> None:
    """Run a statement as it stands: a colon begins no parameter, and neither does a percent sign."""
    bind = op.get_bind()
    bind.exec_driver_sql(statement if bind.dialect.name == "sqlite" else statement.replace("%", "%%"))
