/** A backup's files (equal names mean the same file), and the bytes that it takes in addition to them. */
interface Stored {
  files?: readonly { name: string; size: number }[] | undefined;
  metaSize?: number | undefined;
}

/** Total size of the distinct files of backups, plus their metadata. */
export class Usage {
  readonly #users = new Map<string, number>();
  bytes = 0;

  constructor(backups: readonly Stored[]) {
    for (const { files = [], metaSize = 0 } of backups) {
      this.bytes += metaSize;
      for (const { name, size } of files) {
        const users = this.#users.get(name) ?? 0;
        this.#users.set(name, users + 1);
        this.bytes += users === 0 ? size : 0;
      }
    }
  }

  remove({ files = [], metaSize = 0 }: Stored): void {
    this.bytes -= metaSize;
    for (const { name, size } of files) {
      const users = (this.#users.get(name) ?? 0) - 1;
      this.#users.set(name, users);
      this.bytes -= users === 0 ? size : 0;
    }
  }
}
