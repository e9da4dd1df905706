import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { startWith } from "../state/session";

export function TokenForm({ problem }: { readonly problem: string }): JSX.Element {
  const token = useSignal("");
  return (
    <main class="message">
      <h1>Open the production</h1>
      <p>The node prints a link with an access token when it starts. Open that link, or enter the token here.</p>
      {problem !== "" && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void startWith(token.value.trim());
        }}
      >
        <label for="token">Access token</label>
        <div class="row">
          <input
            id="token"
            type="password"
            autocomplete="off"
            value={token.value}
            onInput={(event) => {
              token.value = event.currentTarget.value;
            }}
          />
          <button type="submit" class="primary" disabled={token.value.trim() === ""}>
            Open
          </button>
        </div>
      </form>
    </main>
  );
}
