// Commands on a store that fails every request.

import t from 'tap';
import { cli, start } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { cutConnection, ScriptedServer } from '../stores/servers/scripted.js';
import { startSilentServer } from '../stores/servers/silent.js';

const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key', AWS_EC2_METADATA_DISABLED: 'true' };

const answer = (status: number, code: string) => ({
  status,
  body: `<Error><Code>${code}</Code><Message>injected</Message></Error>`,
});

t.test('a command that waits for a store says so after a while, and why', async (t) => {
  const dir = tempDir(t);
  const server = await ScriptedServer.start(t);
  const slow = await ScriptedServer.start(t);
  const silent = await startSilentServer(t);
  server.answers(answer(503, 'SlowDown'));
  slow.answers(cutConnection);
  const until = 'They are repeated until 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\n';
  const told = new RegExp(
    `^rocksdb-backup: no request to s3://backups/a has succeeded for \\d+(\\.\\d)? s: SlowDown: injected \\(HTTP 503\\)\\. ${until}$`,
  );
  const reset = new RegExp(
    `^rocksdb-backup: no request to s3://backups/a has succeeded for \\d+(\\.\\d)? s: ECONNRESET: .*\\. ${until}$`,
  );
  const url = `s3://backups/a?endpoint=${server.url}`;
  const runs = [
    ['list', url],
    ['list', url, '--json'],
    ['status', url],
    ['list', `s3://backups/a?endpoint=${slow.url}`],
  ].map((args) => start(t, args, { cwd: dir(), env }));
  const waiting = start(t, ['list', `s3://backups/a?endpoint=${silent}`], { cwd: dir(), env });
  const quiet = start(t, ['list', url, '--quiet'], { cwd: dir(), env });
  await Promise.all([...runs, waiting].map((run) => run.printed(/They are repeated until/)));
  waiting.child.kill('SIGTERM');
  t.match(
    (await waiting.ended).stderr,
    /^rocksdb-backup: no request to s3:\/\/backups\/a has succeeded for 15 s: no answer to a list yet\. /,
  );
  server.answers(answer(404, 'NoSuchBucket'));
  slow.answers(answer(404, 'NoSuchBucket'));
  for (const [at, run] of [...runs, quiet].entries()) {
    const { stderr, code } = await run.ended;
    t.equal(code, 3);
    const [, first, error] = /^((?:.*\n)?)(rocksdb-backup: error: .*\n)$/.exec(stderr) ?? [];
    t.match(error, /NoSuchBucket/);
    if (run === quiet) t.equal(first, '');
    else t.match(first, at === 3 ? reset : told);
  }
});

t.test('a store that answers in time is not talked about', async (t) => {
  const server = await ScriptedServer.start(t);
  let left = 3;
  server.answer = () => (left-- > 0 ? answer(503, 'SlowDown') : answer(404, 'NoSuchBucket'));
  const { stderr } = await cli(t, ['list', `s3://backups/a?endpoint=${server.url}`], { env });
  t.match(stderr, /^rocksdb-backup: error: [^\n]*NoSuchBucket[^\n]*\n$/);
  t.equal(server.seen.length, 4, 'RocksDB asks for more, and gets the same answer');
});
