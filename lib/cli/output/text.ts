// Text from elsewhere (keys, metadata, file names) must never be printed to a terminal unchanged: it could move the cursor, change the
// title, or look like something else.

/** Control characters, characters that change the direction of writing, and halves of surrogate pairs. */
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const escapeOf: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Makes text safe for a terminal and for a single line: unsafe characters become escapes. From 0x80 on, `\\xNN` stands for a byte that is
 * not part of a character: see {@link bytesAsText}.
 */
export function safe(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return (
      escapeOf[character] ??
      (code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`)
    );
  });
}

/** Takes out the middle of a text that has more characters. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  const half = Math.floor((most - 3) / 2);
  return characters.length <= most
    ? text
    : `${characters.slice(0, most - 3 - half).join('')}...${characters.slice(-half).join('')}`;
}

/** Like {@link safe}, for text of several lines. */
export function safeLines(text: string): string {
  return text.split('\n').map(safe).join('\n');
}

/**
 * Converts bytes to text of one line, in such a way that different bytes give different texts: valid UTF-8 stays as it is, other bytes
 * become `\xNN`, and a backslash becomes `\\`.
 */
export function bytesAsText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(buffer)) {
    return safe(text.replaceAll('\\', '\\\\'));
  }
  // Take whole characters where possible, and single bytes between them.
  let result = '';
  for (let at = 0; at < buffer.length; ) {
    const length = characterLength(buffer, at);
    result +=
      length === 0
        ? `\\x${buffer[at]!.toString(16).padStart(2, '0')}`
        : safe(buffer.toString('utf8', at, at + length).replaceAll('\\', '\\\\'));
    at += Math.max(1, length);
  }
  return result;
}

/** The reverse of {@link bytesAsText}. Undefined if no bytes give this text. */
export function textAsBytes(text: string): Buffer | undefined {
  const parts: Buffer[] = [];
  let rest = text;
  while (rest !== '') {
    const [whole, plain, byte, unit, letter] =
      /^(?:([^\\]+)|\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\([\\nrt]))/.exec(rest) ?? [];
    const code = unit === undefined ? undefined : Number.parseInt(unit, 16);
    if (whole === undefined || (code !== undefined && code >= 0xd800 && code < 0xe000)) {
      return undefined;
    }
    const character = code !== undefined ? String.fromCharCode(code) : (plain ?? characterOf[letter ?? ''] ?? letter);
    parts.push(byte === undefined ? Buffer.from(character ?? '', 'utf8') : Buffer.from(byte, 'hex'));
    rest = rest.slice(whole.length);
  }
  return Buffer.concat(parts);
}

const characterOf: Record<string, string> = { n: '\n', r: '\r', t: '\t' };

/**
 * Converts bytes to text in parts, for a value that is too large for several strings of its size. Joined together, the parts are the result
 * of {@link bytesAsText}.
 */
export function* bytesAsTextParts(bytes: Uint8Array): Generator<string> {
  for (const part of partsOf(bytes)) {
    yield bytesAsText(part);
  }
}

const PART = 65_536;

/** Splits bytes into parts that end at the end of a UTF-8 character, if there are any characters. */
export function* partsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(bytes.length, at + PART);
    // A character has at most three bytes after its first one. If there are more such bytes, they are no character.
    for (let back = 0; back < 3 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80; back++) {
      end--;
    }
    yield bytes.subarray(at, end);
    at = end;
  }
}

/** The length of the well-formed UTF-8 character at an offset. 0 if there is none. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) {
    return 0;
  }
  const character = bytes.subarray(at, at + length);
  return Buffer.from(character.toString('utf8'), 'utf8').equals(character) ? length : 0;
}

/** How many columns a text takes on a terminal. Wide East Asian characters and emoji take two. */
export function width(text: string): number {
  let columns = 0;
  for (const character of unstyled(text)) {
    const code = character.codePointAt(0)!;
    columns += /\p{Mn}|\p{Me}|\u200d|\ufe0f/u.test(character) ? 0 : code >= 0x1100 && isWide(code) ? 2 : 1;
  }
  return columns;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what sets colours begins with one
const styles = /\u001b\[[0-9;]*m/g;

/** Removes the colours from a line. */
export function unstyled(line: string): string {
  return line.replace(styles, '');
}

function isWide(code: number): boolean {
  return (
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0xa4cf && code !== 0x303f) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

/** Breaks text between words into lines of at most this many columns. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && width(line) + 1 + width(word) > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** A number of things: `1 file`, `2 files`. */
export function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** The lines that there are. Leaves out what is false or undefined; an empty line stays. */
export function linesOf(...lines: (string | false | undefined)[]): string[] {
  return lines.filter((line) => typeof line === 'string');
}

/** Formats numbers as ranges: `1-4, 7`. */
export function ranges(ids: readonly number[]): string {
  const sorted = [...ids].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(
      end === at ? `${sorted[at]}` : end === at + 1 ? `${sorted[at]}, ${sorted[end]}` : `${sorted[at]}-${sorted[end]}`,
    );
    at = end + 1;
  }
  return parts.join(', ');
}
