// The function behind the page, from a document to its run. The native lab plays if a server
// answers /play; otherwise the same lab plays in a worker.

let worker;
let asked = 0;
const waiting = new Map();

/** Finds out which lab plays for the page: "native" or "worker". */
export async function findBack() {
  try {
    const answer = await fetch("play");
    if (answer.ok && (await answer.json()).lab === "native") return "native";
  } catch {
    // A folder of static files has no /play.
  }
  return "worker";
}

async function post(path, request, signal) {
  const answer = await fetch(path, {
    signal, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
  });
  if (!answer.ok) return { error: (await answer.text()).trim() };
  return answer.json();
}

function inWorker(request) {
  if (!worker) {
    worker = new Worker(new URL("worker.js", import.meta.url));
    worker.onmessage = ({ data: { id, response } }) => {
      waiting.get(id)?.(response);
      waiting.delete(id);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      for (const answer of waiting.values()) answer({ error: event.message ?? "worker.js is missing" });
      waiting.clear();
      worker = undefined;
    };
  }
  return new Promise((resolve) => {
    waiting.set(++asked, resolve);
    worker.postMessage({ id: asked, request });
  });
}

/** Plays a document. It never throws: an error is in the response. */
export async function play(back, request, { real = false, signal } = {}) {
  try {
    if (real) return await post("play-real", request, signal);
    return await (back === "native" ? post("play", request) : inWorker(request));
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}
