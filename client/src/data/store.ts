/** A small key → JSON store in IndexedDB, for what the page needs when the node is away (schema, conflicts). */

const DATABASE = "openprod-page";
const STORE = "values";

export interface Store {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
}

/** Null when this browser keeps nothing (private windows, storage switched off). */
export async function openStore(): Promise<Store | null> {
  try {
    const database = await open();
    return {
      get: (key) => done(database.transaction(STORE).objectStore(STORE).get(key)),
      set: async (key, value) => {
        await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(value, key));
      },
    };
  } catch {
    return null;
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE);
  };
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error("The browser's storage failed."));
    };
  });
}
