import { safe } from '../output/text.js';

/** A piece of a page, whose texts are escaped already. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | false | readonly Part[];

/**
 * HTML with values in it. What is not {@link Html} is text, and only ever text: there is no way to put it in unescaped.
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

/** What would not be seen, or would turn the text around it, is shown as an escape, as on a terminal. */
function escapeText(text: string): string {
  return safe(text).replace(/[&<>"']/g, (character) => NAMES[character] as string);
}
