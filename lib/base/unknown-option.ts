/**
 * Makes the error about an option that does not exist. It suggests an option with a similar name, if there is one. `within` is the option
 * that contains this one, for example 'drill'. Native code makes the same error for its options (binding/napi/runtime/errors.cc).
 */
export function unknownOption(name: string, known: readonly string[], within = ''): Error {
  const full = (option: string) => (within === '' ? `"${option}"` : `"${within}.${option}"`);
  const message = `there is no option ${full(name)}${didYouMean(name, known, full)}`;
  return Object.assign(new TypeError(message), { code: 'INVALID_OPTION' });
}

/** Returns `; did you mean "schedule"?`, or an empty string if no known name is similar. */
export function didYouMean(name: string, known: readonly string[], quoted: (near: string) => string): string {
  const near = nearest(name, known);
  return near === undefined ? '' : `; did you mean ${quoted(near)}?`;
}

/** The name that is spelled almost like `word`. Undefined if there is none. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const best = names
    .map((name) => ({
      name,
      distance: name.startsWith(word) && word.length > 1 ? 0.5 : editDistance(word, name),
    }))
    .sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.name : undefined;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, at) => at);
  let before: number[] = [];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : changed;
      row.push(Math.min(changed, swapped, previous[j]! + 1, row[j - 1]! + 1));
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
