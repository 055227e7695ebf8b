import { describe, invalidOption } from './errors.js';
import { unknownOption } from './unknown-option.js';

/** Returns `value` if it is an object and no array. Otherwise throws INVALID_OPTION. `expected` says what it should be. */
export function checkObject<T extends object>(name: string, value: T, expected = 'an object'): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(TypeError, name, expected, describe(value));
  }
  return value;
}

/**
 * The same for an object in which only the names in `known` may occur: an unknown option may be a known one that is misspelt. `name` is
 * 'options', or the name of the option that contains these.
 */
export function checkOptions<T extends object>(name: string, value: T, known: readonly string[], expected?: string): T {
  const unknown = Object.keys(checkObject(name, value, expected)).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw unknownOption(unknown, known, name === 'options' ? '' : name);
  }
  return value;
}
