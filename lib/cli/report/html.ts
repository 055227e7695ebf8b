import { safe } from '../output/text.js';

/** A part of a page. The text in it is escaped already. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | false | readonly Part[];

/**
 * Makes HTML with values in it. Every value that is not {@link Html} is treated as text and escaped. There is no way to insert unescaped
 * text.
 *
 * @example
 * html`<td title="${note}">${note}</td>`;
 */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map((string, n) => `${string}${n < parts.length ? render(parts[n]) : ''}`).join(''));
}

function render(part: Part): string {
  if (part === undefined || part === false) {
    return '';
  }
  if (part instanceof Html) {
    return part.text;
  }
  return typeof part === 'object' ? part.map(render).join('') : escapeText(String(part));
}

const NAMES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Characters that are invisible or change the direction of the text become escapes, as on a terminal. */
function escapeText(text: string): string {
  return safe(text).replace(/[&<>"']/g, (character) => NAMES[character] as string);
}
