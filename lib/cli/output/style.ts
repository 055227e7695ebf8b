/** Functions that add colours to text, or leave it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
}

export type ColorChoice = 'auto' | 'always' | 'never';

const around = (begin: number, end: number) => (text: string) =>
  text === '' ? '' : `\x1b[${begin}m${text}\x1b[${end}m`;
const plain = (text: string) => text;

const colors: Style = {
  bold: around(1, 22),
  dim: around(2, 22),
  good: around(32, 39),
  bad: around(31, 39),
  warn: around(33, 39),
};
const none: Style = { bold: plain, dim: plain, good: plain, bad: plain, warn: plain };

/** With `auto`, colours are used on a terminal that supports them, unless NO_COLOR is set. --color always or never overrides both. */
export function styleFor(stream: { isTTY?: boolean }, choice: ColorChoice, env: NodeJS.ProcessEnv): Style {
  const auto = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return choice === 'always' || (choice === 'auto' && auto) ? colors : none;
}
