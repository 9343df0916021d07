import "@fontsource-variable/inter/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";

import { mount } from "svelte";
import type { Backend } from "./backend";
import Window from "./views/Window.svelte";

/** `?fake=SCENE` plays the shell in a development build; a shipped page has no such code. */
async function backend(): Promise<Backend> {
  const scene = new URLSearchParams(location.search).get("fake");
  if (import.meta.env.DEV && scene !== null) return (await import("./backend/fake")).fakeShell(scene);
  return (await import("./backend/tauri")).tauri;
}

const target = document.getElementById("app");
if (target) mount(Window, { target, props: { backend: await backend() } });
