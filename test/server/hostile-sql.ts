/** SQL of people who mean harm: known tricks, and a grammar that mixes them with what is allowed. */
import type { Random } from '../unit/random.ts';

/** None of these may give rows. */
export const tricks: readonly string[] = [
  // Writing.
  'DELETE FROM trials',
  'DELETE FROM main.jobs',
  'DROP VIEW trials',
  'DROP TABLE main.trials',
  "INSERT INTO queries VALUES ('a', 'b', 'c', 'd')",
  "UPDATE main.jobs SET state = 'done' RETURNING id",
  "INSERT INTO main.doubts VALUES ('a', 'b', 'c') RETURNING record",
  'CREATE TABLE t (a)',
  'CREATE TEMP TABLE t AS SELECT * FROM trials',
  'CREATE TEMP TRIGGER t AFTER INSERT ON main.trials BEGIN SELECT 1; END',
  'CREATE VIEW v AS SELECT 1',
  'ALTER TABLE main.jobs RENAME TO gone',
  'REINDEX',
  'ANALYZE',
  'VACUUM',
  "VACUUM INTO '/tmp/microtune-stolen.db'",
  'BEGIN IMMEDIATE',
  'SAVEPOINT a',
  'COMMIT',
  // Other files and libraries.
  "ATTACH '/etc/passwd' AS p",
  "ATTACH 'file:/tmp/microtune-stolen.db?mode=rwc' AS p",
  "ATTACH ':memory:' AS m",
  'DETACH temp',
  "SELECT load_extension('/tmp/x.so')",
  "SELECT writefile('/tmp/microtune-stolen', 'x')",
  "SELECT readfile('/etc/passwd')",
  "SELECT edit('x')",
  "SELECT sqlite_log(1, 'x')",
  'SELECT sqlite_compileoption_get(0)',
  "SELECT fts3_tokenizer('simple')",
  "SELECT fts3_tokenizer('simple', x'0000000000000000')",
  // Settings.
  'PRAGMA journal_mode = DELETE',
  'PRAGMA query_only = OFF',
  'PRAGMA writable_schema = ON',
  'PRAGMA trusted_schema = ON',
  'PRAGMA wal_checkpoint(TRUNCATE)',
  'PRAGMA database_list',
  'PRAGMA table_info(tokens)',
  "SELECT * FROM pragma_table_info('tokens')",
  'SELECT count(*) FROM pragma_database_list',
  'SELECT * FROM pragma_database_list',
  'SELECT count(*) FROM PRAGMA_function_list',
  'EXPLAIN PRAGMA journal_mode = DELETE',
  'EXPLAIN SELECT 1',
  'EXPLAIN QUERY PLAN SELECT * FROM trials',
  // Hidden tables and columns.
  'SELECT * FROM sqlite_schema',
  'SELECT sql FROM sqlite_master',
  'SELECT * FROM temp.sqlite_schema',
  'SELECT count(*) FROM sqlite_temp_master',
  'SELECT * FROM main.models',
  'SELECT bytes FROM models',
  'SELECT hex(m.bytes) FROM main.models m',
  'SELECT length(bytes) FROM models',
  'SELECT 1 FROM models WHERE bytes IS NOT NULL',
  'SELECT 1 FROM trials ORDER BY (SELECT bytes FROM models)',
  'SELECT id FROM trials GROUP BY (SELECT hash FROM tokens)',
  'SELECT * FROM tokens',
  'SELECT count(*) FROM tokens',
  'SELECT count(*) FROM "TOKENS"',
  'SELECT count(*) FROM [main].[Tokens]',
  'SELECT EXISTS (SELECT 1 FROM tokens)',
  'SELECT * FROM main.events',
  'SELECT * FROM farm',
  'SELECT rowid FROM main.models',
  'SELECT * FROM trials NATURAL JOIN tokens',
  // SQLite does not ask whether the columns of USING may be read, and FULL JOIN gives them out.
  "SELECT name FROM (SELECT 'x' AS name) a FULL JOIN tokens USING (name)",
  "SELECT name FROM (SELECT 'x' AS name) a FULL JOIN tokens uSiNg (name)",
  "SELECT hex(bytes) FROM (SELECT 'x' AS bytes) a FULL JOIN main.models USING (bytes)",
  "SELECT hex(bytes) FROM (SELECT 'x' AS bytes) a NATURAL FULL JOIN main.models",
  "SELECT a.name FROM (SELECT 'open' AS name) a JOIN tokens USING/**/(name)",
  "SELECT 'open' IN farm",
  "SELECT 'open' IN (SELECT hash FROM tokens)",
  "SELECT (SELECT 'open') IN main.queries",
  'SELECT * FROM json_each((SELECT data FROM events))',
  'SELECT 1 FROM trials t LEFT JOIN tokens x ON x.name = t.id',
  'SELECT j.id FROM jobs j JOIN tokens t USING (name)',
  'WITH trials AS (SELECT * FROM main.tokens) SELECT * FROM trials',
  'WITH jobs AS (SELECT bytes FROM main.models) SELECT hex(bytes) FROM jobs',
  'WITH best AS MATERIALIZED (SELECT hash FROM tokens) SELECT hex(hash) FROM best',
  'SELECT * FROM (SELECT * FROM tokens) AS trials',
  'SELECT name FROM dbstat',
  'SELECT count(*) FROM dbstat',
  "SELECT * FROM fts5vocab('a', 'row')",
  'SELECT * FROM sqlite_stmt',
  'SELECT * FROM sqlite_dbpage',
  "SELECT data FROM sqlite_dbdata('main')",
  'CREATE VIRTUAL TABLE temp.v USING fts5(a)',
  // More than one statement.
  'SELECT 1; SELECT 2',
  'SELECT 1; DELETE FROM main.jobs',
  'SELECT 1 /* */ ; /* */ DROP TABLE main.jobs',
  // Time and memory.
  'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c',
  'SELECT count(*) FROM trials a, trials b, trials c, trials d, trials e, trials f, trials g, trials h',
  'SELECT length(zeroblob(1000000000))',
  'SELECT length(hex(zeroblob(900000000)))',
  'SELECT length(randomblob(1000000000))',
  "SELECT printf('%.*c', 1000000000, 'x')",
  "SELECT format('%1000000000d', 1)",
  "SELECT replace(hex(zeroblob(100000)), '00', hex(zeroblob(100000)))",
  `SELECT json_array(${Array(200).fill('1').join(',')})`,
  `SELECT ${'('.repeat(300)}1${')'.repeat(300)} + ${Array(300).fill('1').join('+')}`,
  `SELECT 1 WHERE 'x' LIKE '${'%a'.repeat(600)}'`,
  Array(60).fill('SELECT 1').join(' UNION ALL '),
  `SELECT ${Array(300).fill('1').join(',')}`,
  // No SQL at all.
  '',
  ';',
  '-- nothing',
  'SELECT 1 \0 FROM trials',
  'SELECT ?32767',
];

const tables = [
  'trials',
  'jobs',
  'tasks',
  'best',
  'devices',
  'doubts',
  'main.trials',
  'models',
  'tokens',
  'main.models',
  'queries',
  'sqlite_schema',
  'dbstat',
  'c',
  '"trials"',
];
const columns = [
  'id',
  'cycles',
  'board',
  'knobs',
  'bytes',
  'hash',
  'name',
  'sql',
  'rowid',
  '*',
  'count(*)',
  'max(cycles)',
  't.id',
  '1',
  'NULL',
  'x.value',
];
const values = [
  '1',
  '-1',
  '0',
  '9223372036854775807',
  '1e308',
  "'open'",
  "x'00'",
  'NULL',
  '(SELECT 1)',
  '?',
  ':a',
  "'%'",
  'CURRENT_TIME',
];
const functions = [
  'abs',
  'hex',
  'zeroblob',
  'length',
  'printf',
  'replace',
  'json_extract',
  'load_extension',
  'group_concat',
  'random',
  'unhex',
  'sqlite_log',
  'quote',
  'median',
  'upper',
  'fts5',
];
const words = [
  'UNION ALL',
  'EXCEPT',
  'ORDER BY',
  'GROUP BY',
  'LIMIT',
  'ATTACH',
  'PRAGMA',
  ';',
  '--',
  '/*',
  '(',
  ')',
  ',',
  "'",
  'RETURNING',
  'OVER ()',
  'COLLATE NOCASE',
  '\u0000',
  '\u2028',
  '🙂',
];

const joins = ['JOIN', 'FULL JOIN', 'RIGHT JOIN', 'NATURAL FULL JOIN', 'LEFT JOIN', ','];

function expression(r: Random, depth: number): string {
  if (depth <= 0) return r.pick([...columns, ...values]);
  switch (r.int(0, 6)) {
    case 0:
      return `${r.pick(functions)}(${expression(r, depth - 1)}${r.int(0, 1) === 0 ? '' : `, ${expression(r, depth - 1)}`})`;
    case 1:
      return `(${expression(r, depth - 1)} ${r.pick(['+', '*', '||', '=', '<', 'LIKE', 'IN', 'AND', '->>', 'GLOB'])} ${expression(r, depth - 1)})`;
    case 2:
      return `(${select(r, depth - 1)})`;
    case 3:
      return `CASE WHEN ${expression(r, depth - 1)} THEN ${expression(r, depth - 1)} END`;
    case 4:
      return `EXISTS (${select(r, depth - 1)})`;
    default:
      return r.pick([...columns, ...values]);
  }
}

function source(r: Random, depth: number): string {
  switch (r.int(0, 5)) {
    case 0:
      return `(${select(r, depth - 1)}) x`;
    case 1:
      return `trials t, json_each(t.knobs) x`;
    case 2:
      return `${r.pick(tables)} t ${r.pick(joins)} ${r.pick(tables)} x`;
    case 3:
      return `(${select(r, depth - 1)}) t ${r.pick(joins)} ${r.pick(tables)} x USING (${r.pick(columns)})`;
    default:
      return `${r.pick(tables)} t`;
  }
}

function select(r: Random, depth: number): string {
  const list = Array.from({ length: r.int(1, 3) }, () => expression(r, depth)).join(', ');
  const from = r.int(0, 4) === 0 ? '' : ` FROM ${source(r, depth)}`;
  const where = r.int(0, 2) === 0 ? ` WHERE ${expression(r, depth)}` : '';
  return `SELECT ${list}${from}${where}${r.int(0, 3) === 0 ? ` LIMIT ${r.pick(values)}` : ''}`;
}

/** A statement that may be anything, from harmless to no SQL. */
export function hostile(r: Random): string {
  const plain = select(r, r.int(0, 2));
  switch (r.int(0, 7)) {
    case 0:
      return `WITH ${r.pick(['c', 'trials', 'jobs', 'tokens'])}(id, name, cycles) AS (${plain}) ${select(r, 1)}`;
    case 1:
      return `WITH RECURSIVE c(id, name) AS (SELECT 1, 'a' UNION ${plain}) ${select(r, 1)}`;
    case 2:
      return r.pick(tricks);
    case 3:
      return `${r.pick(['EXPLAIN', 'EXPLAIN QUERY PLAN', ''])} ${plain} ${r.pick(words)} ${r.pick(words)} ${expression(r, 0)}`;
    case 4: {
      const at = r.int(0, plain.length);
      return `${plain.slice(0, at)}${r.pick([...words, ...tricks])}${plain.slice(at)}`;
    }
    default:
      return plain;
  }
}
