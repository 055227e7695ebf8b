// A fake of Google Cloud Storage, written from the documents of its XML and its JSON API: as much of them as lib/stores/gcs.ts uses. It
// keeps every precondition. The emulators that can be had pass over them.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Storage } from '@google-cloud/storage';
import type { Teardown } from '../../fixtures/files.js';

const TOKEN = 'tester-token';

interface Stored {
  bytes: Buffer;
  generation: string;
  updated: Date;
  metadata: Record<string, string>;
}

interface Upload {
  name: string;
  started: Date;
  metadata: Record<string, string>;
  parts: Map<number, { bytes: Buffer; etag: string }>;
}

interface Request {
  method: string;
  url: URL;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

export class FakeGcs {
  url = '';
  /** How many objects and uploads a page has at most. */
  pageSize = 1000;
  readonly #objects = new Map<string, Stored>();
  readonly #uploads = new Map<string, Upload>();
  #last = 1_700_000_000_000_000;

  static async start(t: Teardown, bucket = 'backups'): Promise<FakeGcs> {
    const fake = new FakeGcs(bucket);
    const server = createServer((request, response) => fake.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return fake;
  }

  private constructor(private readonly bucket: string) {}

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const url = new URL(message.url!, this.url);
    const request = { method: message.method!, url, headers: message.headers, body: Buffer.concat(chunks) };
    const isJson = url.pathname.startsWith('/storage/v1/');
    try {
      if (isJson) this.#json(request, response);
      else this.#xml(request, response);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { status, code } = error;
      const body = isJson
        ? JSON.stringify({
            error: { code: status, message: code, errors: [{ reason: status === 404 ? 'notFound' : code }] },
          })
        : `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>Because.</Message></Error>`;
      response.writeHead(status, { 'content-type': isJson ? 'application/json' : 'application/xml' }).end(body);
    }
  }

  #check({ headers }: Request, bucket: string): void {
    if (headers.authorization !== `Bearer ${TOKEN}`) throw new Failure(401, 'AuthenticationRequired');
    if (bucket !== this.bucket) throw new Failure(404, 'NoSuchBucket');
  }

  #json(request: Request, response: ServerResponse): void {
    const [, bucket = ''] = /^\/storage\/v1\/b\/([^/]+)\/o$/.exec(request.url.pathname) ?? [];
    this.#check(request, bucket);
    const query = request.url.searchParams;
    const page = this.#list(query.get('prefix') ?? '', query.get('pageToken'));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page));
  }

  #list(prefix: string, token: string | null): object {
    const names = [...this.#objects.keys()].filter((name) => name.startsWith(prefix)).sort(byBytes);
    const from = token === null ? 0 : names.indexOf(Buffer.from(token, 'base64').toString()) + 1;
    const page = names.slice(from, from + this.pageSize);
    const items = page.map((name) => {
      const { bytes, generation, updated } = this.#objects.get(name)!;
      return { name, size: `${bytes.length}`, generation, updated: updated.toISOString() };
    });
    const more = from + page.length < names.length;
    return {
      ...(items.length > 0 && { items }),
      ...(more && { nextPageToken: Buffer.from(page.at(-1)!).toString('base64') }),
    };
  }

  #xml(request: Request, response: ServerResponse): unknown {
    const [, bucket = '', path = ''] = /^\/([^/]+)\/?(.*)$/.exec(request.url.pathname) ?? [];
    this.#check(request, bucket);
    const name = decodeURIComponent(path);
    const query = request.url.searchParams;
    const upload = query.get('uploadId');
    const answer = (status: number, headers: Record<string, string> = {}, body: string | Buffer = '') =>
      response.writeHead(status, { 'content-length': `${Buffer.byteLength(body)}`, ...headers }).end(body);
    switch (`${request.method} ${upload !== null ? 'upload' : query.has('uploads') ? 'uploads' : 'object'}`) {
      case 'PUT object': {
        checkMd5(request);
        this.#checkGeneration(name, request.headers['x-goog-if-generation-match'] as string | undefined);
        const { generation } = this.#write(name, request.body, metadataOf(request));
        return answer(200, { etag: `"${md5(request.body, 'hex')}"`, 'x-goog-generation': generation });
      }
      case 'GET object':
        return this.#read(name, request, answer);
      case 'DELETE object':
        this.#found(name);
        this.#objects.delete(name);
        return answer(204);
      case 'POST uploads': {
        const id = `upload-${++this.#last}`;
        this.#uploads.set(id, { name, started: new Date(), metadata: metadataOf(request), parts: new Map() });
        const result = `<Bucket>${bucket}</Bucket><Key>${escaped(name)}</Key><UploadId>${id}</UploadId>`;
        return answer(200, {}, `<InitiateMultipartUploadResult>${result}</InitiateMultipartUploadResult>`);
      }
      case 'PUT upload': {
        const { parts } = this.#upload(name, upload);
        checkMd5(request);
        const etag = `"${md5(request.body, 'hex')}"`;
        parts.set(Number(query.get('partNumber')), { bytes: request.body, etag });
        return answer(200, { etag });
      }
      case 'POST upload':
        this.#complete(name, upload!, request.body.toString());
        return answer(200, {}, `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`);
      case 'DELETE upload':
        this.#upload(name, upload);
        this.#uploads.delete(upload!);
        return answer(204);
      case 'GET uploads':
        return answer(200, {}, this.#listUploads(query.get('prefix') ?? '', query.get('upload-id-marker')));
      default:
        throw new Failure(405, 'MethodNotAllowed');
    }
  }

  #read(
    name: string,
    { headers }: Request,
    answer: (status: number, headers: Record<string, string>, body: Buffer) => unknown,
  ): unknown {
    const found = this.#found(name, headers['x-goog-if-generation-match'] as string | undefined);
    const about = {
      'x-goog-generation': found.generation,
      ...Object.fromEntries(Object.entries(found.metadata).map(([name, value]) => [`x-goog-meta-${name}`, value])),
    };
    if (headers.range === undefined) return answer(200, about, found.bytes);
    const [, first = '', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(headers.range) ?? [];
    const from = Number(first);
    const size = found.bytes.length;
    if (from >= size) throw new Failure(416, 'InvalidRange');
    const to = last === '' ? size : Math.min(size, Number(last) + 1);
    const range = { 'content-range': `bytes ${from}-${to - 1}/${size}` };
    return answer(206, { ...about, ...range }, found.bytes.subarray(from, to));
  }

  #complete(name: string, id: string, body: string): void {
    const { parts, metadata } = this.#upload(name, id);
    const wanted = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)];
    const bytes = wanted.map(([, number, etag]) => {
      const part = parts.get(Number(number));
      if (part?.etag !== etag) throw new Failure(400, 'InvalidPart');
      return part.bytes;
    });
    if (bytes.slice(0, -1).some(({ length }) => length < 5 * 2 ** 20)) throw new Failure(400, 'EntityTooSmall');
    this.#uploads.delete(id);
    this.#write(name, Buffer.concat(bytes), metadata);
  }

  #listUploads(prefix: string, after: string | null): string {
    const all = [...this.#uploads].filter(([, { name }]) => name.startsWith(prefix));
    const from = after === null ? 0 : all.findIndex(([id]) => id === after) + 1;
    const page = all.slice(from, from + this.pageSize);
    const uploads = page.map(([id, { name, started }]) => {
      const about = `<Key>${escaped(name)}</Key><UploadId>${id}</UploadId><Initiated>${started.toISOString()}</Initiated>`;
      return `<Upload>${about}</Upload>`;
    });
    const [id, last] = page.at(-1) ?? [];
    const next = `<NextKeyMarker>${escaped(last?.name ?? '')}</NextKeyMarker><NextUploadIdMarker>${id}</NextUploadIdMarker>`;
    const more = from + page.length < all.length;
    const paging = `<IsTruncated>${more}</IsTruncated>${more ? next : ''}`;
    return `<ListMultipartUploadsResult>${paging}${uploads.join('')}</ListMultipartUploadsResult>`;
  }

  #write(name: string, bytes: Buffer, metadata: Record<string, string>): Stored {
    const stored = { bytes, metadata, generation: `${++this.#last}`, updated: new Date() };
    this.#objects.set(name, stored);
    return stored;
  }

  #found(name: string, generation?: string): Stored {
    const found = this.#objects.get(name);
    if (found === undefined) throw new Failure(404, 'NoSuchKey');
    this.#checkGeneration(name, generation);
    return found;
  }

  /** 0 stands for: there is no such object. */
  #checkGeneration(name: string, generation: string | undefined): void {
    const now = this.#objects.get(name)?.generation ?? '0';
    if (generation !== undefined && generation !== now) throw new Failure(412, 'PreconditionFailed');
  }

  #upload(name: string, id: string | null): Upload {
    const found = this.#uploads.get(id ?? '');
    if (found?.name !== name) throw new Failure(404, 'NoSuchUpload');
    return found;
  }
}

/** Google's library, with a token that the fake takes or another one. */
export function storageAt(url: string, token = TOKEN): Storage {
  const { OAuth2Client } = createRequire(require.resolve('@google-cloud/storage'))('google-auth-library');
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: token, expiry_date: Date.now() + 3_600_000 });
  return new Storage({ apiEndpoint: url, authClient, projectId: 'tests' });
}

function checkMd5({ headers, body }: Request): void {
  if (headers['content-md5'] !== md5(body, 'base64')) throw new Failure(400, 'BadDigest');
}

function metadataOf({ headers }: Request): Record<string, string> {
  const prefix = 'x-goog-meta-';
  const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), String(value)]));
}

const md5 = (bytes: Buffer, encoding: 'hex' | 'base64') => createHash('md5').update(bytes).digest(encoding);
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
