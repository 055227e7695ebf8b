import { isStoreUrl } from '../../storage/storage.js';
import { type ProbeCheck, type ProbeResult, probeStore } from '../../stores/probe.js';
import { STORE_ROLES, storePolicy } from '../../stores/store-policy.js';
import { parseStoreUrl } from '../../stores/store-url.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import type { Result } from '../output/output.js';
import { table } from '../output/table.js';
import { linesOf, safe } from '../output/text.js';
import { anyOf, array, flag, object, oneOf, text } from '../schema.js';

export const probe = defineCommand({
  name: 'probe',
  summary: 'check that an object store can hold backups',
  description: [
    'Checks, before the first backup, that the rights suffice and that the store does what a repository needs. Writes a few small objects below rocksdb-backup.probe/ in the place of the repository, and deletes them.',
    'The exit code is 1 if no backup could be made there. A store without conditional writes is fit for one writer only, and needs ?singleWriter=true in its URL: docs/stores.md says what is promised then.',
    'With --policy it asks the store nothing, and prints the policy that suffices for a role: an IAM policy for S3, roles with conditions for Google Cloud, a role and its assignment for Azure. A reader lists, verifies and restores backups. A writer also makes them; it can delete nothing but its own leases and probes, and what a backup that failed leaves stays for the pruner. A pruner also deletes.',
  ],
  positionals: [{ name: 'URL', type: 'text', summary: 'the URL of the repository: s3://, gs://, az:// or opendal://' }],
  options: {
    policy: {
      type: 'choice',
      choices: STORE_ROLES,
      placeholder: 'ROLE',
      summary: 'only print the policy that suffices for this role',
    },
  },
  examples: [
    { line: 'rocksdb-backup probe s3://backups/users', does: 'check the bucket and the rights' },
    { line: 'rocksdb-backup probe s3://backups/users --policy writer', does: 'print the IAM policy for a writer' },
  ],
  exits: ['stopped'],
  schema: anyOf(
    object({
      location: text('the repository'),
      canRead: flag('whether backups can be listed and restored'),
      canWrite: flag('whether backups can be made'),
      severalWriters: flag('whether several writers keep out of each other’s way'),
      needsSingleWriter: flag('whether backups can be made only with ?singleWriter=true'),
      checks: array(
        object({
          name: text(),
          state: oneOf('passed', 'failed', 'skipped'),
          neededFor: oneOf('reading', 'writing', 'severalWriters', 'largeFiles'),
          'why?': text('why it failed, or was skipped'),
          'missing?': text('the right that is missing, as the vendor calls it'),
        }),
      ),
      'left?': text('below which prefix the probe left objects that it could not delete'),
    }),
    { type: 'object', description: 'of --policy: what the tools of the vendor take' },
  ),
  async run(context, { URL: url }, { policy: role }) {
    if (!isStoreUrl(url)) {
      throw new UsageError(`${url} is not the URL of an object store; a directory needs no probe`);
    }
    if (role !== undefined) {
      const policy = storePolicy(parseStoreUrl(url), role);
      if (policy === undefined) throw new UsageError('policies are known for s3://, gs:// and az:// only');
      const lines = () => JSON.stringify(policy, undefined, 2).split('\n');
      return { json: policy, text: lines, quiet: lines };
    }
    return asResult(context, await probeStore(url, { signal: context.signal }));
  },
});

const WORDS: Record<ProbeCheck['name'], string> = {
  list: 'list objects',
  put: 'write an object',
  get: 'read an object',
  ranges: 'read ranges of an object',
  emptyObject: 'write an empty object',
  listAfterWrite: 'list what was just written',
  putIfAbsent: 'write only what is not there yet',
  putIfMatch: 'replace only what has not changed',
  multipart: 'write an object in parts',
  abortUpload: 'abort an upload',
  delete: 'delete objects',
};

function asResult(context: Context, result: ProbeResult): Result {
  const { style } = context.out;
  const { location, checks, canRead, canWrite, severalWriters, needsSingleWriter, left } = result;
  const marks = { passed: style.good('passed'), failed: style.bad('failed'), skipped: style.warn('skipped') };
  const verdict = severalWriters
    ? 'Backups can be made, read and deleted there.'
    : canWrite
      ? 'Fit for one writer only, as you have promised with singleWriter: the store has no conditional writes.'
      : needsSingleWriter
        ? 'The store has no conditional writes. If only one process at a time writes there, add ?singleWriter=true to the URL.'
        : canRead
          ? 'Backups can be read there, but not made.'
          : 'No backup can be made there.';
  return {
    json: { ...result },
    text: () =>
      linesOf(
        ...table(
          [{ title: 'CHECK' }, { title: 'RESULT' }, { title: 'WHY' }],
          checks.map(({ name, state, why, missing }) => [
            WORDS[name],
            marks[state],
            safe(linesOf(why, missing && `missing: ${missing}`).join('; ')),
          ]),
        ),
        '',
        `${safe(location)}: ${canWrite ? style.good(verdict) : style.bad(verdict)}`,
        checks.some(({ missing }) => missing !== undefined) && 'probe --policy writer prints a policy that suffices.',
        left !== undefined && `Objects below ${safe(left)} could not be deleted.`,
      ),
    quiet: () => checks.filter(({ state }) => state === 'failed').map(({ name }) => name),
    exit: canWrite ? 'ok' : 'failed',
  };
}
