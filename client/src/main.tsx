import { render } from "preact";
import { start } from "./state/session";
import { App } from "./views/App";
import "./ui/style.css";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
void start();

// The worker keeps the page's own files, so that a reload works while the node is away.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  void navigator.serviceWorker.register("/sw.js").catch(() => undefined);
}
