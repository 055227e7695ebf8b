/** The part of JSON Schema (2020-12) that is needed to describe the answers of the commands. */
export interface JsonSchema {
  $ref?: string;
  description?: string;
  type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
  format?: 'date-time';
  const?: unknown;
  enum?: readonly unknown[];
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  minimum?: number;
  anyOf?: readonly JsonSchema[];
}

/** An object with exactly these properties. A property whose name ends with `?` is optional. */
export function object(properties: Record<string, JsonSchema>, description?: string): JsonSchema {
  const entries = Object.entries(properties);
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    required: entries.map(([name]) => name).filter((name) => !name.endsWith('?')),
    additionalProperties: false,
  };
}

export const array = (items: JsonSchema, description?: string): JsonSchema => ({
  ...(description === undefined ? {} : { description }),
  type: 'array',
  items,
});
export const anyOf = (...schemas: JsonSchema[]): JsonSchema => ({ anyOf: schemas });
export const text = (description?: string): JsonSchema => described({ type: 'string' }, description);
export const count = (description?: string): JsonSchema => described({ type: 'integer', minimum: 0 }, description);
export const number = (description?: string): JsonSchema => described({ type: 'number' }, description);
export const flag = (description?: string): JsonSchema => described({ type: 'boolean' }, description);
export const time = (description?: string): JsonSchema =>
  described({ type: 'string', format: 'date-time' }, description);
export const oneOf = (...values: string[]): JsonSchema => ({ enum: values });
export const ref = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` });

function described(schema: JsonSchema, description: string | undefined): JsonSchema {
  return description === undefined ? schema : { description, ...schema };
}
