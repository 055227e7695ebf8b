import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { isStoreUrl, openStoreUrl, parseStoreUrl, storeUrlName } from '../../lib/stores/store-url.js';
import { tempDir } from '../fixtures/files.js';
import { withoutOpendal } from './servers/opendal.js';

t.test('a URL gives the kind of the store and its options', async (t) => {
  for (const [url, kind, options] of [
    ['s3://backups', 's3', { bucket: 'backups', prefix: '' }],
    ['S3://backups/', 's3', { bucket: 'backups', prefix: '' }],
    ['s3://backups//a%20b/c+d/', 's3', { bucket: 'backups', prefix: 'a b/c+d' }],
    [
      's3://My.bucket_1/p?endpoint=https://minio.example.com:9000&region=eu&pathStyle=false&profile=p&kmsKeyId=k',
      's3',
      {
        bucket: 'My.bucket_1',
        prefix: 'p',
        endpoint: 'https://minio.example.com:9000',
        region: 'eu',
        forcePathStyle: false,
        profile: 'p',
        kmsKeyId: 'k',
      },
    ],
    [
      's3://backups/?lockMode=GOVERNANCE&lockDays=7',
      's3',
      { bucket: 'backups', prefix: '', objectLock: { mode: 'GOVERNANCE', days: 7 } },
    ],
    ['s3://backups?singleWriter=true', 's3', { bucket: 'backups', prefix: '', singleWriter: true }],
    ['gs://backups?singleWriter=false', 'gcs', { bucket: 'backups', prefix: '', singleWriter: false }],
    [
      'az://acme/backups?singleWriter=true',
      'azure',
      { account: 'acme', container: 'backups', prefix: '', singleWriter: true },
    ],
    [
      'opendal://webdav/a?singleWriter=true&root=/x',
      'opendal',
      { service: 'webdav', prefix: 'a', options: { root: '/x' }, singleWriter: true },
    ],
    ['gs://backups/a/b?userProject=payer', 'gcs', { bucket: 'backups', prefix: 'a/b', userProject: 'payer' }],
    ['az://acme/backups', 'azure', { account: 'acme', container: 'backups', prefix: '' }],
    [
      'az://acme/backups/a/b?accessTier=Cool',
      'azure',
      { account: 'acme', container: 'backups', prefix: 'a/b', accessTier: 'Cool' },
    ],
    [
      'opendal://webdav/a?endpoint=https://dav.example.com&root=/x',
      'opendal',
      { service: 'webdav', prefix: 'a', options: { endpoint: 'https://dav.example.com', root: '/x' } },
    ],
  ] as const) {
    t.same(parseStoreUrl(url), { kind, options }, url);
  }
});

t.test('a secret is refused, and not repeated', async (t) => {
  for (const url of [
    's3://AKIDHUSHHUSH:HUSHHUSH@backups/p',
    's3://HUSHHUSH@backups/p',
    's3://backups/p?X-Amz-Signature=HUSHHUSH',
    's3://backups/p?accessKeyId=HUSHHUSH',
    's3://backups/p?secretAccessKey=HUSHHUSH',
    's3://backups/p?sessionToken=HUSHHUSH',
    's3://backups/p?endpoint=https://user:HUSHHUSH@minio.example.com',
    's3://backups/p?endpoint=https://minio.example.com/%3FX-Amz-Signature=HUSHHUSH',
    's3://backups/p?HUSHHUSH/0123',
    's3://backups/p?HUSHHUSH0123',
    'az://acme/backups?sv=1&sig=HUSHHUSH',
    'az://acme/backups?accountKey=HUSHHUSH',
    'https://acme.blob.core.windows.net/backups?sv=1&sig=HUSHHUSH',
    'https://acme.blob.core.windows.net/HUSHHUSH',
    'gs://backups?x-goog-signature=HUSHHUSH',
    'gs://backups?credentials=HUSHHUSH',
    'opendal://webdav?password=HUSHHUSH',
    'opendal://oss?access_key_id=HUSHHUSH',
    'opendal://oss?access_key_secret=HUSHHUSH',
    's3://backups/HUSHHUSH/../p',
    's3://backups/HUSHHUSH%',
    's3://backups/HUSHHUSH#p',
    'HUSHHUSH',
    'HUSHHUSH://',
    'gs://backups?region=HUSHHUSH',
    's3://backups?pathStyle=HUSHHUSH',
    's3://backups?region=HUSHHUSH&region=HUSHHUSH',
    'az://HUSHHUSH',
  ]) {
    let error: NodeJS.ErrnoException | undefined;
    try {
      parseStoreUrl(url);
    } catch (thrown) {
      error = thrown as NodeJS.ErrnoException;
    }
    t.match(error, { name: 'TypeError', code: 'INVALID_OPTION' }, url);
    t.notMatch(`${error?.stack}`, /HUSH/, url);
  }
});

t.test('a message says what to do', async (t) => {
  const says = (url: string, message: string | RegExp) => t.throws(() => parseStoreUrl(url), { message });
  says(
    's3://u:p@backups',
    'the URL of the store is wrong: it must not hold a user or a password. Secrets come from the environment or from the ' +
      'files of the vendor.',
  );
  says('s3://backups?sig=1', /it must not hold a secret: leave out sig\. Secrets come/);
  says('s4://backups', /: there is no s4:\/\/; did you mean s3:\/\/. Write s3:\/\/bucket\/prefix, gs:/);
  says('s3://backups?regoin=eu', 'there is no option "regoin"; did you mean "region"?');
  says('s3://backups?singlewriter=true', 'there is no option "singlewriter"; did you mean "singleWriter"?');
  says('opendal://webdav?singleWriter=yes', /: singleWriter is true or false\./);
  says('az://acme', /az:\/\/ is followed by the account and the name of a container/);
  says('az://acme/Up', /az:\/\/ is followed by the account and the name of a container/);
  says('s3://b', /s3:\/\/ is followed by the name of a bucket/);
  says('gs://Backups', /gs:\/\/ is followed by the name of a bucket/);
  says('s3://backups?lockMode=GOVERNANCE', /: lockMode needs lockDays\./);
  says('s3://backups?lockDays=3', /: lockDays needs lockMode\./);
  says('s3://backups?lockMode=X&lockDays=3', /: lockMode is GOVERNANCE or COMPLIANCE\./);
  for (const days of ['0', '-1', '1.5', '1e3', 'x', '99999', '+3']) {
    says(
      `s3://backups?lockMode=GOVERNANCE&lockDays=${days}`,
      /: lockDays is a whole number of days, from 1 to 36500\./,
    );
  }
  says('s3://backups?checksums=md5', /: checksums is crc32c or none\./);
  says('s3://backups?storageClass=DEEP_ARCHIVE', /: storageClass is a class whose objects can be read at once/);
  says('s3://backups?serverSideEncryption=none', /: serverSideEncryption is AES256, aws:kms or aws:kms:dsse\./);
  says('s3://backups?region=', /: region has no value\./);
  says('gs://backups?userProject=', /: userProject has no value\./);
  says('az://acme/backups?accessTier=Archive', /: accessTier is Hot, Cool or Cold\./);
});

t.test('a place is called as it was understood', (t) => {
  for (const [url, name] of [
    ['S3://backups//a///b/?region=eu', 's3://backups/a/b'],
    ['s3://backups/', 's3://backups'],
    ['s3://backups/a%2Fb%20c%2525', 's3://backups/a/b c%25'],
    ['az://acme/backups//x', 'az://acme/backups/x'],
    ['opendal://webdav/a?root=/x', 'opendal://webdav/a'],
    ['s3://backups/../x/?y', 's3://backups/../x'],
  ] as const) {
    t.equal(storeUrlName(url), name, url);
  }
  t.end();
});

t.test('a path is no URL', async (t) => {
  for (const path of ['/var/backups', 'backups', './s3:', 'C:\\backups', 'C:/backups', 's3', 's3/backups'])
    t.notOk(isStoreUrl(path));
  for (const url of ['s3://backups', 'S3://x', 'whatever://x', 's3:/backups', 'file:/backups']) t.ok(isStoreUrl(url));
});

t.test('the store of a URL', async (t) => {
  t.equal((await openStoreUrl('s3://backups/p?region=eu')).name, 's3://backups/p');
  t.equal((await openStoreUrl('gs://backups/p')).name, 'gs://backups/p');
  await t.rejects(openStoreUrl('az://acme/backups/p'), { code: 'PACKAGE_MISSING' });
  process.env.AZURE_STORAGE_KEY = Buffer.from('key').toString('base64');
  t.teardown(() => delete process.env.AZURE_STORAGE_KEY);
  t.equal((await openStoreUrl('az://acme/backups/p')).name, 'az://acme/backups/p');
});

t.test('secrets of opendal come from the environment', { skip: withoutOpendal() }, async (t) => {
  const environment = { OPENDAL_FS_ROOT: tempDir(t)(), OPENDAL_FS_EMPTY: '', OPENDAL_S3_BUCKET: 'other' };
  t.equal((await openStoreUrl('opendal://fs/p', environment)).name, 'opendal://fs/p');
  await t.rejects(openStoreUrl('opendal://fs/p', {}), /options must be what the service fs needs/);
});

t.test('only the package of the URL is loaded', async (t) => {
  const program = `
    const { openStoreUrl } = require(${JSON.stringify(join(__dirname, '../../lib/stores/store-url.js'))});
    openStoreUrl('s3://backups?region=eu').then(() => {
      const loaded = (name) => Object.keys(require.cache).some((file) => file.includes(name));
      console.log(loaded('client-s3'), loaded('google-cloud'), loaded('storage-blob'), loaded('opendal'));
    });`;
  const { stdout } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(stdout.trim(), 'true false false false');
});
