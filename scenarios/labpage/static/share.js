// Links, tests and files, by which a plan leaves the page or enters it, and the run in the real lab.
import { $ } from "./dom.js";
import { t } from "./words.js";
import { play } from "./back.js";
import { say, sayProblem } from "./said.js";

export const steps = ["5", "6", "7", "8", "9", "10", "published-6", "published-7", "published-8"];

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(t("file unreadable")); // The browser's own message is in the browser's language.
  }
}

export function sharing({ lab, load }) {
  async function openFile(file) {
    if (!file) return;
    try {
      if (file.size > 50e6) throw new Error(t("file too long"));
      const saved = parsed(await file.text());
      const step = String(saved.step ?? saved.target ?? lab.doc?.step ?? "5").replace(/^step /, "");
      const plan = saved.plan ?? saved;
      if (!plan.clients || !plan.script) throw new Error(t("no plan in file"));
      if (!steps.includes(step) && !step.startsWith("broken:")) throw new Error(t("unknown target", { target: step }));
      await load({ step, plan });
    } catch (error) {
      say(t("file failed", { reason: error.message }), true);
    }
  }

  async function copy(id) {
    const text = $(id).value ?? $(id).textContent;
    try {
      await navigator.clipboard.writeText(text);
      say(t("copied"));
    } catch {
      $(id).select?.(); // The reader copies the selected text by hand.
    }
  }

  function share() {
    $("link").value = location.href;
    $("dialog-share").showModal();
  }

  function makeTest() {
    $("command").value = `go run ./scenarios/cmd/redial replay '${location.href}'`;
    $("test").textContent = lab.run.test;
    $("dialog-test").showModal();
  }

  return { openFile, copy, share, makeTest };
}

/** Plays in the real lab: `request` returns the request, and `show` receives its run. */
export function realRuns({ lab, request, show }) {
  let realRun;
  /** Plays the document for real while the reader goes on; an edit ends that run. */
  async function playForReal() {
    if (realRun) return stopReal();
    const mine = new AbortController();
    realRun = mine;
    $("real").textContent = t("real stop");
    say(t("playing for real"));
    const real = await play(lab.back, request(), { real: true, signal: mine.signal });
    if (realRun !== mine) return;
    stopReal();
    if (real.error) return sayProblem(real.error);
    say("");
    show(real);
    $("real-run").scrollIntoView({ block: "nearest" });
  }

  function stopReal() {
    realRun?.abort();
    realRun = undefined;
    $("real").textContent = t("real");
  }

  return { playForReal, stopReal };
}
