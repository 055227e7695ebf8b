export { type DatabaseChange, type DatabaseDiff, type DiffOptions, diffDatabases } from './diff.js';
export { type DatabaseDigest, digestDatabase, type FamilyDigest } from './digest.js';
export type { ReadAllOptions, ReadProgress } from './read-all.js';
