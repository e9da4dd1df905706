/**
 * How many own changes wait for the node, kept over reloads. Each page of a browser counts for itself; a page that
 * opens takes over what closed pages left, because it loads their edits from the same store and sends them too.
 */

export interface KeyValue {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class PendingCount {
  private readonly inherited: ReadonlyMap<string, string>;
  private readonly own: string;
  /** What of `pending` stands in the inherited entries. */
  private base: number;

  constructor(
    private readonly storage: KeyValue,
    prefix: string,
    page: string,
  ) {
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
    this.inherited = new Map(
      keys.filter((key) => key.startsWith(`${prefix}/`)).map((key) => [key, storage.getItem(key) ?? "0"]),
    );
    this.own = `${prefix}/${page}`;
    this.base = this.atStart;
  }

  /** What waited when the page opened. */
  get atStart(): number {
    return [...this.inherited.values()].reduce((sum, text) => sum + (Number.parseInt(text, 10) || 0), 0);
  }

  /** `pending` includes what was inherited; zero means that the node has everything this page holds. */
  keep(pending: number): void {
    try {
      // Another page that is still open may have counted on: its number isn't this page's to clear.
      if (pending === 0) {
        for (const [key, text] of this.inherited) if (this.storage.getItem(key) === text) this.storage.removeItem(key);
        this.storage.removeItem(this.own);
        this.base = 0;
      } else if (pending > this.base) {
        this.storage.setItem(this.own, String(pending - this.base));
      }
    } catch {
      // A full or forbidden storage costs only the number after a reload, never an edit.
    }
  }
}
