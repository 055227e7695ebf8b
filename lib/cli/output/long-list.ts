import { errorAsJson } from '../json.js';
import { Chunks } from './chunks.js';
import type { Output } from './output.js';

/** How a long list is printed. An item may be large, so its text is made in parts. */
export interface ListForm<T> {
  head: string;
  item(item: T, isFirst: boolean): Iterable<string | Buffer>;
  /** What follows the last item. `count` says how many items there were, and `failure` what ended the list early. */
  tail(count: number, failure: unknown): string;
}

/** One JSON object: the members of `head`, the items under `name`, and what is known only at the end. */
export function jsonList<T>(
  head: object,
  name: string,
  item: (item: T) => Iterable<string>,
  end: (count: number) => object,
): ListForm<T> {
  return {
    head: `${JSON.stringify(head).slice(0, -1)},"${name}":[`,
    *item(each, isFirst) {
      if (!isFirst) {
        yield ',';
      }
      yield* item(each);
    },
    tail(count, failure) {
      const complete = failure === undefined;
      const rest = JSON.stringify({ ...end(count), complete, error: complete ? undefined : errorAsJson(failure) });
      return `],${rest.slice(1)}\n`;
    },
  };
}

/** Prints a list while it is read. If reading fails, what was printed is completed before this rejects. */
export async function printList<T>(
  out: Output,
  items: AsyncIterable<T>,
  { head, item, tail }: ListForm<T>,
): Promise<void> {
  const chunks = new Chunks(out);
  let count = 0;
  let failure: unknown;
  chunks.add(head);
  try {
    for await (const each of items) {
      for (const part of item(each, count === 0)) {
        chunks.add(part);
        await chunks.flushIfLarge();
      }
      count++;
    }
  } catch (error) {
    failure = error;
  }
  chunks.add(tail(count, failure));
  await chunks.flush();
  if (failure !== undefined) {
    throw failure;
  }
}
