import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { problemOf } from "../../state/identity";

export interface Preview<T> {
  readonly answer: T | null;
  readonly problem: string;
}

/** Ask whenever `key` changes; "" asks nothing. Only the last question's answer counts. */
export function usePreview<T>(key: string, ask: () => Promise<T>): Preview<T> {
  const found = useSignal<Preview<T>>({ answer: null, problem: "" });
  useEffect(() => {
    let current = true;
    found.value = { answer: null, problem: "" };
    if (key !== "") {
      ask().then(
        (answer) => {
          if (current) found.value = { answer, problem: "" };
        },
        (error: unknown) => {
          if (current) found.value = { answer: null, problem: problemOf(error) };
        },
      );
    }
    return () => {
      current = false;
    };
    // oxlint-disable-next-line react/exhaustive-deps -- the key says what is asked
  }, [key]);
  return found.value;
}
