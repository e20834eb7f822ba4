-- The ledger of one migration. No keys and no indexes: identifiers are unique by construction (one writer gives them
-- out in sequence), and a primary key would cost half the speed and 60 MB of memory a million rows.
-- Times of day are nanoseconds since 1970, UTC. Names and paths are in their printable form (README.md, "Names").
-- A reason is a code with its parameters, separated by the character 31. The views show the sentence.

-- What stands in double braces is printed from the Rust values that are the rule (`sql.rs`): here the enumerations
-- node_kind, traversal_status, copy_status, error_class, phase, plan_action, side, sweep_kind, finding, exclusion_origin,
-- call_class.
{{types}}

-- One row: what this ledger is about and where it stands.
CREATE TABLE migration (
  schema_version    INTEGER NOT NULL,  -- of these tables; a program refuses what is newer than it knows
  longhaul_version  VARCHAR NOT NULL,  -- of the program that created it
  duckdb_version    VARCHAR NOT NULL,  -- of the library that created it
  source            VARCHAR NOT NULL,  -- location, as a canonical path or URL
  destination       VARCHAR NOT NULL,  -- location, as a canonical path or URL
  settings          VARCHAR NOT NULL,  -- what a resume must keep to, as JSON
  created_ns        BIGINT NOT NULL,
  phase             phase NOT NULL,
  phase_reason      VARCHAR,           -- why it is suspended; NULL otherwise
  src_folded_seq    BIGINT NOT NULL,   -- events of src_status_events up to this seq are in src_current
  dst_folded_seq    BIGINT NOT NULL,   -- events of dst_status_events up to this seq are in dst_current
  suspended_from    phase,             -- the phase it is suspended in; NULL otherwise
  copy_settings     VARCHAR            -- how files are copied, as JSON; NULL until that begins
);

-- One row for each time that a program worked on the migration.
CREATE TABLE runs (
  run         INTEGER NOT NULL,  -- 1, 2, 3, …
  command     VARCHAR NOT NULL,  -- what it was asked to do: discover, …
  version     VARCHAR NOT NULL,  -- of the program
  host        VARCHAR NOT NULL,
  pid         BIGINT NOT NULL,
  started_ns  BIGINT NOT NULL,
  ended_ns    BIGINT,            -- NULL while it runs, and for ever if it was killed
  outcome     VARCHAR,           -- how it ended; NULL as above
  plan_hash   VARCHAR            -- of a copy: which approved plan it carried out
);

-- How many calls of a kind a store was asked for at a time, and how many a second: a row for each change.
CREATE TABLE pace (
  run          INTEGER NOT NULL,
  at_ns        BIGINT NOT NULL,   -- nanoseconds since 1970
  side         side NOT NULL,
  class        call_class NOT NULL,
  concurrency  INTEGER NOT NULL,  -- calls at a time, from then on
  rate         DOUBLE,            -- calls a second, from then on; NULL where that is not limited
  cause        VARCHAR NOT NULL   -- for people
);

-- The nodes, each written once, when it was found; a sweep brings size and time up to date. A parent's id is lower than its children's; the root is 1.
CREATE TABLE src_nodes (
  id           BIGINT NOT NULL,
  parent_id    BIGINT,              -- NULL for the root
  name         VARCHAR NOT NULL,    -- '' for the root
  kind         node_kind NOT NULL,
  size         BIGINT,              -- bytes; NULL for folders and where the store did not say
  modified_ns  BIGINT,              -- NULL where the store did not say
  depth        INTEGER NOT NULL     -- 0 for the root
);

CREATE TABLE dst_nodes (
  id           BIGINT NOT NULL,
  parent_id    BIGINT,
  name         VARCHAR NOT NULL,
  kind         node_kind NOT NULL,
  size         BIGINT,
  modified_ns  BIGINT,
  depth        INTEGER NOT NULL
);

-- The folders that are to be listed, with their paths: all of the source's but those that a filter leaves out, the
-- destination's where the source's is to be listed. A node's own path is its folder's and its name.
CREATE TABLE src_folders (
  id       BIGINT NOT NULL,   -- of src_nodes
  path     VARCHAR NOT NULL,  -- from the root, '/' for the root itself
  depth    INTEGER NOT NULL
);

CREATE TABLE dst_folders (
  id       BIGINT NOT NULL,   -- of dst_nodes
  path     VARCHAR NOT NULL,
  depth    INTEGER NOT NULL,
  src_id   BIGINT NOT NULL    -- its counterpart in src_nodes
);

-- A source node and a destination node with the same kind and name under matched parents.
CREATE TABLE matches (
  src_id  BIGINT NOT NULL,
  dst_id  BIGINT NOT NULL,
  same    BOOLEAN NOT NULL    -- a folder on both sides, or the same by the comparison policy; not what a filter leaves out
);

-- Every change of status. What follows from discovery itself has no event: a folder is found 'pending', anything else
-- 'successful'; copying is 'already_existed' for a match that is the same, else 'pending'.
CREATE TABLE src_status_events (
  seq               BIGINT NOT NULL,   -- given out by the writer: breaks every tie
  node_id           BIGINT NOT NULL,
  traversal_status  traversal_status,  -- NULL: unchanged
  copy_status       copy_status,       -- NULL: unchanged
  attempt           INTEGER NOT NULL,  -- how many attempts it took; 0 where nothing was tried
  run               INTEGER NOT NULL,
  at_ns             BIGINT NOT NULL,   -- nanoseconds since 1970
  reason            VARCHAR            -- NULL where there is none to give
);

CREATE TABLE dst_status_events (
  seq               BIGINT NOT NULL,
  node_id           BIGINT NOT NULL,
  traversal_status  traversal_status,
  copy_status       copy_status,
  attempt           INTEGER NOT NULL,
  run               INTEGER NOT NULL,
  at_ns             BIGINT NOT NULL,
  reason            VARCHAR
);

-- The events folded: one row for each node that has any. Behind the events by no more than what
-- migration.*_folded_seq says; the views add the rest.
CREATE TABLE src_current (
  id                BIGINT NOT NULL,
  traversal_status  traversal_status,  -- NULL: as discovery left it
  copy_status       copy_status,       -- NULL: as discovery left it
  attempts          INTEGER NOT NULL,          -- of the last event for which anything was tried
  traversal_error   VARCHAR,           -- the reason of the traversal status
  copy_error        VARCHAR,           -- the reason of the copy status
  remark            VARCHAR            -- the last remark
);

CREATE TABLE dst_current (
  id                BIGINT NOT NULL,
  traversal_status  traversal_status,
  copy_status       copy_status,
  attempts          INTEGER NOT NULL,
  traversal_error   VARCHAR,
  copy_error        VARCHAR,
  remark            VARCHAR
);

-- What went wrong with a node, each time it did.
CREATE TABLE errors (
  side      side NOT NULL,
  node_id   BIGINT NOT NULL,
  phase     phase NOT NULL,     -- in which phase
  class     error_class NOT NULL,
  message   VARCHAR NOT NULL,
  attempts  INTEGER NOT NULL,
  run       INTEGER NOT NULL,
  at_ns     BIGINT NOT NULL     -- nanoseconds since 1970
);

-- What the copy phase does with each source node that is not there already. Made when discovery ends.
CREATE TABLE plan (
  src_id  BIGINT NOT NULL,
  action  plan_action NOT NULL,
  dst_id  BIGINT,              -- what has its place, of the same kind and not the same; NULL where nothing has
  reason  VARCHAR              -- the reason why nothing is done, or of what is in the way; NULL where there is none
);

-- What was excluded by itself, by a person or by a filter when it was found: this node, and everything below it. What that
-- comes to for each node is its status: one that would be copied is excluded if it is in here, or the nearest folder above
-- it that is.
CREATE TABLE exclusions (
  node_id  BIGINT NOT NULL,            -- of src_nodes
  origin   exclusion_origin NOT NULL,
  reason   VARCHAR NOT NULL,           -- a reason
  run      INTEGER NOT NULL,           -- in which it was excluded
  at_ns    BIGINT NOT NULL
);

-- What somebody has decided about conflicts. Stays when the plan is made anew.
CREATE TABLE decisions (
  src_id  BIGINT NOT NULL,
  action  plan_action NOT NULL,  -- 'overwrite', 'keep_both' or 'skip'
  run     INTEGER NOT NULL,
  at_ns   BIGINT NOT NULL
);

-- Names that somebody has accepted in the place of those that the destination would refuse or fold.
CREATE TABLE renames (
  src_id     BIGINT NOT NULL,
  parent_id  BIGINT NOT NULL,   -- of src_nodes; with the next column, by what a node is known that is found anew
  was        VARCHAR NOT NULL,  -- its name on the source
  name       VARCHAR NOT NULL,  -- its name on the destination
  rule       VARCHAR NOT NULL,  -- what the old one is at odds with, as words with commas between them
  run        INTEGER NOT NULL,  -- in which it was said
  at_ns      BIGINT NOT NULL
);

-- The review choices of a damaged ledger that this one replaces, by path. Applied and deleted when discovery ends.
CREATE TABLE carried_over (
  path      VARCHAR NOT NULL,  -- on the source
  excluded  VARCHAR,           -- a reason, where it was excluded by itself
  action    plan_action,       -- what was decided about a conflict: 'overwrite', 'keep_both' or 'skip'
  name      VARCHAR,           -- another name that was accepted for the destination
  rule      VARCHAR            -- what the old one is at odds with
);

-- What is marked for retry: what it was before, so that the mark can be taken away again.
CREATE TABLE marks (
  side     side NOT NULL,
  node_id  BIGINT NOT NULL,
  phase    phase NOT NULL,   -- 'traversing': its listing is tried again; 'copying': its copy
  reason   VARCHAR,          -- the reason why it had failed
  run      INTEGER NOT NULL,
  at_ns    BIGINT NOT NULL
);

-- Passes over folders that were listed before. One at a time: the one that has not ended.
CREATE TABLE sweeps (
  run         INTEGER NOT NULL,     -- in which it began
  kind        sweep_kind NOT NULL,
  src_from    BIGINT NOT NULL,      -- source ids from here on were given out by it, or after it
  dst_from    BIGINT NOT NULL,
  started_ns  BIGINT NOT NULL,
  ended_ns    BIGINT                -- NULL while it lasts
);

-- The folders that the sweep which has not ended lists again: one row for each that is to be, another one when it has been.
CREATE TABLE swept (
  side    side NOT NULL,
  id      BIGINT NOT NULL,
  listed  BOOLEAN NOT NULL
);

-- What sweeps have found to be different from what was known. A node's row has what is known now.
CREATE TABLE sweep_findings (
  side         side NOT NULL,
  node_id      BIGINT NOT NULL,
  finding      finding NOT NULL,
  size         BIGINT,           -- what it was before
  modified_ns  BIGINT,           -- what it was before
  run          INTEGER NOT NULL,
  at_ns        BIGINT NOT NULL
);

-- The plans that somebody has approved. The last one counts, unless it was revoked.
CREATE TABLE approvals (
  hash        VARCHAR NOT NULL,  -- BLAKE3 over what is to be done and with what settings, in hexadecimal digits
  nodes       BIGINT NOT NULL,   -- that are to be brought to the destination
  bytes       BIGINT NOT NULL,   -- of the files among them
  conflicts   BIGINT NOT NULL,   -- that were left open knowingly
  run         INTEGER NOT NULL,
  at_ns       BIGINT NOT NULL,
  revoked_ns  BIGINT             -- when the plan was changed after that; NULL while it counts
);

-- What was copied, as it was when it was read.
CREATE TABLE copied (
  src_id       BIGINT NOT NULL,
  name         VARCHAR,          -- on the destination, where it is another one than on the source
  size         BIGINT,           -- bytes; NULL for what has none
  modified_ns  BIGINT,           -- NULL where the store did not say
  checksum     BLOB,             -- BLAKE3 of a file's contents; NULL where none was taken
  device       BIGINT,           -- with inode: which file it is, where that has several names
  inode        BIGINT
);

-- Parts of large files that are at the destination already. Of use until the file is copied.
CREATE TABLE parts (
  src_id       BIGINT NOT NULL,
  part         INTEGER NOT NULL,  -- 0, 1, 2, …
  size         BIGINT NOT NULL,   -- of the whole file when the part was read
  modified_ns  BIGINT,            -- of the file then
  value        BLOB NOT NULL      -- BLAKE3 chaining value of the part
);

-- What the last verification found to be different from what it should be.
CREATE TABLE differences (
  src_id   BIGINT NOT NULL,
  message  VARCHAR NOT NULL,
  at_ns    BIGINT NOT NULL
);

-- Counters by depth. Written in the same transaction as what they count; a recount from nodes, matches and events
-- gives the same.
CREATE TABLE src_stats (
  depth INTEGER NOT NULL,
{{counters}}
);

CREATE TABLE dst_stats AS FROM src_stats;

-- Written with every commit: 'created_ns' is that of the migration, and tells this ledger's log from any other.
CREATE TABLE stats (
  name   VARCHAR NOT NULL,
  value  BIGINT NOT NULL
);

-- The latest word of the events on each node that has any: the folded ones, and those since.
CREATE VIEW src_latest AS
{{src_latest}};

CREATE VIEW dst_latest AS
{{dst_latest}};

-- Folders that have never been dealt with, as far as folded events say: exact when a run begins.
CREATE VIEW src_unlisted AS
SELECT id
FROM src_folders
WHERE id NOT IN (SELECT id FROM src_current WHERE {{was_listed}});

CREATE VIEW dst_unlisted AS
SELECT id
FROM dst_folders
WHERE id NOT IN (SELECT id FROM dst_current WHERE {{was_listed}});

-- Folders that are to be listed, those of a sweep among them.
CREATE VIEW src_pending AS
FROM src_unlisted
UNION
SELECT id FROM swept WHERE side = '{{src}}' GROUP BY id HAVING NOT bool_or(listed);

CREATE VIEW dst_pending AS
FROM dst_unlisted
UNION
SELECT id FROM swept WHERE side = '{{dst}}' GROUP BY id HAVING NOT bool_or(listed);

-- For people. The columns are a promise to whoever queries a ledger.
CREATE VIEW src_status AS
SELECT
  n.id,
  n.parent_id,
  {{path}} AS path,
  n.name,
  n.kind,
  n.size,
  n.modified_ns,
  n.depth,
  {{src_traversal_status}} AS traversal_status,
  {{copy_status}} AS copy_status,
  coalesce(l.attempts, 0) AS attempts,
  {{src_error}} AS error
FROM src_nodes n
LEFT JOIN src_folders f ON f.id = n.parent_id
LEFT JOIN matches m ON m.src_id = n.id
LEFT JOIN src_latest l ON l.id = n.id;

CREATE VIEW dst_status AS
SELECT
  n.id,
  n.parent_id,
  {{path}} AS path,
  n.name,
  n.kind,
  n.size,
  n.modified_ns,
  n.depth,
  {{dst_traversal_status}} AS traversal_status,
  coalesce(l.attempts, 0) AS attempts,
  {{dst_error}} AS error
FROM dst_nodes n
LEFT JOIN dst_folders f ON f.id = n.parent_id
LEFT JOIN matches m ON m.dst_id = n.id
LEFT JOIN dst_latest l ON l.id = n.id;

-- What a copy does with the source's nodes, once discovery is over: what it has done is not there any more.
CREATE VIEW plan_view AS
SELECT path, kind, size, action, reason
FROM (
  SELECT
    s.path,
    s.copy_status,
    s.kind,
    s.size,
    CASE WHEN s.is_excluded THEN '{{exclude}}'::plan_action ELSE p.action END AS action,
    CASE
      WHEN s.is_excluded THEN s.error
      WHEN r.name IS NULL THEN {{plan_reason}}
      ELSE concat_ws('; ', {{plan_reason}}, 'as ' || r.name)
    END AS reason
  FROM plan p
  JOIN (SELECT *, {{is_excluded}} AS is_excluded FROM src_status) s ON s.id = p.src_id
  LEFT JOIN renames r ON r.src_id = p.src_id
  UNION ALL
  SELECT s.path, s.copy_status, s.kind, s.size, '{{already_existed}}'::plan_action, {{already_there}}
  FROM matches m
  JOIN src_status s ON s.id = m.src_id
  WHERE m.same AND s.parent_id IS NOT NULL
) planned
WHERE NOT ({{is_done}}) AND (SELECT {{is_discovered}} FROM migration);

-- What is wrong now: each node that is still failed, with its last error, and what verification found to be different. What
-- failed because of the folder that it is in has no error of its own.
CREATE VIEW problems AS
WITH last_errors AS (
  SELECT side, node_id, arg_max(phase, at_ns) AS phase, arg_max(class, at_ns) AS class,
    arg_max(message, at_ns) AS message, arg_max(attempts, at_ns) AS attempts
  FROM errors
  GROUP BY side, node_id
)
SELECT '{{src}}'::side AS side, s.path, coalesce(e.phase, '{{copying}}') AS phase, e.class::VARCHAR AS class,
  coalesce(e.message, s.error) AS message, coalesce(e.attempts, 0) AS attempts
FROM src_status s
LEFT JOIN last_errors e ON e.side = '{{src}}' AND e.node_id = s.id
WHERE {{src_failed}}
UNION ALL
SELECT '{{dst}}'::side, d.path, e.phase, e.class::VARCHAR, e.message, e.attempts
FROM last_errors e
JOIN dst_status d ON d.id = e.node_id
WHERE e.side = '{{dst}}' AND {{dst_failed}}
UNION ALL
SELECT '{{dst}}'::side, s.path, '{{verifying}}'::phase, '{{different}}', d.message, 1
FROM differences d
JOIN src_status s ON s.id = d.src_id;
